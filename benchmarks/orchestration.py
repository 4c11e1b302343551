"""Cost of Prefect: seconds per capture and per task run, seconds of artifacts for the UI, bytes of its database per capture.

    python benchmarks/orchestration.py FOLDER

Simulates a capture of 160 px in FOLDER (empty or not there), restores it under an embedded server, first with an empty store,
then with nothing to do, and runs flows of empty tasks. Figures are medians; repeat the run on a busy machine.
"""

import argparse
import sqlite3
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flows.server import embedded
from storage.product import Product
from storage.store import Store, clock
from tasks.benchmark.simulate import simulate

REPEATS = 5
TASKS = (1, 41)
"""Numbers of empty tasks in a flow: the slope between them is what a task costs."""


def main() -> None:
    """Measure everything; print one line per figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    film, *_ = simulate(folder / "film.ser", {"n_frames": 120, "size_px": 160, "seed": 1})
    started = clock()
    with embedded.server(folder):
        embedded.wait_for_server()
        _line("start of an embedded server on a new database, s", started())
        from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            _captures(film.absolute(), folder.absolute())
            _tasks(Store(folder / "empty"))
            embedded.send_logs()


def _captures(film: Path, folder: Path) -> None:
    from configs.load import load_config
    from configs.request import CaptureRequest
    from flows.capture import capture, publish_result
    from flows.recipe import restore_capture
    from flows.ui import artifacts
    from storage.captures.capture import capture_at
    from tasks.running.step import Run

    told = _timed(artifacts.RunArtifacts, "_try")
    request = CaptureRequest(capture=film, out=folder / "out", store=folder / "store", config=film.with_suffix(".toml"))
    before, elapsed = _bytes(folder), clock()
    capture(request)
    seconds, after = elapsed(), _bytes(folder)
    _line("first restore, s", seconds)
    _line("  of it artifacts for the UI, s", sum(told))
    _line("  Prefect's database, kB", (after[0] - before[0]) / 1e3)
    _line("  of it artifacts (and the newest of each key), kB", (after[1] - before[1]) / 1e3)
    told.clear()
    flow = _median(lambda: capture(request))
    _line("nothing to do: as a flow, s", flow)
    _line("  of it artifacts for the UI, s", sum(told) / REPEATS)
    last = _bytes(folder)
    _line("  Prefect's database, kB", (last[0] - after[0]) / 1e3 / REPEATS)
    _line("  of it artifacts, kB", (last[1] - after[1]) / 1e3 / REPEATS)
    config, store = load_config(request.config), Store(folder / "store")

    def plain() -> None:
        found = capture_at(film)
        publish_result(store, restore_capture(Run(store), found, config), found, config, folder / "out")

    _line("nothing to do: without Prefect, s", _median(plain))


def _tasks(store: Store) -> None:
    """Seconds per empty task: the slope over their number."""
    from prefect import flow
    from prefect.runtime import flow_run

    from tasks.running.prefect_task import perform
    from tasks.running.step import Run, Work

    @flow
    def empty(tasks: int) -> None:
        for number in range(tasks):
            perform(Work(Run(store), Product("empty", str(number)), {}, "empty"), 0, lambda: None)
        embedded.wait_until_recorded(str(flow_run.id), tasks)

    few, many = (_median(lambda n=n: empty(n)) for n in TASKS)
    _line("a flow with one empty task, recorded, s", few)
    _line("every further task, recorded, ms", 1000 * (many - few) / (TASKS[1] - TASKS[0]))


def _timed(owner: Any, name: str) -> list[float]:
    """The list receives the duration of every call of a method from now on."""
    method, durations = getattr(owner, name), list[float]()

    def timed(*args: Any) -> Any:
        elapsed = clock()
        try:
            return method(*args)
        finally:
            durations.append(elapsed())

    setattr(owner, name, timed)
    return durations


def _median(call: Callable[[], Any]) -> float:
    seconds = []
    for _ in range(REPEATS):
        elapsed = clock()
        call()
        seconds.append(elapsed())
    return statistics.median(seconds)


def _bytes(folder: Path) -> tuple[int, int]:
    """Of Prefect's database without its free pages; of the data of artifacts in it."""
    with sqlite3.connect(f"file:{folder / 'prefect' / 'prefect.db'}?mode=ro", uri=True, timeout=30) as data:
        pages, free, size = (
            data.execute(f"pragma {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        tables = ("artifact", "artifact_collection")
        shown = [data.execute(f"select coalesce(sum(length(data)), 0) from {table}").fetchone()[0] for table in tables]
    return (pages - free) * size, sum(shown)


def _line(what: str, value: float) -> None:
    print(f"{what:52}{value:9.2f}", flush=True)


if __name__ == "__main__":
    main()
