"""What travels between steps instead of arrays: the name of a result in the store."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True, order=True)
class Product:
    """The result of one step on given inputs; the same inputs give the same key on any machine."""

    step: str
    """The step that makes it, and its folder in the store."""
    key: str
    """The first 32 hexadecimal digits of the sha256 of step, version, settings and keys of inputs."""

    def __str__(self) -> str:
        return f"{self.step}/{self.key[:12]}"


class CaptureProducts(NamedTuple):
    """What every round needs of a capture: its clean frames, and what was measured of them before the first round."""

    frames: Product
    mean: Product
    stack: Product
    seeing: Product


RESULT_STEPS = ("evaluate", "enhance", "burst", "dewarp", "fill", "merge", "combine")
"""Steps whose products are published."""


class CaptureResults(NamedTuple):
    """What a restored capture leaves for the user."""

    evaluated: Product
    """What is published, and the judgement."""
    enhanced: Product
    """The same where nothing is to be enhanced."""
    movie: Product
    """The clean movie; another product where there is none."""
    dewarped: Product
    """The stack of locally registered frames; another product where there is none."""
    filled: Product
    """Missing pixels of the frames; another product where none are filled."""

    @classmethod
    def of(cls, evaluated: Product) -> "CaptureResults":
        """A result of which nothing more was made."""
        return cls(*(evaluated for _ in cls._fields))

    def has(self, step: str) -> bool:
        """Was the product of a step made, or did it pass its input through?"""
        return any(product.step == step for product in self)


def result_names(products: Iterable[Product]) -> list[str]:
    """The names, as a report keeps them, of those products that are published; each once."""
    return sorted({f"{product.step}/{product.key}" for product in products if product.step in RESULT_STEPS})


def product_of(step: str, recipe: Mapping[str, Any]) -> Product:
    """Name the product that `recipe` (plain JSON: version, inputs, settings) makes."""
    text = json.dumps({"step": step, **recipe}, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return Product(step, hashlib.sha256(text.encode()).hexdigest()[:32])
