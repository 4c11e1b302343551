"""Prefect's records in a real PostgreSQL, set by one option of serve: a capture restored, nothing in SQLite."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT_MAY_NOT = (
    "nobody else to run PostgreSQL as: it refuses root, and there is no user postgres (apt install postgresql)"
)


def _programs() -> Path | None:
    """The folder of initdb and pg_ctl: Debian keeps them out of PATH."""
    found = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((p for p in [*folders, *([Path(found).parent] if found else [])] if (p / "initdb").exists()), None)


def _as_postgres() -> list[str] | None:
    """How to become somebody PostgreSQL runs as; None where that cannot be."""
    if os.getuid() != 0:
        return []
    known = subprocess.run(["id", "postgres"], capture_output=True).returncode == 0
    return ["runuser", "-u", "postgres", "--"] if known and shutil.which("runuser") else None


@pytest.fixture
def database() -> Iterator[str]:
    """A new PostgreSQL, and the address that Prefect wants."""
    programs, become = _programs(), _as_postgres()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (apt install postgresql)")
    if become is None:
        pytest.skip(ROOT_MAY_NOT)
    folder = Path(tempfile.mkdtemp(prefix="stillsky-pg-"))
    if become:
        shutil.chown(folder, "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def call(program: str, *words: str) -> None:
        done = subprocess.run([*become, str(programs / program), *words], capture_output=True, text=True, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr

    data = str(folder / "data")
    call("initdb", "-D", data, "-U", "prefect", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder} -c fsync=off"
    call("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        call("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "prefect", "prefect")
        yield f"postgresql+asyncpg://prefect@127.0.0.1:{port}/prefect"
    finally:
        call("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_a_capture_is_restored_and_recorded(
    database: str, serving: Any, tmp_path: Path, film: Path, quick: list[str], environment: dict[str, str]
) -> None:
    served = serving(tmp_path, tuple(quick[1::2]), environment, ("--database", database)).start()
    try:
        run = served.begin(film)
        served.until(lambda: served.state(run) == "Completed", "it does not complete")
        assert len(served.ask("task_runs/filter")) == 10
    finally:
        served.stop()
    assert not (tmp_path / "store" / "prefect" / "prefect.db").exists()
    assert (tmp_path / "out" / "sky.fits").exists()
    served.start()
    try:
        assert served.state(run) == "Completed"
    finally:
        served.stop()
