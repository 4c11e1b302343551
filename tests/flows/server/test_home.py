"""Prefect's home: a store that takes nothing is reported with the cause, logs follow no links, no lock is left."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from flows.server import home
from flows.server.home import check_room, open_log, run_lock, sweep_run_locks
from storage.errors import StoreError
from storage.locks import take


def test_a_store_with_room_is_left_as_it_was(tmp_path: Path) -> None:
    check_room(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_too_little_room_is_said_with_the_amount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home.shutil, "disk_usage", lambda path: SimpleNamespace(free=5e6))
    with pytest.raises(StoreError, match=r"has 5 MB free, and Prefect's records need 32 MB; make room"):
        check_room(tmp_path)


@pytest.mark.parametrize("number", [28, 30, 13])
def test_a_disk_that_refuses_is_said_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*given: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(home.os, "write", refuse)
    with pytest.raises(StoreError, match=f"cannot be written: {os.strerror(number)}; make room"):
        check_room(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], capture_output=True).returncode:
        pytest.skip("file systems can only be mounted by root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_real_full_and_a_real_read_only_disk(small_disk: Path) -> None:
    with pytest.raises(StoreError, match="MB free"):
        check_room(small_disk)
    with contextlib.suppress(OSError), (small_disk / "filler").open("wb", 0) as file:
        while True:
            file.write(bytes(4096))
    with pytest.raises(StoreError, match="cannot be written: No space left on device"):
        check_room(small_disk)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StoreError, match="Read-only file system"):
        check_room(small_disk)


def test_a_log_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "server.log").symlink_to(tmp_path / "precious")
    with pytest.raises(StoreError, match="remove it"):
        open_log(tmp_path / "server.log")
    assert (tmp_path / "precious").read_text() == "mine"
    with open_log(tmp_path / "worker.log") as log:
        log.write(b"a")
    with open_log(tmp_path / "worker.log") as log:
        log.write(b"b")
    assert (tmp_path / "worker.log").read_text() == "ab"


def test_locks_of_dead_runs_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    descriptors = [take(run_lock(tmp_path, name), name) for name in ("dead", "living")]
    assert None not in descriptors
    os.close(descriptors[0])  # type: ignore[arg-type]
    sweep_run_locks(tmp_path)
    assert [p.name for p in (tmp_path / "runs").iterdir()] == ["living.lock"]
    os.close(descriptors[1])  # type: ignore[arg-type]
