"""One colour sky from mono captures through filters, as a Prefect flow: the parts first, each by itself, then all together."""

import logging
from dataclasses import dataclass
from functools import partial
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from configs.request import CaptureRequest, ColourRequest
from configs.schema import Config
from flows.capture import capture
from flows.server.embedded import default_store, wait_until_recorded
from flows.ui.run_state import ended
from storage.captures.night import capture_settings
from storage.captures.readers import open_capture
from storage.errors import BadCapture, Hopeless
from storage.product import Product
from storage.results.finished import add_winjupos_name
from storage.results.published import check_folder, check_owner, publish, published
from storage.results.truth import truth_beside
from storage.store import Store
from tasks.combine import combine
from tasks.reporting.colour_group import Part, describe_group, group_page, group_pictures
from tasks.reporting.gallery import renew_gallery
from tasks.reporting.html import rendered
from tasks.reporting.report import in_a_line
from tasks.running.prefect_task import perform
from tasks.running.step import Run

log = logging.getLogger("stillsky")


@dataclass(frozen=True)
class Restored:
    """One part, its result and the settings it was made with."""

    part: Part
    product: Product
    config: Config


@flow(name="colours", flow_run_name="{request.title}")
def colours(request: ColourRequest) -> dict[str, Any]:
    """Restore each part that is not done, lay their skies on each other, publish the colour sky; returns its report."""
    return ended(partial(_combined, request), in_a_line)


def _combined(request: ColourRequest) -> dict[str, Any]:
    check_folder(request.out)
    check_owner(request.out, request.name)
    store = Store(request.store or default_store())
    _check_mono(request)
    restored = [_restored(store, part, request.as_published) for part in request.parts]
    try:
        product = combined_product(Run(store, performer=perform), restored)
    finally:
        wait_until_recorded(str(flow_run.id), 1)
    parts, settings = [each.part for each in restored], restored[1].config
    report = describe_group(store, product, request.name, parts, request.out)
    if said := add_winjupos_name(report, request.winjupos):
        log.warning("%s: %s", request.name, said)
    pictures = group_pictures(store, product, report, settings.colour.white)
    publish(request.out, pictures, report, rendered(group_page(store, product, report)))
    if fault := renew_gallery(request.out):
        log.warning("%s", fault)
    return report


def combined_product(run: Run, restored: list[Restored]) -> Product:
    """The colour sky of restored parts in the store; a run that plans makes nothing."""
    grids = [each.part.report["sky_grid"] for each in restored]
    widths = tuple(grid["pixel_scale_arcsec"] for grid in grids)
    if None in widths:
        widths = tuple(1 / grid["scale"] for grid in grids)
    filters = tuple(each.part.filter for each in restored)
    return combine(run, tuple(each.product for each in restored), filters, widths, restored[1].config.colour.align)


def planned_group(store: Store, request: ColourRequest) -> Product | None:
    """The product that the parts' published results would make; None where one of them has no result."""
    found = [_published(part) for part in request.parts]
    whole = [each for each in found if each is not None]
    return combined_product(Run(store, plan=[]), whole) if len(whole) == len(found) else None


def _restored(store: Store, request: CaptureRequest, as_published: bool) -> Restored:
    """A part whose product is in the store: as its folder shows it, or restored now."""
    if as_published and (found := _published(request)) is not None and store.has(found.product):
        return found
    capture(request)
    restored = _published(request)
    if restored is None:
        raise Hopeless(f"{request.out} was emptied while its colour sky was made; run the same command again")
    return restored


def _published(request: CaptureRequest) -> Restored | None:
    """A part as its folder shows it."""
    assert request.out is not None
    assert request.filter is not None
    report = published(request.out)
    step, _, key = str(report.get("product", "")).partition("/")
    if not key:
        return None
    part = Part(request.filter, report, request.out, truth_beside(request.capture))
    return Restored(part, Product(step, key), capture_settings(request))


def _check_mono(request: ColourRequest) -> None:
    """Refuse colour captures before anything is worked on."""
    for part in request.parts:
        with open_capture(part.capture) as reader:
            planes, mosaic = reader.header.channels, reader.header.bayer
        if planes != 1 or mosaic:
            what = f"a mosaic {mosaic}" if mosaic else f"{planes} channels"
            raise BadCapture(
                f"{part.capture}: its frames have {what}; a colour sky is made of mono captures through filters, a colour "
                f"capture is restored by itself"
            )
