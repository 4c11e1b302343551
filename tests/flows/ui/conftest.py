"""Three runs under one Prefect server, and what the Prefect UI is told of them."""

import base64
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from storage.results.truth import beside

NAME = '{a} <img src=x onerror=document.title="owned"> | `x` ](y) **b**\n# c.ser'
"""Somebody's idea of a file name."""

RUNS = """
import sys
from pathlib import Path
from flows.server import embedded
words = sys.argv[1:]
def run(*more):
    from flows.cli.main import main
    main([*words, *more], standalone_mode=False)
with embedded.server(Path.cwd()):
    embedded.wait_for_server()
    from prefect.client.orchestration import SyncPrefectClient
    from flows.ui import artifacts as ui
    ui.MIN_STEP_S, ui.UPDATE_S = 0.0, 0.05
    run()
    run()
    ui._client = lambda: SyncPrefectClient("http://127.0.0.1:9/api")
    run("--set", "rounds.1.sky.air_share=0.5")
"""
"""Three runs: all is to do, nothing is to do, and the last round is to do while nobody takes artifacts."""

HANG_S = 900.0
"""Longest wait for another process; it only ends a hang."""

PNG = re.compile(r"!\[([^\]]*)\]\(data:image/png;base64,([A-Za-z0-9+/=]+)\)")


@dataclass(frozen=True)
class Told:
    """One artifact."""

    id: str
    key: str
    type: str
    data: Any
    description: str
    task: str | None

    @property
    def pictures(self) -> list[bytes]:
        return [base64.b64decode(code) for _, code in PNG.findall(self.data)]


@dataclass(frozen=True)
class Runs:
    """The three runs: the home of the server, and per run its state, its artifacts, and what it logged."""

    home: Path
    names: list[str]
    states: list[str]
    told: list[list[Told]]
    logs: list[str]


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory, film: Path, quick: list[str], environment: dict[str, str]) -> Runs:
    folder = tmp_path_factory.mktemp("artifacts")
    shutil.copy(film, folder / NAME)
    shutil.copy(beside(film)["truth"], beside(folder / NAME)["truth"])
    shutil.copy(beside(film)["config"], folder / "film.toml")
    words = ["restore", str(folder / NAME), "--out", "out `1`", "--store", "store", "--config", "film.toml", *quick]
    words += ["--set", "rounds.1.psfs.batch_frames=12", "--set", "rounds.1.psfs.steps=20"]  # several bars, a good sky
    ended = subprocess.run(
        [sys.executable, "-c", RUNS, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    assert ended.returncode == 0, ended.stderr
    with sqlite3.connect(f"file:{folder / 'prefect' / 'prefect.db'}?mode=ro", uri=True) as data:
        flows = data.execute("select id, name, state_name from flow_run order by created").fetchall()
        artifacts = data.execute(
            """select a.flow_run_id, a.id, a.key, a.type, a.data, a.description, t.name
            from artifact a left join task_run t on t.id = a.task_run_id order by a.created"""
        ).fetchall()
        lines = data.execute("select flow_run_id, message from log").fetchall()
    told = [
        [Told(i, k, t, json.loads(str(d)), w, n) for of, i, k, t, d, w, n in artifacts if of == run]
        for run, _, _ in flows
    ]
    logs = ["\n".join(line for of, line in lines if of == run) for run, _, _ in flows]
    return Runs(folder / "prefect", [n for _, n, _ in flows], [s for _, _, s in flows], told, logs)
