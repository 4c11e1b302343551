"""The worker of `stillsky serve`: it starts one fixed command, whatever a deployment, a work pool or a run asks for."""

import asyncio
from pathlib import Path
from typing import Any

import prefect.workers.process
from prefect import Flow
from prefect.settings import PREFECT_HOME
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker, ProcessWorkerResult

from flows.server.python_command import safe_environment, shell_command


class FixedCommandWorker(ProcessWorker):
    """Runs flows in `flows.service.child_process run`; command, environment and working directory are not taken from outside."""

    type = "process"

    async def run(
        self, flow_run: Any, configuration: ProcessJobConfiguration, task_status: Any = None
    ) -> ProcessWorkerResult:
        """Start the process of a run and wait for its end."""
        configuration.command = shell_command("flows.service.child_process", "run")
        configuration._command_configured = True
        configuration.env = {**safe_environment(), "PREFECT__FLOW_RUN_ID": str(flow_run.id)}
        configuration.working_dir = Path(PREFECT_HOME.value())
        configuration.stream_output = True
        return await super().run(flow_run, configuration, task_status)


def work(pool: str, limit: int) -> None:
    """Take runs from a work pool until told to stop."""
    # Prefect's worker would import what the deployment names, to look for hooks at the end of a run. Ours have none.
    prefect.workers.process.load_flow_from_flow_run = _flow_without_hooks  # type: ignore[attr-defined]
    worker = FixedCommandWorker(work_pool_name=pool, limit=limit, create_pool_if_not_found=False)
    asyncio.run(worker.start())


async def _flow_without_hooks(*arguments: Any, **options: Any) -> "Flow[..., Any]":
    return Flow(_no_flow, name="no hooks")


def _no_flow() -> None:
    """Stands for a flow that is run elsewhere."""
