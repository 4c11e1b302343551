"""Independent jobs of a step: one after the other in this process, or side by side on a Dask cluster sharing the store."""

import contextlib
import ctypes
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

from storage.errors import Hopeless, StillskyError, StoreError
from storage.product import Product
from tasks.running.devices import pick_device
from tasks.running.step import Run, Work

Job = TypeVar("Job")

ANSWER_S = 5
"""How long a scheduler may take to answer, and its first worker to be there, seconds."""
KEPT_MEMORY = ((-3, 2**25), (-1, 2**28))
"""glibc's M_MMAP_THRESHOLD and M_TRIM_THRESHOLD with their values, bytes."""
PATIENCE_S = 60
"""How long jobs wait for a worker when all have gone, seconds; a nanny restarts one within a few."""


@dataclass(frozen=True)
class Cluster:
    """A Dask scheduler that this process is connected to."""

    address: str
    client: Any


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[Cluster | None]:
    """Lend the Dask cluster at `address`, None where none is asked for; one that does not answer is an error at once."""
    if address is None:
        yield None
        return
    with contextlib.closing(_client(address)) as client:
        _check(client, address)
        yield Cluster(address, client)


def map_jobs(work: Work, function: Callable[[Work, Job], None], jobs: Sequence[Job]) -> None:
    """Call `function(work, job)` for every job; what jobs leave are parts of the step's journal.

    The function is one of a module, the jobs can be pickled, and no job needs what another leaves: on a cluster they run
    in other processes, in any order, and again where a worker died.
    """
    if work.run.cluster is not None and jobs:
        _scatter(work.run.cluster, work, function, jobs)
        return
    for done, job in enumerate(jobs):
        function(replace(work, part_of=(done, len(jobs))), job)
        work.progress(done + 1, len(jobs))


def _client(address: str) -> Any:
    from distributed import Client  # costs a second, and who needs no cluster need not pay it

    try:
        return Client(address, timeout=ANSWER_S, set_as_default=False, asynchronous=False)
    except ValueError as error:
        raise Hopeless(f"--dask {address}: no address of a Dask scheduler ({error}), e.g. tcp://host:8786") from None
    except OSError:
        raise StillskyError(
            f"--dask {address}: no Dask scheduler answered within {ANSWER_S} s; start one with `dask scheduler` and "
            f"`dask worker {address}`, or leave --dask out"
        ) from None


def _check(client: Any, address: str) -> None:
    """Is there a worker, and is everywhere the same stillsky? Only then jobs can be read there, and mean the same."""
    try:
        client.wait_for_workers(1, timeout=ANSWER_S)
    except OSError:
        raise StillskyError(
            f"--dask {address}: the scheduler had no worker within {ANSWER_S} s; start some with `dask worker {address}`"
        ) from None
    ours = version("stillsky")
    found = client.run(version, "stillsky", on_error="return")
    try:
        found[address] = client.run_on_scheduler(version, "stillsky")
    except PackageNotFoundError as error:
        found[address] = error
    for process, theirs in found.items():
        if theirs != ours:
            has = f"stillsky {theirs}" if isinstance(theirs, str) else "no stillsky"
            raise Hopeless(f"--dask {address}: {process} has {has}, here it is {ours}; install the same there")


def _scatter(cluster: Cluster, work: Work, function: Callable[[Work, Job], None], jobs: Sequence[Job]) -> None:
    """Have all jobs done by the cluster's workers; the first error of a job is raised, the rest is called off."""
    # Stopwatch, listeners, performer and client cannot be pickled, and a job does not use them.
    sent = replace(work, run=Run(work.store), elapsed=time.monotonic)
    with cluster.client.as_current(), _explained(cluster.address):
        futures = [cluster.client.submit(_on_worker, sent, function, job, pure=False) for job in jobs]
        for done, future in enumerate(_finished(cluster, futures), start=1):
            future.result()
            work.progress(done, len(jobs))


@contextlib.contextmanager
def _explained(address: str) -> Iterator[None]:
    """What goes wrong with a cluster, in words that say what to do."""
    from distributed import KilledWorker

    try:
        yield
    except KilledWorker as error:
        raise StillskyError(
            f"{error.allowed_failures + 1} workers of the cluster {address} died over the same job, the last was "
            f"{error.last_worker.address}; their logs say why, too little memory wants a smaller psfs.batch_frames"
        ) from None
    except CancelledError:
        raise StillskyError(
            f"the connection to the Dask scheduler {address} was lost; see that it runs, then run the same command again, "
            "what is done is kept"
        ) from None


def _finished(cluster: Cluster, futures: list[Any]) -> Iterator[Any]:
    """The futures as they are done. Without a worker they never would be: that is told after a while."""
    from distributed import wait

    waiting, last_worker_at = set(futures), time.monotonic()
    while waiting:
        try:
            done, waiting = wait(waiting, timeout=ANSWER_S, return_when="FIRST_COMPLETED")
        except TimeoutError:
            done = set()
            if cluster.client.status != "running":
                raise CancelledError from None
        if done or cluster.client.scheduler_info(n_workers=1).get("workers"):
            last_worker_at = time.monotonic()
        elif time.monotonic() - last_worker_at > PATIENCE_S:
            raise StillskyError(
                f"all workers of the cluster {cluster.address} are gone for {PATIENCE_S} s; start one with "
                f"`dask worker {cluster.address}` and run the same command again, what is done is kept"
            )
        yield from done


def _on_worker(work: Work, function: Callable[[Work, Job], None], job: Job) -> None:
    """One job in a worker's process, on the worker's own device."""
    if not all(work.store.has(Product(*each)) for each in work.recipe["inputs"]):
        from distributed import get_worker

        raise StoreError(
            f"the Dask worker {get_worker().address} does not find this step's inputs in the store {work.store.root}; "
            "mount the same folder there under the same path, or stop that worker"
        )
    _keep_freed_memory()
    function(replace(work, run=replace(work.run, device=pick_device("auto"))), job)


def _keep_freed_memory() -> None:
    """Have the C library keep the memory of freed arrays for the next ones.

    Dask sets MALLOC_TRIM_THRESHOLD_ for its workers, so that every array is given back to the system and taken anew, page by
    page: a solve takes twice as long.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
        library = ctypes.CDLL(None)
        for parameter, size in KEPT_MEMORY:
            library.mallopt(parameter, size)
