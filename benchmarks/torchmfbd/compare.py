"""Stillsky beside torchmfbd on the same frames: dB against the truth, seconds, and seconds to the same dB.

    .venv/bin/python benchmarks/torchmfbd/compare.py --theirs /path/to/env/bin/python CASE...

CASE is a folder with capture.ser or capture.fits, telescope.toml and truth.fits (HDU DIFF), or a capture made by
`stillsky simulate`, with its truth and settings beside it. Both solvers get the same luckiest frames, one thread each,
and run alternately, several times, because the machine may be busy: the ratios are more reliable than the seconds.
"""

import argparse
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

from configs.load import load_config
from storage.captures.capture import capture_at
from storage.captures.readers import open_capture
from storage.results.truth import beside
from storage.store import Store
from tasks.align import align
from tasks.average import average
from tasks.ingest import ingest
from tasks.numerics.fourier.canvas import border_level
from tasks.numerics.fourier.shifts import move_whole, split
from tasks.numerics.judging.metrics import match
from tasks.products.contents import Stack
from tasks.running.step import Run
from tasks.shift_average import shift_average

HERE = Path(__file__).parent
Image = NDArray[np.float32]
TIMES = ("solve_s", "solve_cpu_s", "whole_s", "whole_cpu_s")
MODES, STEPS, CUTOFF = 90, 300, (0.45, 0.5)
"""torchmfbd's best settings found on these cases."""


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
    config = load_config(case.settings)
    run, capture = Run(Store(folder / "first")), capture_at(case.capture)
    frames = ingest(run, capture, config.ingest)
    mean = average(run, frames, config.average)
    shifts = align(run, frames, mean, config.align)
    first = shift_average(run, frames, mean, shifts, config.telescope, config.shift_average)
    with run.store.view(Stack, first) as found:
        order, moves, stack = found.order[:count], found.shifts[:], found.stack[0]
    with open_capture(case.capture) as reader:
        raw = np.concatenate(list(reader.blocks(32)))[order]
    whole, _ = split(moves[order])
    light = move_whole(raw.astype(np.float32), -whole)[:, 0] - np.float32(border_level(stack))
    filled = border_level(stack) > np.percentile(stack, 1) + 0.1 * np.ptp(stack)
    light = light + np.float32(border_level(stack) if filled else 0)
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
            "rounds.0.sky.cg_iterations=4",
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
            "threads": a.threads, "steps": a.steps, "modes": a.modes, "cutoff": list(a.cutoff), "lr_modes": a.lr,
            "image_filter": a.filter, "start_pct": a.anneal[0], "end_pct": a.anneal[1],
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
    ap.add_argument("--steps", type=int, default=STEPS, help="torchmfbd's")
    ap.add_argument("--our-steps", type=int, default=300)
    ap.add_argument("--modes", type=int, default=MODES)
    ap.add_argument("--cutoff", type=float, nargs=2, default=CUTOFF)
    ap.add_argument("--lr", type=float, default=0.08)
    ap.add_argument("--anneal", type=float, nargs=2, default=(0.0, 0.6))
    ap.add_argument("--filter", default="tophat", choices=["tophat", "scharmer"])
    ap.add_argument("--budgets", type=int, nargs="*", default=[10, 15, 20, 30, 40, 60, 80, 120, 180, 300])
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
