"""`stillsky serve` as real processes: on demand, on schedule, from the inbox; killed anywhere, it goes on."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PATIENCE_S = 120.0
SLOW = (
    "align.rounds=2",
    "rounds.0.psfs.modes=20", "rounds.0.psfs.frames=40", "rounds.0.psfs.steps=600", "rounds.0.psfs.batch_frames=8",
    "rounds.1.psfs.modes=20", "rounds.1.psfs.steps=60", "rounds.1.psfs.batch_frames=8", "evaluate.steps=8",
)  # fmt: skip
"""Settings with a solve of some ten seconds, in parts that are kept: time to be killed in."""


@dataclass
class Served:
    """A `stillsky serve` on a store of its own."""

    folder: Path
    settings: tuple[str, ...]
    environment: dict[str, str]
    lines: list[str] = field(default_factory=list)
    process: "subprocess.Popen[str] | None" = None

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    @property
    def words(self) -> list[str]:
        given = ["night.settle_s=0", "night.look_s=0.1", "night.spare_gb=0", *self.settings]
        return [
            sys.executable, "-m", "flows.cli", "serve", "--inbox", str(self.inbox), "--store",
            str(self.folder / "store"), "--port", "0", "--timezone", "Europe/Berlin",
            *(word for setting in given for word in ("--set", setting)),
        ]  # fmt: skip

    def start(self) -> "Served":
        """Start it, and return when it says where it serves."""
        self.inbox.mkdir(exist_ok=True)
        self.lines.clear()
        log = (self.folder / "said.log").open("a")
        self.process = subprocess.Popen(
            self.words, stdout=subprocess.PIPE, stderr=log, text=True, env=self.environment, cwd=self.folder
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith("night "):
                return self
        raise AssertionError(f"{self.lines} {(self.folder / 'said.log').read_text()}")

    def stop(self, how: int = signal.SIGTERM) -> None:
        """End it, and wait until nothing of it is left."""
        assert self.process is not None
        family = self.family()
        self.process.send_signal(how)
        self.process.wait(PATIENCE_S)
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family), "processes are left")

    @property
    def api(self) -> str:
        return next(re.findall(r"http://\S+", line)[0] for line in self.lines if line.startswith("UI"))

    def ask(self, path: str, **body: Any) -> Any:
        """One call of Prefect's API."""
        data = json.dumps(body).encode() if body or path.endswith("/filter") else None
        request = urllib.request.Request(f"{self.api}/api/{path}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def deployment(self, flow: str) -> Any:
        return self.ask(f"deployments/name/{flow}/stillsky")

    def begin(self, film: Path) -> str:
        """Ask for a capture, as the UI would; returns the run's number."""
        wanted = {"capture": str(film), "out": str(self.folder / "out"), "store": str(self.folder / "store")}
        body = {"parameters": {"request": {**wanted, "words": list(self.settings)}}}
        return str(self.ask(f"deployments/{self.deployment('capture')['id']}/create_flow_run", **body)["id"])

    def state(self, run: str) -> str:
        """Name of a run's state; empty while the server does not answer."""
        try:
            return str(self.ask(f"flow_runs/{run}")["state_name"])
        except OSError:
            return ""

    def solving(self) -> bool:
        """Is a solve in the middle of its parts?"""
        return any(len(list(p.glob("0*.h5"))) for p in (self.folder / "store").glob("solve_psfs/*.parts"))

    def family(self) -> dict[int, str]:
        """Every process of this serve: number, and what it is."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().decode().split("\0")
                home = f"PREFECT_HOME={self.folder / 'store' / 'prefect'}\0".encode()
                if "flows.child" in words and home in (entry / "environ").read_bytes():
                    found[int(entry.name)] = words[words.index("flows.child") + 1]
            except OSError:
                continue
        return found

    def pid(self, kind: str) -> int:
        """The process that is the server, the worker, a run or serve itself."""
        if kind == "serve":
            assert self.process is not None
            return self.process.pid
        until(lambda: kind in self.family().values(), f"no {kind}")
        return next(pid for pid, what in self.family().items() if what == kind)


def until(done: Callable[[], object], what: str) -> None:
    """Return when it is so."""
    end = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < end, what
        time.sleep(0.1)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str], quick: list[str]) -> Iterator[Served]:
    one = Served(tmp_path_factory.mktemp("served"), tuple(quick[1::2]), environment).start()
    yield one
    one.stop()


@pytest.fixture
def own(tmp_path: Path, environment: dict[str, str]) -> Iterator[Served]:
    """A serve of the test's own, with captures that take a while."""
    one = Served(tmp_path, SLOW, environment).start()
    yield one
    one.stop()


def test_it_says_where_it_serves_and_when_the_night_runs(served: Served) -> None:
    assert served.lines[0].startswith("UI       http://127.0.0.1:")
    assert f"inbox    {served.inbox}" in served.lines
    assert re.fullmatch(r"night    next run \d{4}-\d\d-\d\d 08:00 Europe/Berlin", served.lines[-1])


def test_it_listens_on_this_machine_only(served: Served) -> None:
    """By the kernel's table: local address, state 0A is listening."""
    port = f"{int(served.api.rsplit(':', 1)[1]):04X}"
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    listening = [row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{port}")]
    assert listening == [f"0100007F:{port}"]


def test_the_night_gets_scheduled_runs(served: Served) -> None:
    """The pinned versions of Prefect's own libraries matter here: with others the scheduler silently does nothing."""
    night = served.deployment("night")
    assert night["schedules"][0]["schedule"]["cron"] == "0 8 * * *"
    assert night["parameters"]["request"]["folder"] == str(served.inbox)

    def scheduled() -> Any:
        return served.ask("flow_runs/filter", flow_runs={"deployment_id": {"any_": [night["id"]]}})

    until(scheduled, "no run was scheduled")
    assert {run["state_name"] for run in scheduled()} == {"Scheduled"}


def test_the_form_is_typed(served: Served) -> None:
    deployment = served.deployment("capture")
    form = deployment["parameter_openapi_schema"]["definitions"]["CaptureRequest"]["properties"]
    assert form["device"]["enum"] == ["auto", "cpu", "cuda"]
    assert form["device"]["description"]
    wrong = {"capture": "a.ser", "out": "out", "device": "abacus"}
    with pytest.raises(urllib.error.HTTPError) as refused:
        served.ask(f"deployments/{deployment['id']}/create_flow_run", parameters={"request": wrong})
    assert refused.value.code in (409, 422)


def test_a_capture_in_the_inbox_is_restored(served: Served, film: Path) -> None:
    shutil.copy(film, served.inbox / "film.part")
    (served.inbox / "film.part").rename(served.inbox / "film.ser")
    out = served.inbox / "restored" / "film_ser"
    until((out / "report.json").exists, "no result")
    capture = {"any_": [served.deployment("capture")["id"]]}

    def states() -> list[str]:
        return [run["state_name"] for run in served.ask("flow_runs/filter", flow_runs={"deployment_id": capture})]

    until(lambda: states() == ["Completed"], "the run does not end")
    limits = served.ask("v2/concurrency_limits/filter")
    (cpu,) = [limit for limit in limits if limit["name"] == "stillsky-cpu"]
    assert (cpu["limit"], cpu["active_slots"]) == (1, 0)


@pytest.mark.slow
def test_a_hopeless_capture_fails_once_with_the_reason(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "broken.ser"
    path.write_bytes(b"no capture at all")
    run = served.begin(path)
    until(lambda: served.state(run) == "Failed", "it does not fail")
    told = served.ask(f"flow_runs/{run}")
    assert "not a SER capture" in told["state"]["message"]
    assert told["run_count"] == 1


@pytest.mark.slow
def test_a_command_on_the_same_store_joins_the_server(served: Served, film: Path, quick: list[str]) -> None:
    words = [sys.executable, "-m", "flows.cli", "restore", str(film), "--out", str(served.folder / "by hand"), *quick]
    words += ["--store", str(served.folder / "store")]
    subprocess.run(words, env=served.environment, check=True, capture_output=True, timeout=PATIENCE_S)
    runs = served.ask("flow_runs/filter", flow_runs={"deployment_id": {"is_null_": True}})
    assert [(run["name"], run["state_name"]) for run in runs] == [("film.ser", "Completed")]


def test_two_on_one_store_are_refused(served: Served) -> None:
    done = subprocess.run(served.words, env=served.environment, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 1
    assert "is served already, by process" in done.stderr
    assert str(served.process and served.process.pid) in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["run", "worker", "server", "serve"])
def test_killed_it_goes_on_and_nothing_is_left_running(own: Served, film: Path, victim: str) -> None:
    run = own.begin(film)
    until(own.solving, "it does not come to the solve")
    family = own.family()
    os.kill(own.pid(victim), signal.SIGKILL)
    if victim == "serve":
        assert own.process is not None
        own.process.wait()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family), "orphans are left")
        own.start()
    until(lambda: own.state(run) == "Completed", "it does not complete")
    for kind in ("flow_runs", "task_runs"):
        assert own.ask(f"{kind}/filter", **{kind: {"state": {"type": {"any_": ["RUNNING", "PENDING"]}}}}) == []
    assert (own.folder / "out" / "sky.fits").exists()


@pytest.mark.slow
def test_cancelled_in_the_ui_it_stops_and_goes_on_later(own: Served, film: Path) -> None:
    run = own.begin(film)
    until(own.solving, "it does not come to the solve")
    own.ask(f"flow_runs/{run}/set_state", state={"type": "CANCELLING", "name": "Cancelling"})
    start = time.monotonic()
    until(lambda: own.state(run) == "Cancelled", "it does not stop")
    print(f"cancelled after {time.monotonic() - start:.1f} s")
    until(lambda: "run" not in own.family().values(), "its process does not end")
    assert list((own.folder / "store").glob("**/.*.tmp")) == []
    kept = {p: p.stat().st_mtime_ns for p in (own.folder / "store").glob("solve_psfs/*.parts/*.h5")}
    assert kept
    again = own.begin(film)
    until(lambda: own.state(again) == "Completed", "it does not go on")
    names = {t["name"]: t["state_name"] for t in own.ask("task_runs/filter", flow_runs={"id": {"any_": [again]}})}
    assert names["ingest"] == names["align"] == "Cached"
    assert own.state(run) == "Cancelled"
