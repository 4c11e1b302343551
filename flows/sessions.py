"""One sky from the captures of a turning planet, as a Prefect flow: each capture by itself first, then all together."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from prefect import flow

from configs.request import CaptureRequest
from configs.session_request import SessionRequest
from flows.parts import Restored, made_of_parts, publish_whole, published_parts, restored_part
from flows.server.embedded import default_store
from flows.ui.run_state import ended
from storage.captures.sessions import globe_of, session_aspects
from storage.errors import Hopeless
from storage.product import Product
from storage.results.published import check_folder, check_owner
from storage.store import Store
from tasks.merge import merge
from tasks.reporting.report import in_a_line
from tasks.reporting.session import SessionPart, describe_session, session_page, session_pictures
from tasks.running.step import Run


@flow(name="session", flow_run_name="{request.title}")
def session(request: SessionRequest) -> dict[str, Any]:
    """Restore each capture that is not done, merge their skies, publish the sky of the session; returns its report."""
    return ended(partial(_made, request), in_a_line)


def _made(request: SessionRequest) -> dict[str, Any]:
    check_folder(request.out)
    check_owner(request.out, request.name)
    store = Store(request.store or default_store())
    restored = [restored_part(store, each, _part, request.as_published, "session") for each in request.parts]
    product = made_of_parts(store, lambda run: merged_product(run, request, restored))
    parts, config = [each.part for each in restored], restored[0].config
    report = describe_session(store, product, request, parts, config.telescope.scale_arcsec)
    pictures = session_pictures(store, product, report, config)
    publish_whole(request.out, pictures, report, session_page(store, product, report))
    return report


def merged_product(run: Run, request: SessionRequest, restored: Sequence[Restored[SessionPart]]) -> Product:
    """The sky of a session of restored captures; a run that plans makes nothing."""
    moments, config = [each.part.middle for each in restored], restored[0].config
    aspects = session_aspects(request.planet, moments, config.telescope.scale_arcsec, config.site, config.session)
    products = tuple(each.product for each in restored)
    return merge(run, products, request.slots, aspects, globe_of(request.planet), config.session)


def planned_session(store: Store, request: SessionRequest) -> Product | None:
    """The product that the captures' published results would make; None where one of them has no result."""
    restored = published_parts(request.parts, _part)
    return None if restored is None else merged_product(Run(store, plan=[]), request, restored)


def _part(request: CaptureRequest, report: dict[str, Any]) -> SessionPart:
    """A capture as its folder shows it."""
    assert request.out is not None
    return SessionPart(report, request.out, _middle(request, report))


def _middle(request: CaptureRequest, report: dict[str, Any]) -> datetime:
    """The middle of a capture: from its timestamps, which are UT, else the local time at which it began."""
    recorded = report["capture"].get("middle_utc") or report["capture"].get("started")
    try:
        return datetime.fromisoformat(str(recorded)).astimezone()
    except ValueError:
        raise Hopeless(
            f"{request.capture}: nothing says when it was recorded, so that the planet's rotation cannot be undone; record "
            f"with timestamps or a log"
        ) from None
