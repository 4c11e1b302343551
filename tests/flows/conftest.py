"""What tests of the command line share: a small capture, one Prefect server, and a process that answers commands."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows import embedded
from flows.simulate import simulate

QUICK = (
    "align.rounds=2",
    "rounds.0.psfs.modes=20", "rounds.0.psfs.frames=12", "rounds.0.psfs.steps=60",
    "rounds.1.psfs.modes=20", "rounds.1.psfs.steps=10", "evaluate.steps=8",
)  # fmt: skip
"""Settings that solve 40 frames of 64 x 64 pixels in a second or two."""
SETS = [word for setting in QUICK for word in ("--set", setting)]

DESK = """
import contextlib, io, json, resource, sys
from flows.cli import main
answers, sys.stdout = sys.stdout, sys.stderr
for line in sys.stdin:
    words, largest = json.loads(line)
    out, err, code = io.StringIO(), io.StringIO(), 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest or -1, -1))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(words, prog_name="stillsky")
        except SystemExit as end:
            code = end.code or 0
        except BaseException as error:
            import traceback
            traceback.print_exc()
            code = 70
    resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
    print(json.dumps([code, out.getvalue(), err.getvalue()]), file=answers, flush=True)
"""
"""Answers command lines as the program would, one after the other, so that Prefect is imported once."""


@dataclass(frozen=True)
class Answer:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Desk:
    """A process that runs commands of the command line, all recorded by one Prefect server."""

    process: "subprocess.Popen[str]"
    home: Path
    """Prefect's home: its database is there."""

    def ask(self, *words: str | Path, largest_file_bytes: int = 0) -> Answer:
        """Run one command; files it writes may be no larger than that, 0 is no limit."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([[str(w) for w in words], largest_file_bytes]) + "\n")
        self.process.stdin.flush()
        return Answer(*json.loads(self.process.stdout.readline()))


def environment(**more: str) -> dict[str, str]:
    """One thread, and nothing of Prefect or of the user's store from outside."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "STILLSKY_"))}
    return {**kept, "OMP_NUM_THREADS": "1", **more}


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A planet of 64 x 64 pixels in 40 frames; its settings lie beside it as film.toml."""
    path = tmp_path_factory.mktemp("film") / "film.ser"
    simulate(path, {"n_frames": 40, "size_px": 64, "d_over_r0": 4.0, "photons_peak": 8000.0, "seed": 3})
    return path


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Commands answered by one process under one server."""
    root = tmp_path_factory.mktemp("desk")
    before = dict(os.environ)
    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.startswith("PREFECT_")]:
            patch.delenv(name)
        lent = embedded.server(root)
        lent.__enter__()
        theirs = {k: v for k, v in os.environ.items() if k.startswith("PREFECT_")}
        url = theirs["PREFECT_API_URL"]
        embedded.wait_for_server()
        for name in theirs:
            os.environ.pop(name)
    os.environ.update(before)
    process = subprocess.Popen(
        [sys.executable, "-c", DESK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=environment(**theirs), cwd=root,
    )  # fmt: skip
    yield Desk(process, root / "prefect")
    assert process.stdin is not None
    process.stdin.close()
    process.wait(30)
    os.environ["PREFECT_API_URL"] = url
    lent.__exit__(None, None, None)


def states(home: Path, run: str = "") -> list[dict[str, Any]]:
    """What Prefect's database says of task runs (name, state, flow run's number), oldest flow run first."""
    import sqlite3

    with sqlite3.connect(f"file:{home / 'prefect.db'}?mode=ro", uri=True) as data:
        flows = data.execute("select id, name, state_name from flow_run order by created").fetchall()
        tasks = data.execute("select name, state_type, state_name, flow_run_id from task_run").fetchall()
    return [
        {
            "name": name,
            "state": state,
            "tasks": {t: s for t, _, s, of in tasks if of == number},
            "final": all(
                kind in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") for _, kind, _, of in tasks if of == number
            ),
        }
        for number, name, state in flows
        if name.startswith(run)
    ]
