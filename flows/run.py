"""How a recipe becomes a flow run that Prefect records, and what surrounds it: device, progress, the published files."""

from pathlib import Path

from prefect import flow
from prefect.runtime import flow_run
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from configs.schema import Config
from flows.capture import restore_capture
from flows.embedded import wait_until_recorded
from storage.capture import Capture
from storage.product import Product
from storage.store import Store
from tasks.prefect_task import perform
from tasks.step import performed_by


def run_recorded(store: Store, capture: Capture, config: Config) -> Product:
    """Run the recipe of one capture as a flow; return when Prefect's server knows how it ended."""
    runs: list[str] = []

    def restore() -> Product:
        runs.append(str(flow_run.id))
        with performed_by(perform):
            return restore_capture(store, capture, config)

    # The heartbeat thread sleeps a second before it notices the end of a flow; a run with its own server has no use for it.
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        lift = flow(name="restore", flow_run_name=_plain(capture.name), validate_parameters=False)
        try:
            product = lift(restore)()
        finally:
            wait_until_recorded(runs)
    return product


def _plain(name: str) -> str:
    """A flow run's name is a template: braces in a file's name must not be."""
    return Path(name).name.replace("{", "(").replace("}", ")")
