"""One colour sky from mono captures through filters, as a Prefect flow: the parts first, each by itself, then all together."""

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

from prefect import flow

from configs.request import CaptureRequest, ColourRequest
from flows.parts import Restored, made_of_parts, publish_whole, published_parts, restored_part
from flows.server.embedded import default_store
from flows.ui.run_state import ended
from storage.captures.readers import open_capture
from storage.errors import BadCapture
from storage.product import Product
from storage.results.finished import add_winjupos_name
from storage.results.published import check_folder, check_owner
from storage.results.truth import truth_beside
from storage.store import Store
from tasks.combine import combine
from tasks.reporting.colour_group import Part, describe_group, group_page, group_pictures
from tasks.reporting.report import in_a_line
from tasks.running.step import Run

log = logging.getLogger("stillsky")


@flow(name="colours", flow_run_name="{request.title}")
def colours(request: ColourRequest) -> dict[str, Any]:
    """Restore each part that is not done, lay their skies on each other, publish the colour sky; returns its report."""
    return ended(partial(_combined, request), in_a_line)


def _combined(request: ColourRequest) -> dict[str, Any]:
    check_folder(request.out)
    check_owner(request.out, request.name)
    store = Store(request.store or default_store())
    _check_mono(request)
    restored = [restored_part(store, each, _part, request.as_published, "colour sky") for each in request.parts]
    product = made_of_parts(store, lambda run: combined_product(run, restored))
    parts, settings = [each.part for each in restored], restored[1].config
    report = describe_group(store, product, request.name, parts, request.out)
    if said := add_winjupos_name(report, request.winjupos):
        log.warning("%s: %s", request.name, said)
    pictures = group_pictures(store, product, report, settings.colour.white)
    publish_whole(request.out, pictures, report, group_page(store, product, report))
    return report


def combined_product(run: Run, restored: Sequence[Restored[Part]]) -> Product:
    """The colour sky of restored parts in the store; a run that plans makes nothing."""
    grids = [each.part.report["sky_grid"] for each in restored]
    widths = tuple(grid["pixel_scale_arcsec"] for grid in grids)
    if None in widths:
        widths = tuple(1 / grid["scale"] for grid in grids)
    filters = tuple(each.part.filter for each in restored)
    return combine(run, tuple(each.product for each in restored), filters, widths, restored[1].config.colour.align)


def planned_group(store: Store, request: ColourRequest) -> Product | None:
    """The product that the parts' published results would make; None where one of them has no result."""
    restored = published_parts(request.parts, _part)
    return None if restored is None else combined_product(Run(store, plan=[]), restored)


def _part(request: CaptureRequest, report: dict[str, Any]) -> Part:
    """A part as its folder shows it."""
    assert request.out is not None
    assert request.filter is not None
    return Part(request.filter, report, request.out, truth_beside(request.capture))


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
