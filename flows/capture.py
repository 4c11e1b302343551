"""One capture as a Prefect flow: from a request to published files, recorded wherever PREFECT_API_URL points."""

from collections.abc import Callable
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from configs.load import load_config
from configs.request import CaptureRequest
from configs.schema import Config
from flows.publish import publish_result
from flows.recipe import lineage, restore_capture
from flows.server.device_slot import slot
from flows.server.embedded import default_store, wait_until_recorded
from flows.ui.artifacts import RunArtifacts
from storage.captures.capture import Capture, capture_at
from storage.captures.file_stability import known_fingerprint
from storage.captures.night import found_beside
from storage.product import Product
from storage.results.published import check_folder
from storage.store import Store
from tasks.running.dask_jobs import spread_over
from tasks.running.devices import pick_device
from tasks.running.prefect_task import perform
from tasks.running.step import Work, on_device, performed_by, watched


@flow(name="capture", flow_run_name="{request.capture.name}")
def capture(request: CaptureRequest) -> dict[str, Any]:
    """Restore one capture into the output folder; returns the report. What the store holds already is not done again."""
    config = config_of(request)
    store = Store(request.store or default_store())
    found = found_in(store, request, config)
    check_folder(request.out)
    device = pick_device(request.device)
    if request.fresh:
        for product in lineage(store, found, config):
            store.remove(product)
    artifacts = RunArtifacts(found, config)
    with slot(device, store.root, config.limits), on_device(device), spread_over(request.dask):
        result = _recorded(store, found, config, artifacts)
    report = publish_result(store, result, found, config, request.out)
    artifacts.publish_result(store, result, report, request.out)
    return report


def config_of(request: CaptureRequest) -> Config:
    """The settings for a capture: of a night's, what lies beside it counts too."""
    if request.night is None:
        return load_config(request.config, request.profile, request.overrides)
    found, profile = found_beside(request.capture, request.night)
    return load_config(request.config, profile or request.profile, request.overrides, found)


def found_in(store: Store, request: CaptureRequest, config: Config) -> Capture:
    """The capture of a request; what the store knows of it already is not read again."""
    camera = config.camera
    return capture_at(request.capture, camera.dark, camera.flat, camera.exposure_s, known_fingerprint(store))


def _recorded(store: Store, capture: Capture, config: Config, artifacts: RunArtifacts) -> Product:
    """Run the recipe, every step a task run; return when Prefect's server knows how each of them ended."""
    performed: list[str] = []

    def perform_and_count(work: Work, retries: int, make: Callable[[], None]) -> None:
        performed.append(work.label)
        perform(work, retries, artifacts.with_artifacts(work, make), getattr(config.timeouts, f"{work.product.step}_s"))

    try:
        with performed_by(perform_and_count), watched(artifacts.update_progress):
            return restore_capture(store, capture, config)
    finally:
        wait_until_recorded(str(flow_run.id), len(performed))
