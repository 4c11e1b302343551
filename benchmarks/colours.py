"""Processor seconds and peak memory of a Bayer capture and of the same scene through a mono camera: same frames, same size.

    python benchmarks/colours.py FOLDER [--frames 128] [--size 192]

Both are simulated with the same air and solved with the default settings, one thread each, each by a process of its own
with an empty store and without Prefect. One line for each, and the ratio; the seconds of every step follow.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

KINDS = {"mono": {}, "bayer": {"mosaic": "RGGB"}}
"""Camera: what its scene has beside the common one."""


def restored(capture: Path, store: Path) -> dict[str, Any]:
    """Run the recipe in this process: processor seconds of every step, peak memory, dB of what is published."""
    from configs.load import load_config
    from flows.recipe import restore_capture
    from storage.captures.capture import capture_at
    from storage.results.truth import beside, truth_beside
    from storage.store import Store
    from tasks.products.contents import Evaluated
    from tasks.reporting.report import against
    from tasks.running.step import Run

    seconds: dict[str, float] = {}

    def perform(work: Any, retries: int, make: Any) -> None:
        begun = time.process_time()
        make()
        seconds[work.label] = round(time.process_time() - begun, 2)

    config = load_config(beside(capture)["config"])
    place = Store(store)
    result = restore_capture(Run(place, performer=perform), capture_at(capture), config).evaluated
    truth = truth_beside(capture)
    assert truth is not None
    with place.view(Evaluated, result) as judged:
        sky_db = against(truth, judged.published[:])["psnr_db"]
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"seconds": seconds, "total_s": sum(seconds.values()), "peak_gib": peak_gib, "sky_db": sky_db}


def measured(capture: Path) -> dict[str, Any]:
    """The same in a process of its own, with one thread and an empty store."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    with TemporaryDirectory(dir=capture.parent) as store:
        words = [sys.executable, __file__, str(capture), "--solve-into", store]
        run = subprocess.run(words, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Simulate both, solve both, print."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--frames", type=int, default=128)
    asked.add_argument("--size", type=int, default=192)
    asked.add_argument("--solve-into", type=Path, help=argparse.SUPPRESS)
    told = asked.parse_args()
    if told.solve_into is not None:
        print(json.dumps(restored(told.folder, told.solve_into)))
        return
    from tasks.benchmark.simulate import simulate

    told.folder.mkdir(parents=True, exist_ok=True)
    scene = {"n_frames": told.frames, "size_px": told.size, "d_over_r0": 4.0, "photons_peak": 3000.0, "seed": 7}
    found = {}
    for kind, more in KINDS.items():
        film = told.folder.resolve() / f"{kind}-{told.frames}x{told.size}.ser"
        if not film.exists():
            simulate(film, {**scene, **more}, "planet")
        found[kind] = measured(film)
        print("{0}: {total_s:.1f} processor seconds, {peak_gib:.2f} GiB, {sky_db:.1f} dB".format(kind, **found[kind]))
        print("  " + ", ".join(f"{name} {value:.1f}" for name, value in found[kind]["seconds"].items()), flush=True)
    print(f"bayer over mono: {found['bayer']['total_s'] / found['mono']['total_s']:.2f}")


if __name__ == "__main__":
    main()
