"""From the evaluated product to the user's folder: sky.fits, stack.fits, sky.png, report.json, report.html."""

from pathlib import Path
from typing import Any

from configs.schema import Config
from storage.captures.capture import Capture
from storage.product import Product
from storage.results.published import publish
from storage.results.truth import psfs_beside, truth_beside
from storage.store import Store
from tasks.reporting.html import rendered
from tasks.reporting.page import gather
from tasks.reporting.report import describe


def publish_result(store: Store, result: Product, capture: Capture, config: Config, out: Path) -> dict[str, Any]:
    """Write what was found; every file is whole or not there. Returns the report."""
    settings = config.model_dump(mode="json")
    truth = truth_beside(capture.path)
    report = describe(store, result, settings, truth, psfs_beside(capture.path))
    report["capture"]["name"] = capture.name  # the store knows the same content by the name it first came under
    report["product"] = f"{result.step}/{result.key}"
    page = rendered(gather(store, result, report, config.telescope, truth))
    publish(store, result, report, out, config.telescope.scale_arcsec, page)
    return report
