"""A sky that is made of several captures: each restored by itself first, and shown as its folder shows it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from prefect.runtime import flow_run

from configs.request import CaptureRequest
from configs.schema import Config
from flows.capture import capture
from flows.server.embedded import wait_until_recorded
from storage.captures.night import capture_settings
from storage.errors import Hopeless
from storage.product import Product
from storage.results.published import Pictures, publish, published
from storage.store import Store
from tasks.reporting.gallery import renew_gallery
from tasks.reporting.html import Page, rendered
from tasks.running.prefect_task import perform
from tasks.running.step import Run

log = logging.getLogger("stillsky")
Part = TypeVar("Part")
PartOf = Callable[[CaptureRequest, dict[str, Any]], Part]
"""(request, its published report) to what is known of a part."""


@dataclass(frozen=True)
class Restored(Generic[Part]):
    """One capture of several, its result and the settings it was made with."""

    part: Part
    product: Product
    config: Config


def published_part(request: CaptureRequest, part_of: PartOf[Part]) -> Restored[Part] | None:
    """A capture as its folder shows it."""
    assert request.out is not None
    report = published(request.out)
    step, _, key = str(report.get("product", "")).partition("/")
    return Restored(part_of(request, report), Product(step, key), capture_settings(request)) if key else None


def published_parts(requests: Sequence[CaptureRequest], part_of: PartOf[Part]) -> list[Restored[Part]] | None:
    """All captures as their folders show them; None where one of them has no result."""
    parts = [published_part(request, part_of) for request in requests]
    restored = [each for each in parts if each is not None]
    return restored if len(restored) == len(parts) else None


def restored_part(
    store: Store, request: CaptureRequest, part_of: PartOf[Part], as_published: bool, sky: str
) -> Restored[Part]:
    """A capture whose product is in the store: as its folder shows it, or restored now for a `sky` of several."""
    if as_published and (found := published_part(request, part_of)) is not None and store.has(found.product):
        return found
    capture(request)
    restored = published_part(request, part_of)
    if restored is None:
        raise Hopeless(f"{request.out} was emptied while its {sky} was made; run the same command again")
    return restored


def made_of_parts(store: Store, make: Callable[[Run], Product]) -> Product:
    """The product that a step makes of the parts, recorded before the flow goes on."""
    try:
        return make(Run(store, performer=perform))
    finally:
        wait_until_recorded(str(flow_run.id), 1)


def publish_whole(out: Path, pictures: Pictures, report: dict[str, Any], page: Page) -> None:
    """Leave the files of a sky of several captures in its folder, and the galleries above it renewed."""
    publish(out, pictures, report, rendered(page))
    if fault := renew_gallery(out):
        log.warning("%s", fault)
