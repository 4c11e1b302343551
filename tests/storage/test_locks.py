"""Locks that end with their process: held, refused, freed by kill -9, waited for in words; claims leave no files."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from storage.errors import StoreError
from storage.locks import annotate, claim, claim_if_free, holder, is_held, one_of, take

HOLD = """
import sys
from pathlib import Path
from storage.locks import take
assert take(Path(sys.argv[1]), "jupiter.ser") is not None
print("held", flush=True)
sys.stdin.read()
"""
FORK = multiprocessing.get_context("fork")


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
    annotate(descriptor, "http://127.0.0.1:4200/api")
    assert holder(lock).startswith(f"process {os.getpid()} (http://127.0.0.1:4200/api), since 20")
    os.close(descriptor)
    assert not is_held(lock)


def test_a_killed_process_holds_nothing(lock: Path) -> None:
    other = held_by_another(lock)
    assert is_held(lock)
    assert holder(lock).startswith(f"process {other.pid} (jupiter.ser), since 20"), "whose it is, and since when"
    assert holder(lock).endswith(f": -c {lock}"), "the command that holds it"
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
    assert [who.partition(", since")[0] for who in told] == [f"process {other.pid} (jupiter.ser)"]
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


def _add(lock: Path, counter: Path, turns: int) -> None:
    for _ in range(turns):
        with claim(lock, "the counter"):
            number = int(counter.read_text())
            time.sleep(0.001)
            counter.write_text(str(number + 1))


def _hold(lock: Path, ready: Path) -> None:
    with claim(lock, "it"):
        ready.touch()
        signal.pause()


def test_no_two_at_a_time(tmp_path: Path) -> None:
    lock, counter = tmp_path / "claims" / "a.lock", tmp_path / "counter"
    counter.write_text("0")
    workers = [FORK.Process(target=_add, args=(lock, counter, 20)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert counter.read_text() == "80"
    assert list(lock.parent.iterdir()) == []


def test_a_claim_dies_with_its_process(tmp_path: Path) -> None:
    lock, ready = tmp_path / "a.lock", tmp_path / "ready"
    holder = FORK.Process(target=_hold, args=(lock, ready))
    holder.start()
    while not ready.exists():
        time.sleep(0.005)
    with claim_if_free(lock) as mine:
        assert not mine
    holder.kill()
    holder.join(600)
    assert lock.exists()
    with claim_if_free(lock) as mine:
        assert mine
    assert not lock.exists()


def test_threads_exclude_each_other(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    order = []

    def second() -> None:
        with claim(lock, "it"):
            order.append("second")

    with claim(lock, "it"):
        thread = threading.Thread(target=second)
        thread.start()
        order.append("first")
    thread.join(600)
    assert order == ["first", "second"]


def test_looking_at_a_lock_takes_it_from_nobody(lock: Path) -> None:
    """Who looks holds the lock for an instant; a run that starts just then must not believe that another is at it."""
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            is_held(lock)
            over.wait(0.001)

    descriptor = take(lock, "first")
    assert descriptor is not None
    os.close(descriptor)
    watchers = [threading.Thread(target=look) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    try:
        for _ in range(200):
            descriptor = take(lock, "mine")
            assert descriptor is not None
            os.close(descriptor)
    finally:
        over.set()
        for watcher in watchers:
            watcher.join(600)


def test_many_that_look_do_not_take_each_other_for_holders(lock: Path) -> None:
    descriptor = take(lock, "first")
    assert descriptor is not None
    os.close(descriptor)
    seen: list[bool] = []
    watchers = [threading.Thread(target=lambda: seen.extend(is_held(lock) for _ in range(50))) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    for watcher in watchers:
        watcher.join(600)
    assert seen == [False] * 100


def test_a_link_in_place_of_a_lock_is_not_followed(lock: Path, tmp_path: Path) -> None:
    lock.parent.mkdir()
    precious = tmp_path / "precious"
    precious.write_text("mine")
    lock.symlink_to(precious)
    with pytest.raises(StoreError, match=r"the lock .* cannot be made"):
        take(lock, "x")
    assert precious.read_text() == "mine"


def test_a_full_disk_leaves_the_note_out(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*words: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with claim(lock, "it"):
        assert is_held(lock)
        assert holder(lock) == "another process"
