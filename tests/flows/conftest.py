"""What tests of the command line share: a small capture, one Prefect server, and a process that answers commands."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from storage.captures.readers.ser import write_ser
from tasks.benchmark.simulate import simulate
from tests.flows.served import Served

QUICK = (
    "align.rounds=2",
    "psfs.modes=20", "rounds.0.psfs.frames=12", "rounds.0.psfs.steps=60", "rounds.0.psfs.starts=1",
    "rounds.1.psfs.steps=10", "evaluate.steps=60",
)  # fmt: skip
"""Settings that solve 40 frames of 64 x 64 pixels in a second or two."""

DESK = """
import contextlib, io, json, resource, sys, traceback
from pathlib import Path
from flows.server import embedded
from flows.cli.main import main
answers, sys.stdout = sys.stdout, sys.stderr
with embedded.server(Path.cwd()):
    embedded.wait_for_server()
    for line in sys.stdin:
        words, largest = json.loads(line)
        out, err, code = io.StringIO(), io.StringIO(), 0
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest or -1, -1))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main(words, prog_name="stillsky")
            except SystemExit as end:
                code = end.code or 0
            except BaseException:
                traceback.print_exc()
                code = 70
        resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
        print(json.dumps([code, out.getvalue(), err.getvalue()]), file=answers, flush=True)
"""
"""Answers command lines as the program would, one after the other: Prefect is imported, and its server started, once."""


FLOWS = """select run.id, run.name, run.state_name, state.message from flow_run run
    left join flow_run_state state on state.id = run.state_id order by run.created"""
TASKS = "select flow_run_id, name, state_name from task_run order by start_time"


@dataclass(frozen=True)
class Answer:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class FlowRun:
    """What Prefect's database says of one run."""

    name: str
    state: str
    message: str
    """What the state tells."""
    tasks: dict[str, str]
    """Task run: name of its state."""


def recorded(home: Path) -> list[FlowRun]:
    """Every flow run in the database of a Prefect home, oldest first."""
    with sqlite3.connect(f"file:{home / 'prefect.db'}?mode=ro", uri=True, timeout=10) as data:
        flows = data.execute(FLOWS).fetchall()
        tasks = data.execute(TASKS).fetchall()
    return [FlowRun(*facts, {t: s for of, t, s in tasks if of == run}) for run, *facts in flows]


@dataclass(frozen=True)
class Desk:
    """A process that runs commands of the command line, all recorded by one Prefect server."""

    process: "subprocess.Popen[str]"
    folder: Path

    def ask(self, *words: str | Path, largest_file_bytes: int = 0) -> Answer:
        """Run one command; files it writes may be no larger than that, 0 is no limit."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([[str(w) for w in words], largest_file_bytes]) + "\n")
        self.process.stdin.flush()
        return Answer(*json.loads(self.process.stdout.readline()))

    def runs(self) -> list[FlowRun]:
        """What Prefect recorded of all flow runs, oldest first."""
        return recorded(self.folder / "prefect")

    def last_run(self) -> FlowRun:
        """What Prefect recorded of the newest flow run."""
        return self.runs()[-1]


@pytest.fixture(scope="session")
def serving() -> type[Served]:
    """Makes a serve on a folder with settings."""
    return Served


@pytest.fixture(scope="session")
def record() -> Callable[[Path], list[FlowRun]]:
    """Reads the database of a Prefect home."""
    return recorded


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """One thread, and nothing of Prefect or of the user's store from outside."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "STILLSKY_"))}
    return {**kept, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def quick() -> list[str]:
    """Words that make a restore quick."""
    return [word for setting in QUICK for word in ("--set", setting)]


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A planet of 64 x 64 pixels in 40 frames; its settings lie beside it as film.toml."""
    path = tmp_path_factory.mktemp("film") / "film.ser"
    simulate(path, {"n_frames": 40, "size_px": 64, "d_over_r0": 4.0, "photons_peak": 8000.0, "seed": 3})
    return path


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[Desk]:
    """Commands answered by one process under one server."""
    folder = tmp_path_factory.mktemp("desk")
    process = subprocess.Popen(
        [sys.executable, "-c", DESK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        cwd=folder,
    )  # fmt: skip
    yield Desk(process, folder)
    assert process.stdin is not None
    process.stdin.close()
    process.wait(600)


@pytest.fixture(scope="session")
def copy(film: Path) -> Callable[..., Path]:
    """Writes the film again with other content: a few counts more in a corner of every frame, and perhaps fewer frames."""
    raw = np.fromfile(film, np.uint8)
    size, depth = (int(raw[at : at + 4].view("<i4")[0]) for at in (26, 34))
    cube = raw[178 : 178 + 40 * size * size * 2].view("<u2").reshape(40, size, size)

    def write(path: Path, number: int, frames: int = 40) -> Path:
        other = cube[:frames].copy()
        other[:, :2, :2] += number
        write_ser(path, other, depth)
        return path

    return write
