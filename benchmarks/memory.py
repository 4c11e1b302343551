"""Peak memory of the whole command `stillsky restore` against the number and the size of the frames.

    python benchmarks/memory.py FOLDER [--only 1000x256 ...] [--full] [--keep]

Each line: GiB that the command's own process held at most, the same of all its processes together (the private Prefect
server among them; pages that two of them share count twice), the step in which the command's own reached its most,
processor seconds, and GiB of the store. Captures are simulated once and stay in FOLDER, the rows in memory.json.

Memory does not depend on how often a step is repeated. Rows are therefore made with few gradient steps, one start and 64
frames in the first round, so that 20,000 frames take minutes; every step runs, and every frame is solved and part of the
sky. `--full`: the default settings. Frames beyond the first 48 of a capture are those again with other noise.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from storage.captures.readers import open_capture
from storage.captures.readers.ser import write_ser
from storage.results.export import save_json
from tasks.benchmark.simulate import simulate

BASE_FRAMES = 48
"""Simulated; the others are made of them."""
EVERY_S = 0.05
"""Between two looks at the processes."""
CHEAP = (
    "psfs.steps=2",
    "rounds.0.psfs.steps=2",
    "rounds.0.psfs.frames=64",
    "rounds.0.psfs.starts=1",
    "evaluate.steps=2",
)
Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A capture, and what its restore may hold."""

    frames: int
    width: int
    height: int
    channels: int = 1
    target: str = "moon"
    limit_gib: float | None = None

    @property
    def name(self) -> str:
        """As `--only` names it."""
        size = str(self.width) if self.width == self.height else f"{self.width}x{self.height}"
        return f"{self.frames}x{size}{'rgb' if self.channels == 3 else ''}"


CASES = (
    *(Case(frames, 64, 64) for frames in (1000, 4000, 16000)),
    *(Case(frames, 256, 256) for frames in (1000, 4000, 20000)),
    *(Case(frames, 512, 512, 3, limit_gib=1.2) for frames in (45, 150)),
    Case(45, 1280, 960, 3, limit_gib=2.0),
)
LARGEST_FRAME = 1 << 19
"""Pixels from which on a capture is only made of few base frames: simulating them takes a second each."""


def film_of(case: Case, folder: Path) -> Path:
    """The capture as 8 bit SER, its configuration beside it."""
    film = folder / f"{case.name}.ser"
    if not film.exists():
        count = 6 if case.width * case.height > LARGEST_FRAME else min(BASE_FRAMES, case.frames)
        scene = {"n_frames": count, "height_px": case.height, "size_px": case.width, "bits": 8, "seed": 7}
        base = folder / f"base-{case.name}.ser"
        simulate(base, scene, target=case.target)
        shutil.copy(base.with_suffix(".toml"), film.with_suffix(".toml"))
        with open_capture(base) as reader:
            pictures = np.concatenate([block[:, 0] for block in reader.blocks(BASE_FRAMES)])
        write_ser(film, _noisy(pictures, case), 8)
    return film


def _noisy(pictures: np.ndarray, case: Case) -> Iterator[np.ndarray]:
    """The capture's frames (channel, y, x): of each picture again and again, with noise of one code more."""
    dice = np.random.default_rng(1)
    for number in range(case.frames):
        frame = pictures[number % len(pictures)]
        noise = dice.standard_normal((case.channels, *frame.shape), np.float32)
        yield np.clip(np.rint(frame + noise), 0, 255).astype(np.uint8)


@dataclass
class Watched:
    """What the processes of a command hold, looked at while it runs."""

    root: int
    own_kib: int = 0
    tree_kib: int = 0
    step: str = "start"
    """The one that runs, as the command's lines tell."""
    own_by_step: dict[str, int] = field(default_factory=dict)

    def look(self) -> None:
        """Note the most so far."""
        held = {pid: resident_kib(pid) for pid in tree(self.root)}
        own = held.get(self.root, 0)
        self.own_kib, self.tree_kib = max(self.own_kib, own), max(self.tree_kib, sum(held.values()))
        self.own_by_step[self.step] = max(self.own_by_step.get(self.step, 0), own)


def resident_kib(pid: int) -> int:
    """Resident memory of a process; 0 where it has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS:")), 0)


def tree(root: int) -> list[int]:
    """A process and all that descend from it."""
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                todo += [int(word) for word in task.read_text().split()]
            except OSError:
                continue
    return found


def restored(film: Path, folder: Path, full: bool) -> Row:
    """Restore with an empty store, and what it took."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        words = [] if full else [word for each in CHEAP for word in ("--set", each)]
        command = [sys.executable, "-m", "flows.cli", "restore", str(film), "--config", str(film.with_suffix(".toml"))]
        environment = {**os.environ, "STILLSKY_STORE": f"{name}/store", "OMP_NUM_THREADS": "1"}
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        process = subprocess.Popen(
            [*command, "--out", f"{name}/out", *words],
            env=environment,
            cwd=Path(__file__).parents[1],
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        watched = Watched(process.pid)
        said = threading.Thread(target=_follow, args=(process, watched))
        said.start()
        while process.poll() is None:
            watched.look()
            time.sleep(EVERY_S)
        said.join()
        if process.returncode:
            raise SystemExit(f"restore of {film} failed: exit code {process.returncode}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        store = sum(file.stat().st_size for file in Path(name, "store").rglob("*") if file.is_file())
    return {
        "own_gib": watched.own_kib / 2**20,
        "tree_gib": watched.tree_kib / 2**20,
        "most_in": max(watched.own_by_step, key=lambda step: watched.own_by_step[step]),
        "own_gib_before_the_end_of": {step: round(kib / 2**20, 3) for step, kib in watched.own_by_step.items()},
        "processor_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "seconds": time.monotonic() - begun,
        "store_gib": store / 2**30,
    }


def _follow(process: subprocess.Popen[str], watched: Watched) -> None:
    """What was held since the last line belongs to the step that a line says is done."""
    assert process.stderr is not None
    for line in process.stderr:
        label = line.split(":")[0]
        watched.own_by_step[label] = watched.own_by_step.pop(watched.step, 0)
        watched.step = "what follows"
        print("   ", line.rstrip(), file=sys.stderr, flush=True)


def main() -> None:
    """Simulate, restore, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=[case.name for case in CASES])
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--keep", action="store_true", help="keep the captures")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    file = asked.folder / "memory.json"
    rows: dict[str, Row] = json.loads(file.read_text()) if file.exists() else {}
    for case in CASES:
        if asked.only is None or case.name in asked.only:
            film = film_of(case, asked.folder.resolve())
            row = rows[case.name] = restored(film, asked.folder.resolve(), asked.full)
            limit = f", limit {case.limit_gib} GiB" if case.limit_gib else ""
            print(
                f"{case.name}: own {row['own_gib']:.3f} GiB (most in {row['most_in']}), all processes "
                f"{row['tree_gib']:.3f} GiB{limit}; {row['processor_s']:.0f} processor seconds, store {row['store_gib']:.2f} GiB",
                flush=True,
            )
            save_json(file, rows)
            if not asked.keep:
                film.unlink()


if __name__ == "__main__":
    main()
