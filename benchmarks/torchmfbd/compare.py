"""Stillsky beside torchmfbd on the same frames: dB against the truth, seconds, and seconds to the same dB.

    .venv/bin/python benchmarks/torchmfbd/compare.py --theirs /path/to/env/bin/python CASE...

CASE is a folder with capture.ser or capture.fits, telescope.toml and truth.fits (HDU DIFF), or a capture made by
`stillsky simulate`, with its truth and settings beside it. Both solvers get the same luckiest frames, one thread each,
and run alternately, several times, because the machine may be busy: the ratios are more reliable than the seconds.
"""

import argparse
import copy
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from benchmarks.torchmfbd.ours import first_steps
from configs.load import load_config
from storage.results.truth import beside
from storage.store import Store
from tasks.numerics.fourier.canvas import border_level
from tasks.numerics.fourier.shifts import move_whole, split
from tasks.numerics.judging.metrics import match
from tasks.products.clean_frames import clean_frames
from tasks.products.contents import Clean, Stack

HERE = Path(__file__).parent
Image = NDArray[np.float32]
TIMES = ("solve_s", "solve_cpu_s", "whole_s", "whole_cpu_s")
CAMERA_GRID = "sky.scale=1"
"""The truth is on the camera's pixels, and torchmfbd knows no others."""
THEIRS: dict[str, dict[str, Any]] = {
    "joint": {
        "optimization": {"lr_modes": 0.08}, "object1": {"image_filter": "tophat", "cutoff": [0.45, 0.5]},
        "annealing": {"type": "linear", "start_pct": 0.0, "end_pct": 0.6},
    },
    "marginal": {
        "optimization": {"lr_modes": 0.08, "lr_prior": 0.5, "loss_type": "marginal"},
        "object1": {"image_filter": "tophat", "cutoff": [0.9, 0.95]},
        "annealing": {"type": "linear", "start_pct": 0.1, "end_pct": 0.6},
        "priors": {
            "K": {"mean": 1.0, "sigma": 1.0}, "v0": {"mean": 0.1, "sigma": 1.0}, "p": {"mean": 2.0, "sigma": 2.0},
        },
    },
}  # fmt: skip
"""Sections of torchmfbd's configuration by the loss: for 0.9.2 the best found on these cases, for the newer marginal loss
those of its authors' example, but for the filter."""


@dataclass(frozen=True)
class Case:
    """A capture, its settings and its truth."""

    name: str
    capture: Path
    settings: Path
    truth: Image
    """(y, x) the sky through the telescope without atmosphere."""


@dataclass(frozen=True)
class Frames:
    """The luckiest frames of a case, as torchmfbd wants them."""

    aligned: Path
    """npy (frame, y, x): registered by whole pixels, level of the border subtracted, brightness one."""
    filled: bool
    """Whether the sky extends beyond the frame."""


def case_at(path: Path) -> Case:
    """A folder of the independent benchmark, or a simulated capture."""
    if path.is_dir():
        capture = next(p for p in sorted(path.iterdir()) if p.name.startswith("capture."))
        settings, truth = path / "telescope.toml", path / "truth.fits"
    else:
        capture, settings, truth = path, beside(path)["config"], beside(path)["truth"]
    return Case(path.stem, capture, settings, np.asarray(fits.getdata(truth, "DIFF"), np.float32))


def luckiest(case: Case, count: int, folder: Path) -> Frames:
    """Rank and align with stillsky's own first steps; leave the frames for torchmfbd."""
    config, store = load_config(case.settings, overrides=[CAMERA_GRID]), Store(folder / "first")
    done = first_steps(store, case.capture, config, "shift average")
    with store.view(Stack, done["shift average"].product) as found:
        order, moves, stack = found.order[:count], found.shifts[:], found.stack[0]
    with store.view(Clean, done["calibrate"].product) as content:
        light = clean_frames(content).light(order, 0)
    whole, _ = split(moves[order])
    level = border_level(stack)
    light = move_whole(light[:, None], -whole)[:, 0] - np.float32(level)
    filled = level > np.percentile(stack, 1) + 0.1 * np.ptp(stack)
    light = light + np.float32(level if filled else 0)
    np.save(folder / "aligned.npy", light / np.float32(light.max() if not filled else light.mean()))
    return Frames(folder / "aligned.npy", bool(filled))


def theirs(python: str, case: Case, frames: Frames, told: dict[str, Any], folder: Path) -> dict[str, Any]:
    """One solve by torchmfbd."""
    telescope = tomllib.loads(case.settings.read_text())["telescope"]
    request = {"frames": frames.aligned, "folder": folder, "telescope": telescope, "told": told, **told}
    return _run([python, str(HERE / "theirs.py")], case, request, folder / "theirs.npz")


def ours(case: Case, folder: Path, a: argparse.Namespace, steps: int, fresh: bool = True) -> dict[str, Any]:
    """The first round of stillsky's recipe on the capture, whose frames are the same; fresh: from an empty store."""
    with tempfile.TemporaryDirectory(dir=folder) as empty:
        turns = [
            f"rounds.0.psfs.frames={a.frames}",
            "rounds.0.psfs.starts=1",
            f"rounds.0.psfs.steps={steps}",
            CAMERA_GRID,
        ]
        request = {
            "capture": case.capture.absolute(), "settings": case.settings.absolute(), "words": [*turns, *a.set],
            "store": empty if fresh else folder / "first", "threads": a.threads,
        }  # fmt: skip
        return _run([sys.executable, str(HERE / "ours.py")], case, request, folder / "ours.npz")


def _run(command: list[str], case: Case, request: dict[str, Any], answer: Path) -> dict[str, Any]:
    """A process from start to end, and the best of the pictures it leaves."""
    asked = answer.with_suffix(".request")
    asked.write_text(json.dumps({**request, "answer": str(answer)}, default=str))
    environment = {**os.environ, "OMP_NUM_THREADS": str(request["threads"])}
    start, used = time.monotonic(), _children_cpu_s()
    subprocess.run(
        [*command, str(asked)], check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    spent = {"whole_s": time.monotonic() - start, "whole_cpu_s": _children_cpu_s() - used}
    pictures = np.load(answer)
    levels = {name: _db(case, pictures[name]) for name in pictures.files}
    told = json.loads(answer.with_suffix(".json").read_text())
    return {**told, **spent, "db": max(levels.values()), "levels": levels}


def _children_cpu_s() -> float:
    """Processor time of all children that have ended: less affected by other work than wall time."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _db(case: Case, picture: Image) -> float:
    return match(case.truth, np.asarray(picture, np.float32)).psnr_db


def compare(case: Case, a: argparse.Namespace) -> dict[str, Any]:
    """Find the steps with which ours reaches their dB; then run theirs, ours, and ours with those steps, alternately."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        frames = luckiest(case, a.frames, folder)
        told = {
            "threads": a.threads, "steps": a.steps, "modes": a.modes, "sections": _sections(a),
            "apodization_px": min(case.truth.shape) // 8 // 2 * 2 if frames.filled else 0,
        }  # fmt: skip
        theirs(a.theirs, case, frames, {**told, "steps": 2}, folder)  # its basis functions are made once and kept
        turns: list[Any] = []
        load, short, search = [os.getloadavg()[0]], a.our_steps, []
        for _ in range(a.repeats):
            them = theirs(a.theirs, case, frames, told, folder)
            if not turns:
                search = _search(case, folder, a, them["db"])
                short = search[-1]["steps"]
            turns.append((them, ours(case, folder, a, a.our_steps), ours(case, folder, a, short)))
            load.append(os.getloadavg()[0])
    return {
        "case": case.name, "told": told, "steps": [a.steps, a.our_steps, short], "turns": turns, "search": search,
        "load": load,
    }  # fmt: skip


def _sections(a: argparse.Namespace) -> dict[str, Any]:
    """What torchmfbd is told: its settings for a loss, and what the command line changes in them."""
    sections = copy.deepcopy(THEIRS[a.loss])
    for word in a.theirs_set:
        place, value = word.split("=", 1)
        section, key = place.split(".")
        sections[section][key] = json.loads(value)
    return sections


def _search(case: Case, folder: Path, a: argparse.Namespace, wanted: float) -> list[dict[str, Any]]:
    """Ours with ever more steps; the last one reaches `wanted`, if any does."""
    rows: list[dict[str, Any]] = []
    for steps in a.budgets:
        rows.append({"steps": steps, **ours(case, folder, a, steps, fresh=False)})
        if rows[-1]["db"] >= wanted:
            break
    return rows


def lines(found: dict[str, Any]) -> list[str]:
    """The comparison of a case as rows of a Markdown table; seconds and ratios are medians over the repetitions."""
    turns = found["turns"]
    reached = turns[0][2]["db"] >= turns[0][0]["db"]
    told = []
    for k, who in enumerate(("torchmfbd", "stillsky", "stillsky, same dB" if reached else "stillsky, never that dB")):
        times = [_median(turn[k][key] for turn in turns) for key in TIMES]
        faster = [_median(turn[0][key] / turn[k][key] for turn in turns) for key in ("solve_cpu_s", "whole_cpu_s")]
        cells = [f"{turns[0][k]['db']:.1f}", *(f"{t:.1f}" for t in (*times, *faster))]
        told.append(f"| {found['case']} | {who} | {found['steps'][k]} | {' | '.join(cells)} |")
    return told


def _median(values: Iterable[float]) -> float:
    return float(statistics.median(values))


def main() -> None:
    """Compare the cases one after the other; print Markdown, save JSON."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("cases", nargs="+", type=Path)
    ap.add_argument("--theirs", required=True, help="Python of an environment with torchmfbd")
    ap.add_argument("--frames", type=int, default=64)
    ap.add_argument("--loss", choices=list(THEIRS), default="joint", help="torchmfbd's; marginal is not in 0.9.2")
    ap.add_argument("--steps", type=int, default=300, help="torchmfbd's")
    ap.add_argument("--modes", type=int, default=90, help="torchmfbd's")
    ap.add_argument("--theirs-set", nargs="*", default=[], help='settings of torchmfbd: object1.cutoff="[0.9, 0.95]"')
    ap.add_argument("--our-steps", type=int, default=240)
    ap.add_argument("--budgets", type=int, nargs="*", default=[5, 10, 15, 20, 30, 40, 50, 60, 80, 120, 180, 240])
    ap.add_argument("--set", nargs="*", default=[], help="settings of stillsky")
    ap.add_argument("--repeats", type=int, default=3)
    ap.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", "1")))
    ap.add_argument("--json", type=Path)
    a = ap.parse_args()
    print("| case | solver | steps | dB | solve s | its cpu s | whole s | its cpu s | solve: times less cpu | whole |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    table = []
    for path in a.cases:
        table.append(compare(case_at(path), a))
        print(
            "\n".join(lines(table[-1])),
            f"\nload {min(table[-1]['load']):.1f} .. {max(table[-1]['load']):.1f}",
            flush=True,
        )
        if a.json:
            a.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
