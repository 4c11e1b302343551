"""Checkpoints of a training: one safetensors file, whole or not there, holding all that a continuation needs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from storage.atomic import publish


@dataclass(frozen=True)
class State:
    """A moment of a training."""

    weights: dict[str, Tensor]
    optimiser: dict[str, Any]
    best: tuple[float, dict[str, Tensor]] | None
    """Gain in the best validation, and the weights that had it."""
    critic: dict[str, Tensor]
    """Weights of the critic; empty without one."""
    facts: dict[str, Any]
    """Step, curve, events and the like: plain JSON."""


@dataclass(frozen=True)
class Keeper:
    """Where the checkpoint of one training is."""

    path: Path

    def write(self, state: State) -> None:
        """Keep a state in place of the last one."""
        from safetensors.torch import save

        tensors = {f"net.{name}": value for name, value in state.weights.items()}
        for number, values in state.optimiser["state"].items():
            tensors |= {f"optimiser.{number}.{name}": value for name, value in values.items()}
        if state.best is not None:
            tensors |= {f"best.{name}": value for name, value in state.best[1].items()}
        tensors |= {f"critic.{name}": value for name, value in state.critic.items()}
        facts = {**state.facts, "groups": state.optimiser["param_groups"], "best": state.best and state.best[0]}
        plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
        data = save(plain, metadata={"facts": json.dumps(facts)})
        publish(self.path, lambda path: path.write_bytes(data))

    def read(self) -> State | None:
        """The last state; None where there is none, or what is there is no checkpoint."""
        import safetensors
        from safetensors import safe_open

        if not self.path.is_file():
            return None
        try:
            with safe_open(self.path, "pt") as file:
                facts = json.loads(file.metadata()["facts"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        except (safetensors.SafetensorError, KeyError, TypeError, ValueError):
            return None
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("optimiser."):
                _, number, key = name.split(".", 2)
                moments.setdefault(int(number), {})[key] = value
        best, groups = facts.pop("best"), facts.pop("groups")
        return State(
            _named(tensors, "net."),
            {"state": moments, "param_groups": groups},
            None if best is None else (best, _named(tensors, "best.")),
            _named(tensors, "critic."),
            facts,
        )


def _named(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
