"""stillsky serve, killed anywhere or cancelled: it goes on, and captures queue for one device."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flows.served import PATIENCE_S

SLOW = (
    "align.rounds=2",
    "psfs.modes=20", "rounds.0.psfs.frames=40", "rounds.0.psfs.steps=600", "rounds.0.psfs.batch_frames=8",
    "rounds.1.psfs.steps=60", "rounds.1.psfs.batch_frames=8", "evaluate.steps=8",
)  # fmt: skip
"""Settings with a solve of some ten seconds, in parts that are kept: time to be killed in."""


@pytest.fixture
def own(serving: Any, tmp_path: Path, environment: dict[str, str]) -> Iterator[Any]:
    """A serve of the test's own, with captures that take a while."""
    one = serving(tmp_path, SLOW, environment).start()
    yield one
    one.stop()


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["run", "worker", "server", "serve"])
def test_killed_it_goes_on_and_nothing_is_left_running(own: Any, film: Path, victim: str) -> None:
    run = own.begin(film)
    own.until(own.solving, "it does not come to the solve")
    family = own.family()
    os.kill(own.pid(victim), signal.SIGKILL)
    if victim == "serve":
        assert own.process is not None
        own.process.wait()
        own.until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family), "orphans are left")
        own.start()
    own.until(lambda: own.state(run) == "Completed", "it does not complete")
    for kind in ("flow_runs", "task_runs"):
        assert own.ask(f"{kind}/filter", **{kind: {"state": {"type": {"any_": ["RUNNING", "PENDING"]}}}}) == []
    assert (own.folder / "out" / "sky.fits").exists()


@pytest.mark.slow
def test_cancelled_in_the_ui_it_stops_and_goes_on_later(own: Any, film: Path) -> None:
    run = own.begin(film)
    own.until(own.solving, "it does not come to the solve")
    own.ask(f"flow_runs/{run}/set_state", state={"type": "CANCELLING", "name": "Cancelling"})
    start = time.monotonic()
    own.until(lambda: own.state(run) == "Cancelled", "it does not stop")
    print(f"cancelled after {time.monotonic() - start:.1f} s")
    own.until(lambda: "run" not in own.family().values(), "its process does not end")
    assert list((own.folder / "store").glob("**/.*.tmp")) == []
    kept = {p: p.stat().st_mtime_ns for p in (own.folder / "store").glob("solve_psfs/*.parts/*.h5")}
    assert kept
    again = own.begin(film)
    own.until(lambda: own.state(again) == "Completed", "it does not go on")
    names = {t["name"]: t["state_name"] for t in own.ask("task_runs/filter", flow_runs={"id": {"any_": [again]}})}
    assert names["ingest"] == names["align"] == "Cached"
    assert own.state(run) == "Cancelled"


@pytest.mark.slow
def test_ten_captures_queue_for_one_device(
    serving: Any, tmp_path: Path, environment: dict[str, str], quick: list[str], copy: Any
) -> None:
    """All at once: one computes, the others wait and say for whom, each is restored once."""
    one = serving(tmp_path, tuple(quick[1::2]), environment, ("--at-once", "10")).start()
    try:
        films = [copy(tmp_path / f"c{number}.ser", number, 20) for number in range(10)]
        runs = [one.ask(f"deployments/{one.deployment('capture')['id']}/create_flow_run", parameters={"request": {
            "capture": str(film), "out": str(tmp_path / film.stem), "store": str(tmp_path / "store"),
            "overrides": list(one.settings)}})["id"] for film in films]  # fmt: skip
        waited, most, end = False, 0, time.monotonic() + 4 * PATIENCE_S
        while (names := [one.state(run) for run in runs]).count("Completed") < 10:
            assert time.monotonic() < end, names
            waited |= "Waiting" in names
            limits = {limit["name"]: limit["active_slots"] for limit in one.ask("v2/concurrency_limits/filter")}
            most = max(most, limits["stillsky-cpu"])
            time.sleep(0.2)
        assert (waited, most) == (True, 1)
        assert len(list((tmp_path / "store" / "evaluate").glob("*.h5"))) == 10
    finally:
        one.stop()
