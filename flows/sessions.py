"""One sky from the captures of a turning planet, as a Prefect flow: each capture by itself first, then all together."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from configs.request import CaptureRequest
from configs.schema import Config
from configs.session_request import SessionRequest
from flows.capture import capture
from flows.server.embedded import default_store, wait_until_recorded
from flows.ui.run_state import ended
from storage.captures.night import capture_settings
from storage.captures.sessions import globe_of, session_aspects
from storage.errors import Hopeless
from storage.product import Product
from storage.results.published import check_folder, check_owner, publish, published
from storage.store import Store
from tasks.merge import merge
from tasks.reporting.gallery import renew_gallery
from tasks.reporting.html import rendered
from tasks.reporting.report import in_a_line
from tasks.reporting.session import SessionPart, describe_session, session_page, session_pictures
from tasks.running.prefect_task import perform
from tasks.running.step import Run

log = logging.getLogger("stillsky")


@dataclass(frozen=True)
class Restored:
    """One capture of the session, its result and the settings it was made with."""

    part: SessionPart
    product: Product
    config: Config


@flow(name="session", flow_run_name="{request.title}")
def session(request: SessionRequest) -> dict[str, Any]:
    """Restore each capture that is not done, merge their skies, publish the sky of the session; returns its report."""
    return ended(partial(_made, request), in_a_line)


def _made(request: SessionRequest) -> dict[str, Any]:
    check_folder(request.out)
    check_owner(request.out, request.name)
    store = Store(request.store or default_store())
    restored = [_restored(store, part, request.as_published) for part in request.parts]
    try:
        product = merged_product(Run(store, performer=perform), request, restored)
    finally:
        wait_until_recorded(str(flow_run.id), 1)
    parts, config = [each.part for each in restored], restored[0].config
    report = describe_session(store, product, request, parts, config.telescope.scale_arcsec)
    pictures = session_pictures(store, product, report, config)
    publish(request.out, pictures, report, rendered(session_page(store, product, report)))
    if fault := renew_gallery(request.out):
        log.warning("%s", fault)
    return report


def merged_product(run: Run, request: SessionRequest, restored: Sequence[Restored]) -> Product:
    """The sky of a session of restored captures; a run that plans makes nothing."""
    moments, config = [each.part.middle for each in restored], restored[0].config
    aspects = session_aspects(request.planet, moments, config.telescope.scale_arcsec, config.site, config.session)
    products = tuple(each.product for each in restored)
    return merge(run, products, request.slots, aspects, globe_of(request.planet), config.session)


def planned_session(store: Store, request: SessionRequest) -> Product | None:
    """The product that the captures' published results would make; None where one of them has no result."""
    found = [_published(part) for part in request.parts]
    whole = [each for each in found if each is not None]
    return merged_product(Run(store, plan=[]), request, whole) if len(whole) == len(found) else None


def _restored(store: Store, request: CaptureRequest, as_published: bool) -> Restored:
    """A capture whose product is in the store: as its folder shows it, or restored now."""
    if as_published and (found := _published(request)) is not None and store.has(found.product):
        return found
    capture(request)
    restored = _published(request)
    if restored is None:
        raise Hopeless(f"{request.out} was emptied while its session was made; run the same command again")
    return restored


def _published(request: CaptureRequest) -> Restored | None:
    """A capture as its folder shows it."""
    assert request.out is not None
    report = published(request.out)
    step, _, key = str(report.get("product", "")).partition("/")
    if not key:
        return None
    part = SessionPart(report, request.out, _middle(request, report))
    return Restored(part, Product(step, key), capture_settings(request))


def _middle(request: CaptureRequest, report: dict[str, Any]) -> datetime:
    """The middle of a capture: from its timestamps, which are UT, else the local time at which it began."""
    told = report["capture"].get("middle_utc") or report["capture"].get("started")
    try:
        return datetime.fromisoformat(str(told)).astimezone()
    except ValueError:
        raise Hopeless(
            f"{request.capture}: nothing says when it was recorded, so that the planet's rotation cannot be undone; record "
            f"with timestamps or a log"
        ) from None
