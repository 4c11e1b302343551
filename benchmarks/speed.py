"""Processor seconds of two checkouts of stillsky on the same simulated captures, one thread each, one after the other.

    python benchmarks/speed.py FOLDER OLD_CHECKOUT [NEW_CHECKOUT] [--only 600x256 | 2048x128]

Each line: seconds that all processors spent on `stillsky restore` with an empty store, and the sky's dB to the
truth. The captures are simulated by the new checkout (this one, if none is named) and stay in FOLDER.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

SCENES = {
    "600x256": ("--frames", "600", "--size", "256", "--bits", "8", "--seed", "7"),
    "2048x128": ("--frames", "2048", "--size", "128", "--photons", "1000", "--seed", "3"),
}


def stillsky(checkout: Path, store: Path, *words: str) -> float:
    """Run a command of a checkout; its processor seconds."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "STILLSKY_STORE": str(store), "OMP_NUM_THREADS": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "flows.cli", *words], cwd=checkout, env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def quality(report: Path) -> float | None:
    """dB of the sky to the truth, which a simulated capture brings along; None where the report has none."""
    judged = json.loads(report.read_text()).get("truth") or {}
    return judged["solved"]["psnr_db"] if "solved" in judged else None


def main() -> None:
    """Simulate, restore with both, print."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", type=Path)
    asked.add_argument("old", type=Path)
    asked.add_argument("new", type=Path, nargs="?", default=Path(__file__).parents[1])
    asked.add_argument("--only", choices=SCENES)
    told = asked.parse_args()
    told.folder.mkdir(parents=True, exist_ok=True)
    for name, scene in SCENES.items():
        if told.only in (None, name):
            film = told.folder.resolve() / f"{name}.ser"
            with tempfile.TemporaryDirectory(dir=told.folder) as stores:
                if not film.exists():
                    stillsky(told.new.resolve(), Path(stores) / "simulate", "simulate", str(film), *scene)
                spent = []
                for label, checkout in (("old", told.old.resolve()), ("new", told.new.resolve())):
                    out = told.folder.resolve() / f"{name}-{label}"
                    words = ("restore", str(film), "--config", str(film.with_suffix(".toml")), "--out", str(out))
                    spent.append(stillsky(checkout, Path(stores) / label, *words))
                    db, seconds = quality(out / "report.json"), spent[-1]
                    print(f"{name} {label}: {seconds:.1f} processor seconds, sky {db} dB", flush=True)
                print(f"{name}: old over new {spent[0] / spent[1]:.2f}", flush=True)


if __name__ == "__main__":
    main()
