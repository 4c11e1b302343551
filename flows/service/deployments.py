"""A work pool and the deployments `night` and `capture`, with their typed forms, on the Prefect server."""

import contextlib
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from prefect import Flow
from prefect._vendor.croniter import croniter  # type: ignore[attr-defined]
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.utilities.callables import parameter_schema
from prefect.workers.process import ProcessWorker

from configs.load import BadConfig
from configs.request import ServeRequest
from flows.server.python_command import shell_command

DEFAULT_NAME = "stillsky"
"""Of a machine that has not been given one."""
MAX_SILENCE_S = 600
"""A run sends a heartbeat every 180 s unless told otherwise; after three missing ones it is taken for crashed."""


@dataclass(frozen=True)
class Deployments:
    """The numbers of the deployments."""

    night: UUID
    capture: UUID
    pool: str

    @property
    def ids(self) -> list[UUID]:
        """Both of them."""
        return [self.night, self.capture]


def deploy(request: ServeRequest, root: Path, timezone: str) -> Deployments:
    """Create or renew pool and deployments. Scheduled runs that have not begun are kept."""
    from flows.capture import capture
    from flows.night import night

    defaults = request_defaults(request, root)
    folders = {"folder": request.inbox, "out": request.results}
    with get_client(sync_client=True) as client:
        _make_pool(client, request.name)
        return Deployments(
            night=_deploy(client, request, night, {**defaults, **folders}, schedule(request, timezone)),
            capture=_deploy(client, request, capture, defaults, []),
            pool=request.name,
        )


def request_defaults(request: ServeRequest, root: Path) -> dict[str, Any]:
    """What a capture's and a night's request have in common."""
    return {**request.model_dump(include={"config", "profile", "overrides", "device", "dask"}), "store": root}


def schedule(request: ServeRequest, timezone: str) -> list[DeploymentScheduleCreate]:
    """When the night run starts by itself."""
    if not request.cron or request.inbox is None:
        return []
    try:
        return [DeploymentScheduleCreate(schedule=CronSchedule(cron=request.cron, timezone=timezone))]
    except ValueError as error:
        reason = str(error).splitlines()[-2].strip() if "\n" in str(error) else str(error)
        raise BadConfig(f'--cron "{request.cron}" --timezone {timezone}: {reason}') from None


def _make_pool(client: SyncPrefectClient, name: str) -> None:
    template = ProcessWorker.get_default_base_job_template()
    with contextlib.suppress(ObjectAlreadyExists):
        client.create_work_pool(WorkPoolCreate(name=name, type="process", base_job_template=template))


def _deploy(
    client: SyncPrefectClient,
    request: ServeRequest,
    flow: Flow[..., Any],
    defaults: dict[str, Any],
    schedules: list[DeploymentScheduleCreate],
) -> UUID:
    _remove_old_name(client, flow.name, request.name)
    return client.create_deployment(
        flow_id=client.create_flow(flow),
        name=deployment_name(flow.name, request.name),
        entrypoint=f"{flow.fn.__module__}.{flow.fn.__name__}",
        work_pool_name=request.name,
        schedules=schedules,
        parameters={"request": as_parameters(defaults)},
        description=flow.description,
        parameter_openapi_schema=form_of(flow),
        enforce_parameter_schema=True,
        job_variables={
            "command": shell_command("flows.service.child_process", "run"),
            "working_dir": os.environ["PREFECT_HOME"],
        },
    )


def deployment_name(flow: str, name: str) -> str:
    """The flow's own name; on a server that several machines share, with that of the machine."""
    return flow if name == DEFAULT_NAME else f"{flow}-{name}"


def _remove_old_name(client: SyncPrefectClient, flow: str, name: str) -> None:
    """Version 0.2 called both deployments after the machine."""
    with contextlib.suppress(ObjectNotFound):
        old = client.read_deployment_by_name(f"{flow}/{name}")
        if old.work_pool_name == name and name != deployment_name(flow, name):
            client.delete_deployment(old.id)


def as_parameters(request: dict[str, Any]) -> dict[str, Any]:
    """A request as JSON without what is not given: the form knows no null."""
    fields = {key: value for key, value in request.items() if value is not None}
    return {key: str(value) if isinstance(value, Path) else value for key, value in fields.items()}


def form_of(flow: Flow[..., Any]) -> dict[str, Any]:
    """The typed form of a flow. What may be left out has its own type, not `type or null`, and no null as a default."""
    schema: dict[str, Any] = parameter_schema(flow).model_dump_for_openapi()
    return {key: _without_null(value) for key, value in schema.items()}


def _without_null(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_null(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _without_null(value) for key, value in node.items() if not (key == "default" and value is None)}
    types = kept.pop("anyOf", [])
    real = [each for each in types if each != {"type": "null"}]
    return {**kept, **real[0]} if len(real) == 1 else {**kept, **({"anyOf": real} if real else {})}


def next_run(request: ServeRequest, timezone: str) -> str:
    """When the night run starts next, in words."""
    if not schedule(request, timezone):
        return "only on demand" if request.inbox else "only on demand: there is no --inbox"
    first: datetime = croniter(request.cron, datetime.now(ZoneInfo(timezone))).get_next(datetime)  # type: ignore[no-untyped-call]
    return f"next run {first:%Y-%m-%d %H:%M} {timezone}"


def crash_runs_without_heartbeat(client: SyncPrefectClient) -> None:
    """On a server that outlives this machine: a run whose heartbeats cease is Crashed, whether we come back or not."""
    name = "stillsky: runs without a heartbeat have crashed"
    if client.read_automations_by_name(name):
        return
    trigger = EventTrigger(
        match={"prefect.resource.id": "prefect.flow-run.*"},
        after={"prefect.flow-run.heartbeat"},
        expect={"prefect.flow-run.*"},
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=MAX_SILENCE_S),
    )
    action = ChangeFlowRunState(
        name="Crashed", state=StateType.CRASHED, message="no heartbeat: its machine is gone or asleep", force=False
    )
    client.create_automation(AutomationCore(name=name, trigger=trigger, actions=[action]))
