"""The registry of models on disk: a folder per model with its weights, its card, and how often test sets were opened."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from storage.atomic import publish
from storage.errors import Hopeless, StoreError

Stage = Literal["experimental", "promoted", "retired"]
WEIGHTS, CARD, ONNX = "weights.safetensors", "card.json", "model.onnx"
OPENED, STAGES = "opened.json", "stages.json"
SHIPPED = Path(__file__).parent / "shipped_models"
MAX_WEIGHTS_BYTES = 256 * 2**20
"""Larger files of weights are not read."""


@dataclass(frozen=True)
class Model:
    """A trained net as it is kept."""

    step: str
    hash: str
    """sha256 of the weights, its first 16 digits."""
    stage: Stage
    card: dict[str, Any]
    """What it was trained on, and the figures of its gate."""
    folder: Path

    @property
    def passed(self) -> bool:
        """Does its card say that it passed its gate?"""
        gate = self.card.get("gate")
        return isinstance(gate, dict) and bool(gate.get("passed"))


def models_folder() -> Path:
    """STILLSKY_MODELS, or `models` in the user's data folder."""
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(os.environ.get("STILLSKY_MODELS") or f"{base}/stillsky/models").expanduser().absolute()


def models(root: Path | None = None) -> list[Model]:
    """All models, the user's first, then those that come with stillsky; newest first, broken folders left out."""
    own = root or models_folder()
    stages = _json(own / STAGES)
    found = [m for folder in (own, SHIPPED) for m in _in(folder, stages)]
    return sorted(found, key=lambda m: (m.folder.is_relative_to(SHIPPED), m.step, -float(m.card.get("made_s", 0))))


def find_model(prefix: str, root: Path | None = None) -> Model:
    """The one model whose hash, or step/hash, begins so."""
    found = {m.hash: m for m in models(root) if f"{m.step}/{m.hash}".startswith(prefix) or m.hash.startswith(prefix)}
    if len(found) != 1:
        known = ", ".join(f"{m.step}/{m.hash}" for m in models(root)) or "none"
        raise Hopeless(f"{len(found)} models begin with {prefix!r}; known: {known}")
    return next(iter(found.values()))


def weights_of(model: Model) -> bytes:
    """The file of weights, checked against the model's hash."""
    path = model.folder / WEIGHTS
    try:
        size = path.stat().st_size
        if size > MAX_WEIGHTS_BYTES:
            raise Hopeless(f"{path} has {size} bytes; at most {MAX_WEIGHTS_BYTES} are read: remove the folder")
        data = path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}; remove the folder or restore the file") from None
    if hash_of(data) != model.hash:
        raise Hopeless(f"{path} is not the file that was registered: its hash is {hash_of(data)}; remove the folder")
    return data


def hash_of(weights: bytes) -> str:
    """Name of a model."""
    return sha256(weights).hexdigest()[:16]


def register(step: str, weights: bytes, card: dict[str, Any], root: Path | None = None, onnx: bytes = b"") -> Model:
    """Keep a new model, experimental; the card is written last, so that a model without it does not count."""
    folder = (root or models_folder()) / step / hash_of(weights)
    publish(folder / WEIGHTS, lambda path: path.write_bytes(weights))
    if onnx:
        publish(folder / ONNX, lambda path: path.write_bytes(onnx))
    text = json.dumps(card, indent=1, sort_keys=True, allow_nan=False)
    publish(folder / CARD, lambda path: path.write_text(text + "\n", encoding="utf-8"))
    return Model(step, hash_of(weights), "experimental", card, folder)


def set_stage(model: Model, stage: Stage, root: Path | None = None) -> Model:
    """Promote or retire; a model whose gate failed cannot be promoted."""
    if stage == "promoted" and not model.passed:
        gate = model.card.get("gate")
        failed = gate.get("failed", []) if isinstance(gate, dict) else []
        reasons = "; ".join(failed) or "its card holds no gate"
        raise Hopeless(f"{model.step}/{model.hash} did not pass its gate: {reasons}. Train it anew")
    own = root or models_folder()
    stages = {**_json(own / STAGES), f"{model.step}/{model.hash}": stage}
    publish(own / STAGES, lambda path: path.write_text(json.dumps(stages, indent=1, sort_keys=True), encoding="utf-8"))
    return Model(model.step, model.hash, stage, model.card, model.folder)


def opened_by(step: str, test_set: str, root: Path | None = None) -> list[str]:
    """Which trainings have seen this sealed test set."""
    return list(_json((root or models_folder()) / step / OPENED).get(test_set, []))


def note_opening(step: str, test_set: str, training: str, root: Path | None = None) -> int:
    """Record that a training looks at a sealed test set; how many trainings have."""
    path = (root or models_folder()) / step / OPENED
    known = _json(path)
    seen = [*dict.fromkeys([*known.get(test_set, []), training])]
    publish(path, lambda p: p.write_text(json.dumps({**known, test_set: seen}, indent=1), encoding="utf-8"))
    return len(seen)


def _in(root: Path, stages: dict[str, Any]) -> list[Model]:
    found = []
    for path in sorted(root.glob(f"*/*/{CARD}")):
        step, name = path.parent.parent.name, path.parent.name
        card = _json(path)
        stage = stages.get(f"{step}/{name}", "promoted" if root == SHIPPED else "experimental")
        if card and (path.parent / WEIGHTS).is_file() and stage in ("experimental", "promoted", "retired"):
            model = Model(step, name, stage, card, path.parent)
            found.append(replace(model, stage="experimental") if stage == "promoted" and not model.passed else model)
    return found


def _json(path: Path) -> dict[str, Any]:
    """A small file of ours; one that is missing or broken holds nothing."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
