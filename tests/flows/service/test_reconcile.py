"""What a crash left, put right: fabricated runs on a real server (half a minute, nearly all of it the server's start)."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Cancelling, Completed, Crashed, Failed, Pending, Running, Scheduled
from prefect.testing.utilities import prefect_test_harness

from flows.server.home import run_lock
from flows.service import reconcile
from flows.service.reconcile import Runs, run_name
from storage.locks import take


@flow(name="night")
def night() -> None:
    """Never runs here."""


@pytest.fixture(scope="module")
def client() -> Iterator[SyncPrefectClient]:
    with prefect_test_harness(server_startup_timeout=600), get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def deployment(client: SyncPrefectClient) -> UUID:
    return client.create_deployment(client.create_flow(night), name=uuid4().hex, entrypoint="flows.night.night")


@pytest.fixture
def runs(client: SyncPrefectClient, deployment: UUID, tmp_path: Path) -> Runs:
    return Runs(client, tmp_path, [deployment])


def made(runs: Runs, *states: "State[Any]") -> FlowRun:
    """A run that went through these states."""
    run = runs.client.create_flow_run_from_deployment(runs.deployments[0])
    for state in states:
        runs.client.set_flow_run_state(run.id, state, force=True)
    return run


def state_of(runs: Runs, run: FlowRun) -> tuple[str, str]:
    state = runs.client.read_flow_run(run.id).state
    assert state is not None
    return str(state.name), state.message or ""


@pytest.mark.parametrize("states", [(Running(),), (Pending(),), (Running(), Crashed(message="terminated"))])
def test_what_was_under_way_when_serve_was_killed_goes_on(runs: Runs, states: Any) -> None:
    run = made(runs, *states)
    (told,) = runs.recover("stillsky serve was killed")
    assert "resumed" in told
    name, message = state_of(runs, run)
    assert name == "Resuming"
    assert message.startswith("interrupted: stillsky serve was killed")
    assert runs.recover("again") == []


def test_a_run_whose_process_lives_is_left_alone(runs: Runs, tmp_path: Path) -> None:
    run = made(runs, Running())
    descriptor = take(run_lock(tmp_path, str(run.id)), "run")
    assert descriptor is not None
    assert runs.recover("serve was killed") == []
    assert state_of(runs, run)[0] == "Running"
    os.close(descriptor)


def test_what_was_being_cancelled_is_cancelled(runs: Runs) -> None:
    run = made(runs, Running(), Cancelling())
    runs.recover("serve was killed")
    assert state_of(runs, run)[0] == "Cancelled"


def test_what_was_cancelled_or_done_or_has_failed_stays_so(runs: Runs) -> None:
    run = made(runs, Running(), Completed())
    assert runs.recover("serve was killed") == []
    assert state_of(runs, run)[0] == "Completed"


def test_while_the_worker_lives_only_its_own_word_counts(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run under way may be about to take its lock; one that has just crashed is still in the worker's books."""
    under_way, crashed = made(runs, Running()), made(runs, Running(), Crashed(message="exit status -9"))
    assert runs.recover() == []
    monkeypatch.setattr(reconcile, "REPORT_S", 0)
    (told,) = runs.recover()
    assert "its process died (exit status -9)" in told
    assert [state_of(runs, run)[0] for run in (under_way, crashed)] == ["Running", "Resuming"]


def test_a_run_that_kills_its_process_is_given_up(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "REPORT_S", 0)
    run = made(runs)
    names = []
    for _ in range(5):
        runs.client.set_flow_run_state(run.id, Crashed(message="exit status -9"), force=True)
        runs.recover()
        names.append(state_of(runs, run)[0])
    assert names == ["Resuming"] * 4 + ["GivenUp"]
    assert "ended 5 times without a result" in state_of(runs, run)[1]
    assert runs.recover() == []


def test_interruptions_are_not_held_against_a_run(runs: Runs) -> None:
    run = made(runs)
    for _ in range(6):
        runs.client.set_flow_run_state(run.id, Running(), force=True)
        runs.recover("the worker was killed")
    assert state_of(runs, run)[0] == "Resuming"


def test_a_task_run_that_a_dead_process_left_running_is_closed(runs: Runs) -> None:
    from prefect import task

    client = runs.client
    tasks = []
    for final in (Running(), Completed()):
        run = made(runs, Running(), final)
        made_task = client.create_task_run(task(_nothing), run.id, dynamic_key="0", state=Running())
        tasks.append(made_task.id)
    runs.recover("serve was killed")
    runs.close_leftovers()
    names = [state.name for t in tasks if (state := client.read_task_run(t).state)]
    assert names == ["Crashed", "Crashed"]


def _nothing() -> None:
    """Nothing to do."""


def test_a_missed_schedule_is_caught_up_once(runs: Runs) -> None:
    """Three days off: three runs are due, the newest does what all of them would."""
    now = datetime.now(UTC)
    scheduled = {}
    for days in (3, 2, 1, -1):
        run = made(runs, Scheduled(scheduled_time=now - timedelta(days=days)))
        scheduled[days] = run
    by_hand = made(runs, Scheduled(scheduled_time=now - timedelta(days=5)))
    _mark_auto(runs, list(scheduled.values()))
    told = runs.catch_up(runs.deployments[0])
    assert len(told) == 2
    assert {days: state_of(runs, run)[0] for days, run in scheduled.items()} == {
        3: "Skipped", 2: "Skipped", 1: "Scheduled", -1: "Scheduled",
    }  # fmt: skip
    assert f"caught up by the run {scheduled[1].name}" in state_of(runs, scheduled[3])[1]
    assert state_of(runs, by_hand)[0] == "Scheduled"
    assert runs.catch_up(runs.deployments[0]) == []


def test_waiting_runs_are_called_after_capture_and_night(runs: Runs) -> None:
    request = {"capture": "/data/2026-11-20/Jupiter.ser"}
    run = runs.client.create_flow_run_from_deployment(
        runs.deployments[0], name="classic-porcupine", parameters={"request": request}
    )
    odd = runs.client.create_flow_run_from_deployment(runs.deployments[0], name="odd", parameters={"request": {"x": 1}})
    runs.name_waiting()
    assert runs.client.read_flow_run(run.id).name == "Jupiter.ser, 2026-11-20"
    assert runs.client.read_flow_run(odd.id).name == "odd"


def test_a_scheduled_night_has_the_date_of_its_evening() -> None:
    due = datetime(2026, 11, 21, 8).astimezone()
    night = SimpleNamespace(
        parameters={"request": {"folder": "/captures"}}, expected_start_time=due, auto_scheduled=True
    )
    assert run_name(night) == "night in captures, 2026-11-20"  # type: ignore[arg-type]
    night.auto_scheduled = False
    assert run_name(night) == "night in captures"  # type: ignore[arg-type]


def test_ends_are_said_once(runs: Runs) -> None:
    done = made(runs, Running(), Completed(message="3 restored, 1 failed (broken_ser)"))
    failed = made(runs, Running(), Failed(message="a.ser: not a SER capture"))
    made(runs, Running())
    said = runs.ended()
    assert f"{done.name}: 3 restored, 1 failed (broken_ser)" in said
    assert f"{failed.name}: failed: a.ser: not a SER capture" in said
    assert len([line for line in said if done.name in line or failed.name in line]) == 2
    assert runs.ended() == []
    assert Runs(runs.client, runs.home, runs.deployments).ended() == []  # of an earlier serve


def _mark_auto(runs: Runs, made: list[FlowRun]) -> None:
    """Let runs look as the scheduler makes them; the API does not."""
    import sqlite3

    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL

    path = str(PREFECT_API_DATABASE_CONNECTION_URL.value()).partition("///")[2]
    with sqlite3.connect(path, timeout=30) as data:
        for run in made:
            data.execute("update flow_run set auto_scheduled = 1 where id = ?", (str(run.id),))


def test_a_restore_killed_long_ago_is_closed(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    old = runs.client.create_flow_run(night, state=Running())
    runs.close_killed_commands()
    assert state_of(runs, old)[0] == "Running", "it may be about to take its lock"
    monkeypatch.setattr(reconcile, "START_S", 0)
    runs.close_killed_commands()
    assert state_of(runs, old)[0] == "Crashed"
