"""Puts the newest promoted model of a step among those that come with stillsky."""

import shutil
import sys
from pathlib import Path

from storage.models import CARD, SHIPPED, WEIGHTS
from tasks.learning.registry import best_model


def ship(step: str, models: Path, shipped: Path = SHIPPED) -> str:
    """Replace the shipped model of a step; says what was done."""
    models = models.resolve()
    model = best_model(step, models)
    if model is None or not model.folder.is_relative_to(models):
        return f"{step}: no model in {models} passed its gate; the one that comes with stillsky stays"
    target = shipped / step / model.hash
    shutil.rmtree(shipped / step, ignore_errors=True)
    target.mkdir(parents=True)
    for name in (WEIGHTS, CARD):
        shutil.copyfile(model.folder / name, target / name)
    return f"{step}: {target} is new"


if __name__ == "__main__":
    print(ship(sys.argv[1], Path(sys.argv[2])))
