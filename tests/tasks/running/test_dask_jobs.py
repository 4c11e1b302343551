"""map_jobs: a cluster of real worker processes gives what one machine gives, even when one of them is killed."""

import contextlib
import copy
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tasks.running.dask_jobs
from configs.load import load_config
from configs.schema import Psfs
from storage.errors import Hopeless, StillskyError, StoreError
from storage.product import Product
from storage.store import Store
from tasks.numerics.psf_models.table import PSF_MODELS
from tasks.running.dask_jobs import connected, map_jobs
from tasks.running.step import Run, Work

ROOT = Path(__file__).parents[3]
WORKER = ("worker", "--no-nanny", "--nthreads", "1", "--no-dashboard")


class Cluster:
    """A scheduler and its workers, each a process."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", self.file)
        self.workers: list[subprocess.Popen[bytes]] = []

    def _start(self, *words: str | Path) -> subprocess.Popen[bytes]:
        quiet = {"DASK_LOGGING__DISTRIBUTED": "error", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        environment = {**os.environ, **quiet, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "dask", *map(str, words)]
        return subprocess.Popen(command, cwd=self.folder, env=environment, stderr=subprocess.DEVNULL)

    def with_workers(self, count: int) -> str:
        """Start what lacks to so many workers; the scheduler's address when they are there."""
        from distributed import Client

        self.workers = [each for each in self.workers if each.poll() is None]
        for _ in range(count - len(self.workers)):
            self.workers.append(self._start(*WORKER, "--scheduler-file", self.file))
        with Client(scheduler_file=str(self.file), timeout=600, set_as_default=False) as client:
            if count:
                client.wait_for_workers(count, timeout=600)
            return str(client.scheduler.address)

    def end(self) -> None:
        for process in (*self.workers, self.scheduler):
            kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.end()


@pytest.fixture
def cluster(started: Cluster) -> Cluster:
    """A scheduler with two workers."""
    started.with_workers(2)
    return started


@pytest.fixture
def address(cluster: Cluster) -> str:
    """Where the scheduler is."""
    return cluster.with_workers(2)


@pytest.fixture(scope="module")
def alone(planet: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Psfs, dict[str, Any]]:
    """A capture, the settings of five batches of six segments, and what one machine makes of them."""
    few = ("frames=15", "batch_frames=3", "steps=300", "starts=1")
    both = ("psfs.modes=6", *(f"rounds.0.psfs.{word}" for word in few))
    settings = load_config(overrides=both).rounds[0].psfs
    filmed = planet.elsewhere(tmp_path_factory.mktemp("alone"))
    return filmed, settings, arrays(filmed.store, filmed.psfs_of(filmed.stack, settings))


def arrays(store: Store, product: Product) -> dict[str, Any]:
    names = ("frames", "psfs/0", "A/0", "B/0", "frame_power", "misfits")
    with store.open(product) as file:
        return {name: file[name][()] for name in names}


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    for name, values in one.items():
        np.testing.assert_allclose(
            other[name], values, rtol=1e-4, atol=1e-5 * float(np.abs(values).max()), err_msg=name
        )


def work_of(run: Run, *inputs: Product) -> Work:
    recipe = {"inputs": [[p.step, p.key] for p in inputs]}
    return Work(run, Product("toy", "0" * 32), recipe, "toy round 1")


def on(filmed: Any, cluster: Any, listener: Any) -> Any:
    """The same capture, its steps run on a cluster."""
    other = copy.copy(filmed)
    other.run = replace(filmed.run, cluster=cluster, listeners=(listener,))
    return other


def no_job(work: Work, job: int) -> None:
    """A job that is not to be begun."""
    raise AssertionError(job)


def closed_port() -> int:
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_without_a_cluster_jobs_are_done_here_in_order(store: Store) -> None:
    done: list[int] = []
    told: list[tuple[str, int, int]] = []
    with connected(None) as nothing:
        run = Run(store, cluster=nothing, listeners=(lambda *news: told.append(news),))
        map_jobs(work_of(run), lambda work, job: done.append(job), [3, 1, 2])
    assert done == [3, 1, 2]
    assert told == [("toy round 1", 1, 3), ("toy round 1", 2, 3), ("toy round 1", 3, 3)]


def test_a_cluster_gives_what_one_machine_gives(alone: Any, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    filmed, settings, wanted = alone
    before = filmed.psfs_of(filmed.stack, settings)
    filmed.store.remove(before)
    monkeypatch.setitem(PSF_MODELS, "pupil", None)  # whoever solves, it is not this process
    told: list[tuple[str, int, int]] = []
    with connected(address) as cluster:
        product = on(filmed, cluster, lambda *news: told.append(news)).psfs_of(filmed.stack, settings)
    assert product == before, "the cluster is no part of the key"
    assert_same(wanted, arrays(filmed.store, product))
    assert told == [*(("solve psfs", k, 5) for k in range(1, 6)), ("solve psfs", 1, 1)]
    assert not filmed.store.parts(product).exists()


def test_a_killed_worker_costs_nothing_that_was_left(alone: Any, cluster: Cluster, address: str) -> None:
    filmed, settings, wanted = alone
    product = filmed.psfs_of(filmed.stack, settings)
    filmed.store.remove(product)
    victim, parts = cluster.workers[0], filmed.store.parts(product)
    left: dict[Path, int] = {}
    kept: list[bool] = []

    def kill_in_the_middle() -> None:
        while not left and victim.poll() is None:
            left.update({path: path.stat().st_ino for path in parts.glob("[!.]*.h5")})
        kill(victim)

    def tell(label: str, done: int, total: int) -> None:
        if done == total == 5:  # all is done, and the journal is still there
            kept.extend(path.stat().st_ino == number for path, number in left.items())

    killer = threading.Thread(target=kill_in_the_middle)
    with connected(address) as connection:
        killer.start()
        assert on(filmed, connection, tell).psfs_of(filmed.stack, settings) == product
    killer.join()
    assert victim.returncode == -signal.SIGKILL
    assert kept
    assert all(kept), "a segment that was left as a part is not made again"
    assert_same(wanted, arrays(filmed.store, product))


def test_a_worker_that_does_not_see_the_store_is_told(store: Store, address: str) -> None:
    strange = Product("ingest", "f" * 32)
    with connected(address) as cluster, pytest.raises(StoreError, match=rf"tcp://.*does not find.*{store.root}.*mount"):
        map_jobs(work_of(Run(store, cluster=cluster), strange), no_job, [1])


def test_a_scheduler_that_does_not_answer_is_told_with_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.running.dask_jobs, "ANSWER_S", 0.5)
    nobody = f"tcp://127.0.0.1:{closed_port()}"
    with (
        pytest.raises(StillskyError, match=f"{nobody}.*no Dask scheduler answered.*dask scheduler"),
        connected(nobody),
    ):
        raise AssertionError("nothing is begun")


def test_nonsense_is_no_address() -> None:
    with pytest.raises(Hopeless, match=r"carrier-pigeon://loft.*no address"), connected("carrier-pigeon://loft"):
        pass


def test_nothing_is_asked_of_a_cluster_where_there_is_nothing_to_do(
    store: Store, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scattered: list[tuple[object, ...]] = []
    monkeypatch.setattr(tasks.running.dask_jobs, "_scatter", lambda *asked: scattered.append(asked))
    with connected(address) as cluster:
        map_jobs(work_of(Run(store, cluster=cluster)), no_job, [])
        assert scattered == []


def test_what_is_wrong_with_a_cluster_is_told(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.running.dask_jobs, "ANSWER_S", 1)
    monkeypatch.setattr(tasks.running.dask_jobs, "PATIENCE_S", 1)
    cluster = Cluster(tmp_path)
    try:
        address = cluster.with_workers(0)
        with pytest.raises(StillskyError, match=f"{address}.*no worker.*dask worker {address}"), connected(address):
            raise AssertionError("nothing is begun")
        other = tmp_path / "stillsky-9.9.dist-info"  # a process looks in the folder where it was started first
        other.mkdir()
        (other / "METADATA").write_text("Metadata-Version: 2.1\nName: stillsky\nVersion: 9.9\n")
        cluster.with_workers(1)
        with pytest.raises(Hopeless, match=r"tcp://.* has stillsky 9\.9, here it is .* install"), connected(address):
            raise AssertionError("nothing is begun")
        kill(cluster.workers[0])
        shutil.rmtree(other)
        cluster.with_workers(1)
        with connected(address) as connection:
            work = work_of(Run(store, cluster=connection))
            kill(cluster.workers[0])
            with pytest.raises(StillskyError, match=f"all workers of the cluster {address} are gone"):
                map_jobs(work, no_job, [1])
            kill(cluster.scheduler)
            with pytest.raises(StillskyError, match=f"connection to the Dask scheduler {address} was lost"):
                map_jobs(work, no_job, [1])
    finally:
        cluster.end()
