"""Locks that end with their process: held, refused, freed by kill -9, waited for in words."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from storage.errors import StoreError
from storage.locks import holder, is_held, one_of, take, tell

HOLD = """
import sys
from pathlib import Path
from storage.locks import take
assert take(Path(sys.argv[1]), "jupiter.ser") is not None
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "locks" / "cuda.lock"


def held_by_another(lock: Path) -> "subprocess.Popen[str]":
    words = [sys.executable, "-c", HOLD, str(lock)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_lock_is_taken_once(lock: Path) -> None:
    descriptor = take(lock, "serve")
    assert descriptor is not None
    assert take(lock, "another") is None
    assert is_held(lock)
    tell(descriptor, "http://127.0.0.1:4200/api")
    assert holder(lock) == f"process {os.getpid()} (http://127.0.0.1:4200/api)"
    os.close(descriptor)
    assert not is_held(lock)


def test_a_killed_process_holds_nothing(lock: Path) -> None:
    other = held_by_another(lock)
    assert is_held(lock)
    assert holder(lock) == f"process {other.pid} (jupiter.ser)"
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert not is_held(lock)
    descriptor = take(lock, "next")
    assert descriptor is not None
    os.close(descriptor)


def test_waiting_is_told_once_and_ends_with_the_holder(lock: Path) -> None:
    other = held_by_another(lock)
    told: list[str] = []

    def waiting(who: str) -> None:
        told.append(who)
        other.kill()
        other.wait()

    with one_of([lock], "mine", waiting) as path:
        assert path == lock
        assert is_held(lock)
    assert told == [f"process {other.pid} (jupiter.ser)"]
    assert not is_held(lock)


def test_of_two_places_the_free_one_is_taken(tmp_path: Path) -> None:
    places = [tmp_path / "cpu-0.lock", tmp_path / "cpu-1.lock"]

    def no_wait(who: str) -> None:
        raise AssertionError(who)

    with one_of(places, "a", no_wait) as first, one_of(places, "b", no_wait) as second:
        assert [first, second] == places


def test_a_lock_that_was_never_taken_is_free(lock: Path) -> None:
    assert not is_held(lock)
    assert holder(lock) == "another process"


def test_a_lock_that_cannot_be_made_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"the lock .* cannot be made"):
        take(tmp_path / "file" / "x.lock", "x")
