"""Independent jobs of a step in threads of this process, each with its share of the processor's cores."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import TypeVar

import torch

from tasks.running.step import Work

Job = TypeVar("Job")

TOLD_EVERY_S = 0.5
"""Seconds between two reports of progress."""


class Stopped(Exception):
    """Another job failed, or the run was broken off: this one need not go on."""


class Progress:
    """How far each job is. Reporting it is also where a job learns that it has to stop."""

    def __init__(self, jobs: int) -> None:
        """No job has begun."""
        self._done = [0.0] * jobs
        self._stopped = threading.Event()

    def listener(self, job: int) -> Callable[[str, float, int], None]:
        """The listener of one job."""

        def listen(label: str, done: float, total: int) -> None:
            if self._stopped.is_set():
                raise Stopped
            self._done[job] = done / total

        return listen

    def stop(self) -> None:
        """Every job ends at its next report."""
        self._stopped.set()

    @property
    def done(self) -> float:
        """Jobs, with fractions of those that are under way."""
        return sum(self._done)


def side_by_side(work: Work, function: Callable[[Work, Job], None], jobs: Sequence[Job], workers: int) -> None:
    """Call `function(work, job)` for every job, so many at a time; the first error is raised when all have ended.

    Listeners are called in this thread alone. What jobs leave does not depend on how many run at a time.
    """
    progress, cores = Progress(len(jobs)), max(1, torch.get_num_threads() // workers)

    def call(number: int) -> None:
        run = replace(work.run, listeners=(progress.listener(number),))
        function(replace(work, run=run, part_of=None), jobs[number])
        progress.listener(number)(work.label, 1, 1)

    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(cores,)) as pool:
        futures = [pool.submit(call, number) for number in range(len(jobs))]
        try:
            while wait(futures, TOLD_EVERY_S, FIRST_EXCEPTION).not_done and not _failed(futures):
                work.progress(progress.done, len(jobs))
        finally:
            if any(not future.done() for future in futures):
                progress.stop()
                pool.shutdown(wait=False, cancel_futures=True)
    for failed in _failed(futures):
        failed.result()
    work.progress(len(jobs), len(jobs))


def _failed(futures: Sequence[Future[None]]) -> list[Future[None]]:
    """Those that ended with an error of their own."""
    ended = [future for future in futures if future.done() and not future.cancelled()]
    return [future for future in ended if future.exception() and not isinstance(future.exception(), Stopped)]
