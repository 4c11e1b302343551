"""What is killed: processes that restore, publish, or go through a night, and `stillsky serve` with its children."""

import contextlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

HANG_S = 600.0
"""Longest wait for anything; it only ends a hang."""
SETTINGS = (
    "align.rounds=2", "psfs.modes=20", "rounds.0.psfs.frames=12", "rounds.0.psfs.steps=60", "rounds.0.psfs.starts=1",
    "rounds.1.psfs.batch_frames=12", "rounds.1.psfs.steps=20", "evaluate.steps=20",
)  # fmt: skip
"""A solve of a second or two, in several parts that are kept."""
NIGHT_SETTINGS = ("night.settle_s=0", "night.poll_s=0.1", "night.spare_gb=0")
PUBLISHING = "publishing"


@dataclass(frozen=True)
class Job:
    """One process to run: its function, and what that is given."""

    work: Callable[..., None]
    given: dict[str, Any]


@dataclass(frozen=True)
class Life:
    """How a process was killed, or that it came to its end."""

    inside: str
    """What it was doing; empty: it ended by itself."""
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each thing took that it did."""


def restore(pipe: Connection, film: Path, store: Path, out: Path) -> None:
    """Restore and publish one capture, as `stillsky restore` does, without Prefect; tells what it is about to do."""
    import torch

    from configs.load import load_config
    from flows.capture import publish_result
    from flows.recipe import restore_capture
    from storage.captures.capture import capture_at
    from storage.store import Store
    from tasks.running.step import Run

    torch.set_num_threads(1)
    kept = Store(store)
    kept.sweep()

    def perform(work: Any, retries: int, make: Callable[[], None]) -> None:
        if not kept.has(work.product):
            pipe.send(work.label)
        make()

    config = load_config(film.with_suffix(".toml"), overrides=SETTINGS)
    capture = capture_at(film)
    result = restore_capture(Run(kept, performer=perform), capture, config)
    pipe.send(PUBLISHING)
    publish_result(kept, result, capture, config, out)
    pipe.send("")


def night(pipe: Connection, folder: Path, store: Path) -> None:
    """Go through a night as `stillsky night` does, under the server that the environment names; tells what it does."""
    import torch
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    import flows.capture
    import flows.night
    from configs.request import NightRequest
    from flows.server import embedded

    torch.set_num_threads(1)
    perform, publish_result = flows.capture.perform, flows.capture.publish_result

    def perform_and_tell(work: Any, *given: Any) -> None:
        if not work.store.has(work.product):
            pipe.send(work.label)
        perform(work, *given)

    def publish_and_tell(*given: Any) -> Any:
        pipe.send(PUBLISHING)
        report = publish_result(*given)
        pipe.send("between captures")
        return report

    vars(flows.capture).update(perform=perform_and_tell, publish_result=publish_and_tell)
    pipe.send("between captures")
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        summary = flows.night.night(
            NightRequest(folder=folder, store=store, device="cpu", overrides=(*SETTINGS, *NIGHT_SETTINGS))
        )
        embedded.send_logs()
    assert summary["state"] == "done", summary
    pipe.send("")


def prepare() -> None:
    """Let processes be forked from one that has imported everything: a start then costs little."""
    modules = ["flows.recipe", "flows.capture", "flows.night", "astropy.io.fits", "kill_ledger"]
    multiprocessing.get_context("forkserver").set_forkserver_preload(modules)


def run(job: Job, due: Callable[[str], float | None] = lambda _: None) -> Life:
    """Run a job; when it begins what `due` gives a delay for, it is killed that many seconds later."""
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=job.work, args=(theirs,), kwargs=job.given)
    process.start()
    theirs.close()
    doing, begun, end = "", time.monotonic(), None
    seconds: dict[str, float] = {}
    while end is None or (left := end - time.monotonic()) > 0:
        if not ours.poll(HANG_S if end is None else left):
            assert end is not None, f"hangs in {doing or 'its start'}"
            break
        now = time.monotonic()
        seconds[doing] = now - begun
        try:
            doing, begun = ours.recv(), now
        except EOFError:
            process.join(HANG_S)
            raise AssertionError(f"ended in {doing or 'its start'} with {process.exitcode}") from None
        if not doing:
            process.join(HANG_S)
            assert process.exitcode == 0, process.exitcode
            return Life("", seconds)
        if (delay := due(doing)) is not None:  # drawn again where a step was done before its moment came
            end = now + delay
    process.kill()
    process.join(HANG_S)
    return Life(doing if process.exitcode == -signal.SIGKILL else "", seconds)


@dataclass
class Serve:
    """A `stillsky serve` with an inbox, in a folder of its own."""

    folder: Path
    cron: str = ""
    """When its night runs come due; empty: never."""
    process: "subprocess.Popen[str] | None" = None

    @property
    def inbox(self) -> Path:
        """The watched folder."""
        return self.folder / "inbox"

    @property
    def store(self) -> Path:
        """Where the products are."""
        return self.folder / "store"

    def start(self) -> None:
        """Start it; returns when it says where it serves."""
        self.inbox.mkdir(parents=True, exist_ok=True)
        words = [
            sys.executable,
            "-m",
            "flows.cli",
            "serve",
            "--inbox",
            self.inbox,
            "--store",
            self.store,
            "--port",
            "0",
        ]
        words += ["--cron", self.cron, "--timezone", "UTC", "--device", "cpu"]
        words += [word for setting in (*SETTINGS, *NIGHT_SETTINGS) for word in ("--set", setting)]
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "STILLSKY_"))}
        kept |= {"PYTHONPATH": str(Path(__file__).resolve().parents[1]), "OMP_NUM_THREADS": "1"}
        with (self.folder / "serve.log").open("a") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log, text=True, env=kept, cwd=self.folder)
        self.until(lambda: {"server", "worker"} <= set(self.family().values()), "serve does not start")

    def stop(self) -> None:
        """End it with SIGTERM, and wait until none of its processes is left."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(HANG_S)
        self.until(lambda: not self.family(), "processes are left")

    def kill(self, victim: str) -> bool:
        """Kill one of its processes, or itself, and start it again then; False where there is none."""
        assert self.process is not None
        chosen = [self.process.pid, *(pid for pid, kind in self.family().items() if kind == victim)][-1]
        if chosen == self.process.pid and victim != "serve":
            return False
        try:
            os.kill(chosen, signal.SIGKILL)
        except ProcessLookupError:
            return False
        if victim == "serve":
            self.process.wait(HANG_S)
            self.until(lambda: not self.family(), "orphans are left")
            self.start()
        return True

    def family(self) -> dict[int, str]:
        """Its living child processes: number, and what each is."""
        return dict(_children_of(self.store / "prefect"))

    def until(self, done: Callable[[], object], what: str) -> None:
        """Return when it is so."""
        end = time.monotonic() + HANG_S
        while not done():
            assert time.monotonic() < end, what
            time.sleep(0.05)


def _children_of(home: Path) -> Iterator[tuple[int, str]]:
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if "flows.service.child_process" not in words:
                continue
            if f"PREFECT_HOME={home}\0".encode() in (entry / "environ").read_bytes():
                yield int(entry.name), words[words.index("flows.service.child_process") + 1]


def captures(film: Path, folder: Path, count: int) -> list[Path]:
    """Copies of a capture with other content: its frames turned and mirrored."""
    import numpy as np

    from storage.captures.readers.ser import write_ser

    raw = np.fromfile(film, np.uint8)
    width, height, depth = (int(raw[at : at + 4].view("<i4")[0]) for at in (26, 30, 34))
    frames = (len(raw) - 178) // (width * height * 2)
    cube = raw[178 : 178 + frames * width * height * 2].view("<u2").reshape(frames, height, width)
    paths = []
    for number in range(count):
        paths.append(folder / f"capture{number}.ser")
        write_ser(paths[-1], np.rot90(cube, number, axes=(1, 2)).copy(), depth)
        shutil.copy(film.with_suffix(".toml"), paths[-1].with_suffix(".toml"))
    return paths
