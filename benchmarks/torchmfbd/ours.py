"""One solve by stillsky in a process of its own: ours.py REQUEST.json, the answer is written beside it."""

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from configs.load import load_config
from configs.schema import Config
from flows.recipe import restore_capture
from storage.captures.capture import capture_at
from storage.product import Product
from storage.store import Store
from tasks.products.contents import Sky
from tasks.running.step import Run, Work

SOLVE = ("solve psfs round 1", "solve sky round 1")
"""What is timed: the first round of the recipe."""


class Enough(Exception):
    """The last step that was asked for is done."""


@dataclass(frozen=True)
class Done:
    """A step that was run."""

    product: Product
    cpu_s: float
    """Processor time of the call."""


def first_steps(store: Store, path: Path, config: Config, last: str) -> dict[str, Done]:
    """Run the recipe up to the step labelled `last`: its steps by their labels."""
    done: dict[str, Done] = {}

    def perform(work: Work, retries: int, make: Callable[[], None]) -> None:
        begun = time.process_time()
        make()
        done[work.label] = Done(work.product, time.process_time() - begun)
        if work.label == last:
            raise Enough

    camera = config.camera
    capture = capture_at(path, camera.dark, camera.flat, camera.exposure_s, mosaic=camera.mosaic)
    with contextlib.suppress(Enough):
        restore_capture(Run(store, performer=perform), capture, config)
    return done


def main() -> None:
    """Run the recipe up to the sky of the first round, made as the last round's is; save it and its seconds."""
    request = json.loads(Path(sys.argv[1]).read_text())
    config = load_config(Path(request["settings"]), overrides=request["words"])
    only = config.rounds[0].model_copy(update={"sky": config.rounds[-1].sky})
    config = config.model_copy(update={"rounds": (only,)})
    store = Store(Path(request["store"]))
    done = first_steps(store, Path(request["capture"]), config, SOLVE[-1])
    with store.view(Sky, done[SOLVE[-1]].product) as solved:
        np.savez(request["answer"], sky=solved.sky[0])
        frames = len(solved.frames)
    timed = [done[label] for label in SOLVE]
    told = {
        "solve_s": sum(store.seconds(step.product) for step in timed),
        "solve_cpu_s": sum(step.cpu_s for step in timed),
        "frames": frames,
    }
    Path(request["answer"]).with_suffix(".json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
