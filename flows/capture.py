"""One capture as a Prefect flow: from a request to published files, recorded wherever PREFECT_API_URL points."""

import contextlib
import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from configs.request import CaptureRequest
from configs.schema import Config
from flows.context import value_within
from flows.forecast import Planned, planned
from flows.recipe import planned_products, restore_capture
from flows.server.device_slot import slot
from flows.server.embedded import default_store, wait_until_recorded
from flows.server.home import RESULTS
from flows.ui.artifacts import RunArtifacts
from flows.ui.run_state import ended, shorten_logs
from storage.captures.capture import Capture, capture_at
from storage.captures.file_stability import cached_fingerprint
from storage.captures.night import capture_settings, folder_name
from storage.captures.target import origin_of
from storage.errors import Hopeless
from storage.product import CaptureResults, Product, result_names
from storage.results.finished import add_winjupos_name
from storage.results.published import Pictures, check_folder, check_owner, publish
from storage.results.truth import psfs_beside, truth_beside
from storage.store import Store
from tasks.products.contents import Evaluated
from tasks.reporting.disc import disc_scale
from tasks.reporting.finished import add_finished, enhanced_picture, finished_cubes, finished_pictures
from tasks.reporting.frame_curve import shortened
from tasks.reporting.gallery import renew_gallery
from tasks.reporting.html import rendered
from tasks.reporting.measured import add_measured
from tasks.reporting.page import gather
from tasks.reporting.published_grid import on_published_grid
from tasks.reporting.report import describe, in_a_line, posterised
from tasks.reporting.round_summary import before_and_after
from tasks.reporting.step_sentences import step_sentence
from tasks.reporting.truth import Image, comparable_truth
from tasks.running.dask_jobs import connected
from tasks.running.devices import pick_device
from tasks.running.prefect_task import perform
from tasks.running.step import Listener, Run, Work

log = logging.getLogger("stillsky")
shorten_logs()
_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("listeners", default=())
"""Who receives the progress of the flows in this context: a flow's parameters are JSON, a callback cannot be one."""


def progress_to(listener: Listener) -> AbstractContextManager[None]:
    """Send the progress of the steps of every capture inside the block to `listener`."""
    return value_within(_listeners, (*_listeners.get(), listener))


@flow(name="capture", flow_run_name="{request.title}")
def capture(request: CaptureRequest) -> dict[str, Any]:
    """Restore one capture into the output folder; returns the report. What the store holds already is not done again."""
    return ended(partial(_restored, request), in_a_line)


def _restored(request: CaptureRequest) -> dict[str, Any]:
    config = capture_settings(request)
    store = Store(request.store or default_store())
    out = request.out or _own_folder(request.capture)
    check_folder(out)
    check_owner(out, request.capture.name)
    found = found_in(store, request, config)
    device = pick_device(request.device)
    if request.fresh:
        for product in planned_products(store, found, config):
            store.remove(product)
    artifacts = RunArtifacts(found, config)
    plan = planned(store, found, device, cluster=request.dask is not None)
    config = plan.within(config, request.budget_s)
    with slot(device, store.root, config.limits), connected(request.dask) as cluster:
        run = Run(store, device, listeners=(*_listeners.get(), artifacts.update_progress), cluster=cluster)
        with _recorded(run, plan, config, artifacts) as recorded:
            results = restore_capture(recorded, found, config)
    with plan.noted_publishing():
        report = publish_result(store, results, found, config, out, request)
    if fault := renew_gallery(out):
        log.warning("%s", fault)
    artifacts.publish_result(store, results.evaluated, report, out)
    return {**report, "retried": artifacts.retried}


def _own_folder(capture: Path) -> Path:
    """A folder for this request alone: of the capture's name, with a digest of the run that makes it."""
    results = os.environ.get(RESULTS)
    if not results:
        raise Hopeless("out is missing, and there is no folder of results; say where the files go")
    return Path(results) / f"{folder_name(capture)}-{hashlib.sha256(str(flow_run.id).encode()).hexdigest()[:8]}"


def found_in(store: Store, request: CaptureRequest, config: Config) -> Capture:
    """The capture of a request; what the store knows of it already is not read again."""
    camera = config.camera
    known = cached_fingerprint(store)
    return capture_at(request.capture, camera.dark, camera.flat, camera.exposure_s, known, camera.mosaic)


def publish_result(
    store: Store,
    results: CaptureResults,
    capture: Capture,
    config: Config,
    out: Path,
    request: CaptureRequest | None = None,
) -> dict[str, Any]:
    """Write sky, stack, pictures and reports, each whole or not at all; returns the report."""
    result, telescope = results.evaluated, config.sky_telescope
    truth = comparable_truth(store, result, truth_beside(capture.path))
    small = before_and_after(store, result, config.colour.white)
    report = _full_report(store, results, capture, config, truth)
    for said in filter(None, (posterised(report), add_winjupos_name(report, request is not None and request.winjupos))):
        log.warning("%s: %s", capture.name, said)
    note_observatory(report, config)
    if truth is None:  # a simulated planet has the date and the size that somebody chose
        note_disc(store, report, result, capture, config)
    report |= shortened(store, result, report, request is not None and request.quick)
    report["sharpness_gain"] = small.sharpness_gain
    scale = telescope.scale_arcsec
    report["thumbnails"] = {"width_arcsec": None if scale is None else scale * small.width_px}
    add_measured(store, result, report, telescope)
    add_finished(store, results, report, truth)
    page = rendered(gather(store, result, report, telescope, truth, finished_pictures(store, results)))
    pictures = _pictures(store, results, config, report, (small.before, small.after))
    publish(out, on_published_grid(pictures, report["sky_grid"]), report, page)
    return report


def _full_report(
    store: Store, results: CaptureResults, capture: Capture, config: Config, truth: Image | None
) -> dict[str, Any]:
    """What is known of the result, of its capture and of what it was made with."""
    result = results.evaluated
    report = describe(store, result, config.model_dump(mode="json"), truth, psfs_beside(capture.path))
    report["capture"]["name"] = capture.name  # the store knows the same content by the name it first came under
    report["capture"] |= _origin(capture.path)
    report["product"], report["products"] = f"{result.step}/{result.key}", result_names(results)
    return report


def _pictures(
    store: Store, results: CaptureResults, config: Config, report: dict[str, Any], small: tuple[bytes, bytes]
) -> Pictures:
    """What is published beside the reports."""
    with store.view(Evaluated, results.evaluated) as judged:
        shown = judged.stretch, config.colour.white, config.sky_telescope.scale_arcsec
        finest = min(row["finest_believed_cpp"] for row in report["channels"])
        lights = judged.published[:], judged.stack[:], *shown, judged.sky[:], judged.belief[:]
        beside = enhanced_picture(store, results), finished_cubes(store, results)
        return Pictures(*lights, finest, small, *beside)


def note_disc(store: Store, report: dict[str, Any], result: Product, capture: Capture, config: Config) -> None:
    """Say in the report which pixel scale a planet's disc tells."""
    with store.view(Evaluated, result) as judged:
        report["disc"] = disc_scale(
            judged.published[:], capture.path, config.telescope.scale_arcsec, report["sky_grid"]["scale"]
        )
    if report["disc"]:
        report["verdict"].append(report["disc"]["sentence"])


def note_observatory(report: dict[str, Any], config: Config) -> None:
    """Say in the report which observatory file the telescope was taken from."""
    report["observatory"] = str(config.observatory) if config.observatory else None
    if config.observatory:
        report["verdict"].append(f"The telescope is that of the observatory file {config.observatory}.")


def _origin(path: Path) -> dict[str, str | None]:
    """What the capture shows and when it was recorded (local time), as JSON."""
    origin = origin_of(path)
    return {
        "target": origin.target,
        "started": origin.started.isoformat(timespec="seconds") if origin.started else None,
    }


@contextlib.contextmanager
def _recorded(run: Run, plan: Planned, config: Config, artifacts: RunArtifacts) -> Iterator[Run]:
    """Lend the run whose steps are task runs; end when Prefect's server knows how each of them ended.

    How long all will take is said at the beginning, and what each step takes is noted for the next time.
    """
    performed: list[str] = []
    announced = plan.announce(config)
    steps = announced.steps if announced else ()

    def perform_and_count(work: Work, retries: int, make: Callable[[], None]) -> None:
        performed.append(work.label)
        timeout_s = config.timeouts.of(work.product.step)
        made = artifacts.with_artifacts(work, plan.noted(work, make, steps))
        perform(work, retries, made, timeout_s, partial(step_sentence, work.store, work.product))

    try:
        yield replace(run, performer=perform_and_count)
    finally:
        wait_until_recorded(str(flow_run.id), len(performed))
