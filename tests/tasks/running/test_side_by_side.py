"""Jobs in threads: all are done, errors and interruptions end them soon, and nothing depends on their number."""

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from configs.load import load_config
from storage.product import Product
from storage.store import Store
from tasks.running.dask_jobs import map_jobs
from tasks.running.side_by_side import side_by_side
from tasks.running.step import Run, Work

FOR_A_LONG_TIME = 10_000


def work_of(store: Store, *listeners: Any) -> Work:
    return Work(Run(store, listeners=listeners), Product("toy", "0" * 32), {"inputs": []}, "toy")


def slow(work: Work, job: int) -> None:
    """A job that ends when it is stopped."""
    for done in range(FOR_A_LONG_TIME):
        time.sleep(0.005)
        work.progress(done, FOR_A_LONG_TIME)
    raise AssertionError("was not stopped")


def test_all_jobs_are_done_and_told_in_the_callers_thread(store: Store) -> None:
    done: list[int] = []
    told: list[tuple[float, int, bool]] = []
    here = threading.current_thread()

    def listen(label: str, now: float, total: int) -> None:
        told.append((now, total, threading.current_thread() is here))

    def job(work: Work, number: int) -> None:
        work.progress(1, 2)
        done.append(number)

    side_by_side(work_of(store, listen), job, range(7), 3)
    assert sorted(done) == list(range(7))
    assert told[-1] == (7, 7, True)
    assert all(mine for _, _, mine in told)


def test_an_error_of_one_job_ends_the_others(store: Store) -> None:
    begun: list[int] = []

    def job(work: Work, number: int) -> None:
        begun.append(number)
        if number == 1:
            raise OSError("disk full")
        slow(work, number)

    with pytest.raises(OSError, match="disk full"):
        side_by_side(work_of(store), job, range(50), 2)
    assert len(begun) < 50


def test_an_interruption_ends_the_jobs(store: Store) -> None:
    def interrupted(label: str, done: float, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        side_by_side(work_of(store, interrupted), slow, range(4), 2)
    assert threading.active_count() < 20


def test_psfs_do_not_depend_on_how_many_batches_are_solved_at_a_time(planet: Any, tmp_path: Path) -> None:
    few = ("frames=12", "batch_frames=4", "steps=60", "starts=1")
    settings = load_config(overrides=("psfs.modes=6", *(f"rounds.0.psfs.{word}" for word in few))).rounds[0].psfs
    filmed = planet.elsewhere(tmp_path)
    threads, found = torch.get_num_threads(), []
    try:
        for cores in (1, 3):
            torch.set_num_threads(cores)
            product = filmed.psfs_of(filmed.stack, settings)
            with filmed.store.open(product) as file:
                found.append(file["psfs/0"][()])
            filmed.store.remove(product)
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_allclose(found[1], found[0], rtol=0, atol=1e-5)


def test_a_card_takes_one_job_after_the_other(store: Store) -> None:
    threads: set[str] = set()
    work = Work(Run(store, device="cuda"), Product("toy", "0" * 32), {"inputs": []}, "toy")
    map_jobs(work, lambda work, job: threads.add(threading.current_thread().name), range(4), 2)
    assert threads == {threading.current_thread().name}
