"""One solve by stillsky in a process of its own: ours.py REQUEST.json, the answer is written beside it."""

import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from configs.load import load_config
from storage.captures.capture import capture_at
from storage.product import Scene
from storage.store import Store
from tasks.align import align
from tasks.average import average
from tasks.ingest import ingest
from tasks.measure_seeing import seeing
from tasks.shift_average import shift_average
from tasks.solve_psfs import solve_psfs
from tasks.solve_sky import solve_sky


def main() -> None:
    """Run the recipe up to the sky of the first round, with the border of the last round; save it and its seconds."""
    request = json.loads(Path(sys.argv[1]).read_text())
    config = load_config(Path(request["settings"]), overrides=request["words"])
    store, capture = Store(Path(request["store"])), capture_at(Path(request["capture"]))
    frames = ingest(store, capture, config.ingest)
    mean = average(store, frames, config.average)
    shifts = align(store, frames, mean, config.align)
    first = shift_average(store, frames, mean, shifts, config.telescope, config.shift_average)
    air = seeing(store, frames, mean, first, config.telescope)
    scene, turn = Scene(frames, mean, first, air), config.rounds[0]
    begun = time.process_time()
    psfs = solve_psfs(store, scene, first, config.telescope, turn.psfs)
    sky = solve_sky(store, scene, psfs, first, config.telescope, turn.sky)
    cpu = time.process_time() - begun
    with store.open(psfs) as solved, store.open(sky) as done:
        seconds = float(solved.attrs["seconds"]) + float(done.attrs["seconds"])
        np.savez(request["answer"], sky=done["sky"][0])
        told = {"solve_s": seconds, "solve_cpu_s": cpu, "frames": len(done["frames"])}
    Path(request["answer"]).with_suffix(".json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
