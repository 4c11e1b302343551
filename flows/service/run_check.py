"""Before a run of `stillsky serve` begins: is it one of our flows, and does it ask only for what may be asked for?"""

import importlib
import os
from uuid import UUID

import prefect.flow_engine
from prefect.client.orchestration import get_client
from prefect.states import Failed

from flows.service.reconcile import run_name
from flows.service.request_limits import handed_down
from storage.errors import Hopeless

ENTRYPOINTS = {"capture": "flows.capture.capture", "night": "flows.night.night"}
"""Flow: where it is imported from, whatever its deployment says."""


def _keep_name(flow: str, name: str) -> None:
    """Let the run that begins have the name it had while it waited."""
    module, _, function = ENTRYPOINTS[flow].rpartition(".")
    getattr(importlib.import_module(module), function).flow_run_name = lambda: name


def refuse_or_choose_flow(run: str) -> bool:
    """Fail a run that is refused, with the reason as its state's message; else fix the flow and the checked request."""
    with get_client(sync_client=True) as client:
        flow_run = client.read_flow_run(UUID(run))
        flow = client.read_flow(flow_run.flow_id)
        try:
            handed_down().check(flow.name, flow_run.parameters, flow_run.job_variables)
        except Hopeless as error:
            client.set_flow_run_state(flow_run.id, Failed(name="Refused", message=str(error)), force=True)
            return False
    os.environ["PREFECT__FLOW_ENTRYPOINT"] = ENTRYPOINTS[flow.name]
    _keep_name(flow.name, run_name(flow_run))
    # The engine would read the run again, and its parameters can be changed meanwhile.
    prefect.flow_engine.load_flow_run = lambda flow_run_id: flow_run
    return True
