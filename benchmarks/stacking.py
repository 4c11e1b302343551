"""Stacking alone (ingest to shift_average) against PlanetarySystemStacker on the same SER: frames per processor second.

    python -m venv PSS; PSS/bin/pip install planetary-system-stacker==0.9.8.2; PSS/bin/pip install numpy==1.26.4
    python benchmarks/stacking.py FOLDER --pss PSS/bin/python [--frames 600] [--size 320x240]

An environment of its own, because PlanetarySystemStacker pins an old numpy (which its own scikit-image does not load; the
second line mends that). One thread each. Both stack the whole and the first half of a capture; the difference is what the
other half costs, without imports and start. A planet (`-m Planet`) and a Moon (`-m Surface`), its defaults otherwise: the
best tenth of the frames at alignment points. stillsky without Prefect, as the recipe calls its steps.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks.memory import Case, film_of
from configs.load import load_config
from storage.captures.capture import capture_at
from storage.captures.readers import open_capture
from storage.captures.readers.ser import write_ser
from storage.store import Store
from tasks.align import align
from tasks.average import average
from tasks.calibrate import calibrate
from tasks.ingest import ingest
from tasks.running.step import Run
from tasks.shift_average import shift_average

MODES = {"planet": "Planet", "moon": "Surface"}
"""Target: how PlanetarySystemStacker registers the frames."""
WITHOUT_PSS = "not measured: name its Python with --pss"


def stack(film: Path, store: Path) -> None:
    """The steps up to the shift-average, one thread."""
    torch.set_num_threads(1)
    config, run, capture = load_config(film.with_suffix(".toml")), Run(Store(store)), capture_at(film)
    frames = ingest(run, capture, config.ingest)
    mean = average(run, frames, config.average)
    clean = calibrate(run, frames, mean)
    shifts = align(run, clean, config.align)
    shift_average(run, clean, mean, shifts, config.telescope, config.shift_average)


def half_of(film: Path) -> tuple[Path, int]:
    """The first half of a capture as one of its own, and how many frames it has."""
    half = film.with_name(f"half-{film.name}")
    with open_capture(film) as reader:
        count = (reader.header.frames or 0) // 2
        frames = (frame for block in reader.blocks(64) for frame in block)
        write_ser(half, (frame for _, frame in zip(range(count), frames, strict=False)), 8)
    half.with_suffix(".toml").write_bytes(film.with_suffix(".toml").read_bytes())
    return half, count


def spent(command: list[str], folder: Path) -> float:
    """Processor seconds of a command, one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "QT_QPA_PLATFORM": "offscreen"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[1]) if command[0] == sys.executable else ""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def pss_script(python: Path) -> str:
    """Where PlanetarySystemStacker's command line is."""
    find = "import importlib.util as u; print(u.find_spec('planetary_system_stacker').submodule_search_locations[0])"
    folder = subprocess.run([str(python), "-c", find], check=True, capture_output=True, text=True).stdout.strip()
    return f"{folder}/planetary_system_stacker.py"


def main() -> None:
    """Simulate, stack with both, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pss", type=Path, help="Python of an environment with PlanetarySystemStacker")
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--stack", nargs=2, type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.stack:
        stack(*asked.stack)
        return
    asked.folder.mkdir(parents=True, exist_ok=True)
    width, height = (int(n) for n in asked.size.split("x"))
    for target, mode in MODES.items():
        (asked.folder / target).mkdir(exist_ok=True)
        film = film_of(Case(asked.frames, width, height, target=target), (asked.folder / target).resolve())
        half, count = half_of(film)
        more = asked.frames - count
        with tempfile.TemporaryDirectory(dir=asked.folder) as stores:
            own = [sys.executable, __file__, str(asked.folder), "--stack"]
            seconds = [
                spent([*own, str(each), f"{Path(stores).resolve()}/{each.stem}"], Path.cwd()) for each in (film, half)
            ]
        ours = more / (seconds[0] - seconds[1])
        theirs: str | float = WITHOUT_PSS
        if asked.pss:
            program = [str(asked.pss.absolute()), pss_script(asked.pss), "-m", mode]
            seconds = [spent([*program, each.name], film.parent) for each in (film, half)]
            theirs = more / (seconds[0] - seconds[1])
            print(f"{target}: stillsky {ours:.0f}, PlanetarySystemStacker {theirs:.0f} frames/s: {ours / theirs:.2f}")
        else:
            print(f"{target}: stillsky {ours:.0f} frames/s, PlanetarySystemStacker {theirs}")


if __name__ == "__main__":
    main()
