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
from storage.product import CaptureProducts
from storage.store import Store
from tasks.align import align
from tasks.average import average
from tasks.ingest import ingest
from tasks.measure_seeing import measure_seeing
from tasks.products.contents import Sky
from tasks.running.step import Run
from tasks.shift_average import shift_average
from tasks.solve_psfs import solve_psfs
from tasks.solve_sky import solve_sky


def main() -> None:
    """Run the recipe up to the sky of the first round, with the border of the last round; save it and its seconds."""
    request = json.loads(Path(sys.argv[1]).read_text())
    config = load_config(Path(request["settings"]), overrides=request["words"])
    run, capture = Run(Store(Path(request["store"]))), capture_at(Path(request["capture"]))
    frames = ingest(run, capture, config.ingest)
    mean = average(run, frames, config.average)
    shifts = align(run, frames, mean, config.align)
    stack = shift_average(run, frames, mean, shifts, config.telescope, config.shift_average)
    seeing = measure_seeing(run, frames, mean, stack, config.telescope)
    inputs, settings = CaptureProducts(frames, mean, stack, seeing), config.rounds[0]
    begun = time.process_time()
    psfs = solve_psfs(run, inputs, stack, config.telescope, settings.psfs)
    sky = solve_sky(run, inputs, psfs, stack, config.telescope, settings.sky)
    cpu = time.process_time() - begun
    seconds = run.store.seconds(psfs) + run.store.seconds(sky)
    with run.store.view(Sky, sky) as done:
        np.savez(request["answer"], sky=done.sky[0])
        told = {"solve_s": seconds, "solve_cpu_s": cpu, "frames": len(done.frames)}
    Path(request["answer"]).with_suffix(".json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
