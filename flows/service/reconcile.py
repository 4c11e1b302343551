"""After a crash: runs whose process is gone are closed and resumed, missed scheduled runs are caught up by one."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterEndTime,
    FlowRunFilterId,
    FlowRunFilterNextScheduledStartTime,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterParentTaskRunId,
    FlowRunFilterStartTime,
    FlowRunFilterState,
    FlowRunFilterStateName,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Cancelled, Crashed, Scheduled

from configs.request import CaptureRequest, NightRequest, printable
from flows.server.home import run_lock
from flows.service.request_limits import REQUESTS
from storage.captures.target import night_of
from storage.locks import is_held

MAX_DEATHS = 5
"""A run whose own process died this many times is given up: it is the run that kills it."""
MAX_RESUMES = 30
"""A run is resumed at most this often, whatever ended it."""
START_S = 60
"""A run may have been started this long ago and not hold its lock yet."""
REPORT_S = 10
"""After this time a worker has finished with a run that crashed; handed the run earlier, it dies itself."""
_UNDER_WAY = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
_OVER = [StateType.COMPLETED, StateType.FAILED, StateType.CRASHED, StateType.CANCELLED]
_DIED, _INTERRUPTED = "its process died", "interrupted"


@dataclass(frozen=True)
class Runs:
    """The flow runs of our deployments, on a machine where a living process holds its run's lock."""

    client: SyncPrefectClient
    home: Path
    deployments: list[UUID]
    named: set[UUID] = field(default_factory=set)
    """Waiting runs whose names are set."""
    reported: dict[UUID, datetime] = field(default_factory=dict)
    """Runs whose end has been reported, and when they ended."""
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))
    """Runs that ended earlier are not reported."""

    def recover(self, why: str = "") -> list[str]:
        """Close and resume runs without a process; returns a sentence about each.

        With a reason (serve or its worker was killed) every run under way without a process counts as interrupted;
        without one only those that the worker reported dead, for it may be about to start or to report the others.
        """
        crashed = FlowRunFilterState(name=FlowRunFilterStateName(any_=["Crashed"]))
        under_way = FlowRunFilterState(type=FlowRunFilterStateType(any_=_UNDER_WAY))
        found = self._read(crashed) + (self._read(under_way) if why else [])
        if not why:
            found = [run for run in found if run.state is not None and run.state.timestamp < _ago(REPORT_S)]
        return [self._recovered(run, why) for run in found if not self._has_process(run)]

    def close_leftovers(self) -> None:
        """Close what runs that are over left open: their task runs and their runs inside."""
        over = self._read(FlowRunFilterState(type=FlowRunFilterStateType(any_=_OVER)))
        self._close_inner([run.id for run in over], "its run is over")

    def close_killed_commands(self) -> None:
        """Close runs of killed `stillsky restore` commands on this machine's own server: nobody else would."""
        chosen = FlowRunFilter(
            deployment_id=FlowRunFilterDeploymentId(is_null_=True),
            parent_task_run_id=FlowRunFilterParentTaskRunId(is_null_=True),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_UNDER_WAY)),
            start_time=FlowRunFilterStartTime(before_=_ago(START_S)),
        )
        for run in self.client.read_flow_runs(flow_run_filter=chosen, limit=200):
            if not self._has_process(run):
                self._close(run, Crashed(message="its process is gone; run the same command again"))
                self._close_inner([run.id], "its process is gone")

    def catch_up(self, night: UUID) -> list[str]:
        """Of several night runs whose time has passed keep the newest: it does what all of them would."""
        chosen = FlowRunFilter(
            deployment_id=FlowRunFilterDeploymentId(any_=[night]),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
            next_scheduled_start_time=FlowRunFilterNextScheduledStartTime(before_=_ago(0)),
        )
        runs = self.client.read_flow_runs(flow_run_filter=chosen, limit=200)
        late = sorted((r for r in runs if r.auto_scheduled and not r.run_count), key=_due)
        for run in late[:-1]:
            message = f"missed at {_due(run):%Y-%m-%d %H:%M} UTC; caught up by the run {late[-1].name}"
            self.client.set_flow_run_state(run.id, Cancelled(name="Skipped", message=message), force=True)
        return [f"night run of {_due(run):%Y-%m-%d %H:%M} UTC skipped, caught up once" for run in late[:-1]]

    def name_waiting(self) -> None:
        """Name runs that wait after their capture or night: Prefect calls them by random words until they begin."""
        waiting = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED]))
        for run in self._read(waiting):
            if run.id not in self.named:
                self.named.add(run.id)
                name = run_name(run)
                if name and name != run.name:
                    self.client.update_flow_run(run.id, name=name)

    def ended(self) -> list[str]:
        """A sentence about each capture and night that has ended since the last call, whoever started it."""
        chosen = FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_OVER)),
            end_time=FlowRunFilterEndTime(after_=self._last_reported()),
        )
        flows = FlowFilter(name=FlowFilterName(any_=list(REQUESTS)))
        found = self.client.read_flow_runs(flow_filter=flows, flow_run_filter=chosen, limit=200)
        new = [r for r in found if r.end_time and r.end_time >= self.begun and self.reported.get(r.id) != r.end_time]
        self.reported.update({run.id: run.end_time for run in new if run.end_time})
        return [_said(run) for run in sorted(new, key=lambda run: run.end_time or self.begun)]

    def _last_reported(self) -> Any:
        """From when on ends of runs are asked for: the server may record two at once out of order."""
        return max([self.begun, *self.reported.values()]) - timedelta(seconds=REPORT_S)

    def _read(self, state: FlowRunFilterState) -> list[FlowRun]:
        chosen = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=self.deployments), state=state)
        return self.client.read_flow_runs(flow_run_filter=chosen, limit=200, sort=FlowRunSort.EXPECTED_START_TIME_DESC)

    def _has_process(self, run: FlowRun) -> bool:
        return is_held(run_lock(self.home, str(run.id)))

    def _recovered(self, run: FlowRun, why: str) -> str:
        assert run.state is not None
        if run.state.is_cancelling():
            self._close(run, Cancelled(message=f"cancelled; {why}"))
            return f"{run.name}: cancelled"
        reason = f"{_INTERRUPTED}: {why}" if why else f"{_DIED} ({run.state.message})"
        if not run.state.is_crashed():
            self._close(run, Crashed(message=reason))
        self._close_inner([run.id], reason)
        if reason_to_end := self._reason_to_give_up(run.id):
            self._close(run, Crashed(name="GivenUp", message=reason_to_end))
            return f"{run.name}: {reason_to_end}"
        resuming: State[Any] = Scheduled(name="Resuming", message=f"{reason}; goes on with what is in the store")
        self.client.set_flow_run_state(run.id, resuming, force=True)
        return f"{run.name}: {reason}; resumed"

    def _reason_to_give_up(self, run: UUID) -> str:
        """Why a run is not resumed any more; empty while it is."""
        resumes = [state.message or "" for state in self.client.read_flow_run_states(run) if state.name == "Resuming"]
        deaths = 1 + sum(message.startswith(_DIED) for message in resumes)
        if deaths < MAX_DEATHS and len(resumes) < MAX_RESUMES:
            return ""
        count = deaths if deaths >= MAX_DEATHS else len(resumes)
        return f"ended {count} times without a result and is given up; see its log, then retry it here"

    def _close(self, run: FlowRun, state: State[Any]) -> None:
        self.client.set_flow_run_state(run.id, state, force=True)

    def _close_inner(self, runs: Iterable[UUID], reason: str) -> None:
        """Task runs and subflow runs that a dead process left open."""
        outer = list(runs)
        if not outer:
            return
        inside = FlowRunFilter(
            parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=outer),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_UNDER_WAY)),
        )
        inner = self.client.read_flow_runs(flow_run_filter=inside, limit=200)
        for run in inner:
            self._close(run, Crashed(message=reason))
        open_tasks = TaskRunFilter(
            state=TaskRunFilterState(type=TaskRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING]))
        )
        of = FlowRunFilter(id=FlowRunFilterId(any_=[*outer, *(run.id for run in inner)]))
        for task in self.client.read_task_runs(flow_run_filter=of, task_run_filter=open_tasks, limit=200):
            self.client.set_task_run_state(task.id, Crashed(message=reason), force=True)


def run_name(run: FlowRun) -> str:
    """What a run is called before it begins, a night after its evening; empty where its request cannot be understood."""
    request = run.parameters.get("request", {})
    kind = CaptureRequest if "capture" in request else NightRequest
    try:
        title: str = kind.model_validate(request).title
    except (ValueError, TypeError):
        return ""
    due = run.expected_start_time
    if kind is CaptureRequest or not run.auto_scheduled or due is None:
        return title
    return f"{title}, {night_of(due.astimezone())}"


def _said(run: FlowRun) -> str:
    """Jupiter.ser, 2026-11-20: D/r0 6.1, 812 of 1,000 frames kept, sky published"""
    state = run.state
    assert state is not None
    what = printable(state.message) if state.message else str(state.name)
    if state.message and not state.is_completed():
        what = f"{str(state.name).lower()}: {what}"
    return f"{printable(run.name)}: {what}"


def _due(run: FlowRun) -> datetime:
    return run.expected_start_time or datetime.now(UTC)


def _ago(seconds: float) -> Any:
    """A time as Prefect's filters want it: at run time any aware datetime, to type checkers pendulum's."""
    return datetime.now(UTC) - timedelta(seconds=seconds)
