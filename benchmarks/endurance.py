"""Many captures, many nights: what grows when a night has a thousand captures, or when `stillsky serve` runs for long.

    python benchmarks/endurance.py captures --count 1000
    python benchmarks/endurance.py service --minutes 60

`captures` goes through one night of tiny captures, by the command that users type. `service` keeps `stillsky serve` with a cron
that comes due every minute and puts a new capture into its inbox every half minute: an hour holds 60 nights and 120 captures.
Both print a Markdown table of equal parts: seconds per capture, memory, open files, processes, size of Prefect's database.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import itertools

import numpy as np
from kill_subjects import NIGHT_SETTINGS, SETTINGS, Serve

from storage.captures.readers import open_capture
from storage.captures.readers.ser import write_ser
from tasks.benchmark.simulate import simulate

PARTS = 5
"""Rows of the tables."""
SAMPLE_S = 5.0
"""Pause between two looks at the processes."""
CAPTURE_S = 30.0
"""Pause between two captures that come into the inbox."""


@dataclass(frozen=True)
class Sample:
    """What all processes of a run hold at one moment."""

    time: float
    processes: int
    files: int
    memory_mib: float
    largest_mib: float
    """Resident memory of the largest process."""
    database_mb: float


def sample(root: int, database: Path) -> Sample:
    """Look at a process and all its descendants."""
    family = set(_family(root))
    memory = [_resident_mib(pid) for pid in family]
    size = sum(path.stat().st_size for path in database.parent.glob(f"{database.name}*")) / 1e6
    return Sample(time.time(), len(family), sum(map(_files, family)), sum(memory), max(memory, default=0.0), size)


def _family(root: int) -> Iterator[int]:
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(entry.name))
    pending = [root]
    while pending:
        pid = pending.pop()
        yield pid
        pending += parents.get(pid, [])


def _resident_mib(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return 0.0


def _files(pid: int) -> int:
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return 0


def tiny_captures(folder: Path) -> Iterator[Path]:
    """Captures without end: one simulated film with other noise each time, 40 frames of 32 px."""
    settings = {"n_frames": 40, "size_px": 32, "d_over_r0": 3.0, "photons_peak": 8000.0, "seed": 5}
    film, *_ = simulate(folder / "film.ser", settings)
    (folder / "stillsky.toml").write_text(Path(film).with_suffix(".toml").read_text())
    with open_capture(Path(film)) as reader:
        cube = np.concatenate(list(reader.blocks(64)))[:, 0]
    depth = 8 * cube.dtype.itemsize
    dice = np.random.default_rng(1)
    number = 0
    while True:
        number += 1
        path = folder / f"capture{number:05d}.ser"
        write_ser(path, np.clip(cube + dice.integers(0, 3, cube.shape), 0, 2**depth - 1).astype(cube.dtype), depth)
        yield path


def many_captures(folder: Path, count: int) -> None:
    """One night of many captures."""
    work, night = folder / "work", folder / "night"
    work.mkdir()
    night.mkdir()
    made = tiny_captures(work)
    for _ in range(count):
        path = next(made)
        path.rename(night / path.name)
    (work / "stillsky.toml").rename(night / "stillsky.toml")
    words = [sys.executable, "-m", "flows.cli", "night", night, "--store", folder / "store", "--device", "cpu"]
    words += [word for setting in (*SETTINGS, *NIGHT_SETTINGS) for word in ("--set", setting)]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "STILLSKY_"))}
    kept["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])
    begun, seen = time.time(), []
    with (folder / "night.log").open("w") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, env=kept, cwd=folder)
        while process.poll() is None:
            seen.append(sample(process.pid, folder / "store" / "prefect" / "prefect.db"))
            time.sleep(SAMPLE_S)
    done = sorted(path.stat().st_mtime for path in (night / "restored").glob("*/report.json"))
    print(f"exit code {process.returncode}, {len(done)} results of {count} in {time.time() - begun:.0f} s\n")
    print(
        "| captures | seconds per capture | memory of all processes, MiB | largest, MiB | open files | database, MB |"
    )
    print("|---|---|---|---|---|---|")
    for first, last in _parts(len(done)):
        gaps = np.diff(done[max(first - 1, 0) : last])
        while_made = [each for each in seen if done[first] <= each.time <= done[last - 1]] or seen[-1:]
        print(f"| {first + 1} to {last} | {np.mean(gaps):.2f} | {_row(while_made)} |")


def long_service(folder: Path, minutes: float) -> None:
    """A service whose night comes due every minute, with captures coming in all the time."""
    serve = Serve(folder, cron="* * * * *")
    serve.inbox.mkdir()
    work = folder / "work"
    work.mkdir()
    made = tiny_captures(work)
    first = next(made)
    (work / "stillsky.toml").rename(serve.inbox / "stillsky.toml")
    serve.start()
    assert serve.process is not None
    end, due, seen, sent = time.time() + 60 * minutes, 0.0, [], 0
    try:
        while time.time() < end:
            if time.time() > due:
                path = first if sent == 0 else next(made)
                path.rename(serve.inbox / path.name)
                sent, due = sent + 1, time.time() + CAPTURE_S
            seen.append(sample(serve.process.pid, serve.store / "prefect" / "prefect.db"))
            time.sleep(SAMPLE_S)
    finally:
        serve.stop()
    results = len(list((serve.inbox / "restored").glob("*/report.json")))
    nights = len(list((serve.inbox / "restored").glob("**/night*.json")))
    print(f"{minutes:.0f} minutes, {sent} captures came in, {results} results, {nights} night records\n")
    print("| minute | processes | memory of all processes, MiB | largest, MiB | open files | database, MB |")
    print("|---|---|---|---|---|---|")
    for first_row, last in _parts(len(seen)):
        part = seen[first_row:last]
        minute = (part[-1].time - seen[0].time) / 60
        print(f"| to {minute:.0f} | {statistics.median(each.processes for each in part):.0f} | {_row(part)} |")


def _row(seen: list[Sample]) -> str:
    memory = statistics.median(each.memory_mib for each in seen)
    largest = statistics.median(each.largest_mib for each in seen)
    files = statistics.median(each.files for each in seen)
    return f"{memory:.0f} | {largest:.0f} | {files:.0f} | {seen[-1].database_mb:.1f}"


def _parts(count: int) -> Iterator[tuple[int, int]]:
    bounds = [round(count * k / PARTS) for k in range(PARTS + 1)]
    yield from ((first, last) for first, last in itertools.pairwise(bounds) if last > first)


def main() -> None:
    """Run one of the two and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    subjects = parser.add_subparsers(dest="subject", required=True)
    subjects.add_parser("captures").add_argument("--count", type=int, default=1000)
    subjects.add_parser("service").add_argument("--minutes", type=float, default=60.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stillsky-endurance-") as name:
        if given.subject == "captures":
            many_captures(Path(name), given.count)
        else:
            long_service(Path(name), given.minutes)


if __name__ == "__main__":
    main()
