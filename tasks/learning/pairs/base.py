"""A set of pairs: what a net is given, the classical answer and the truth, with the sky and the air each came from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Pairs:
    """Arrays over examples (n, ...), in the net's own light."""

    inputs: F32
    """(n, input, y, x)."""
    classical: F32
    """(n, output, y, x)."""
    truth: F32
    """(n, output, y, x)."""
    weight: F32
    """(n, 1, y, x), 1 where the answer counts."""
    conditions: F32
    """(n, condition)."""
    facts: F32
    """(n, fact) what judging needs besides; each step says what."""
    seeds: NDArray[np.int64]
    """(n, 2) seed of the sky and of the air."""

    def __len__(self) -> int:
        return len(self.inputs)

    def at(self, chosen: NDArray[np.int64] | slice) -> Pairs:
        """Some of the examples."""
        return replace(self, **{each.name: getattr(self, each.name)[chosen] for each in fields(self)})


def joined(parts: Iterable[Pairs]) -> Pairs:
    """One set of several."""
    sets = list(parts)
    return Pairs(**{each.name: np.concatenate([getattr(s, each.name) for s in sets]) for each in fields(Pairs)})
