"""One holds, the others wait; a claim dies with its process and leaves no files."""

import multiprocessing
import signal
import threading
import time
from pathlib import Path

from storage.claims import claim, claim_if_free

FORK = multiprocessing.get_context("fork")


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
    holder.join(30)
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
    thread.join(30)
    assert order == ["first", "second"]
