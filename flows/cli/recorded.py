"""A flow of captures for a command: refused early, recorded by an own Prefect server unless there is one to join."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from flows.cli.progress import Progress

if TYPE_CHECKING:
    from configs.request import CaptureRequest, ColourRequest
    from configs.session_request import SessionRequest

Wanted = TypeVar("Wanted", "CaptureRequest", "ColourRequest", "SessionRequest")
Flow = Callable[[Wanted], dict[str, Any]]


def recorded(
    request: Wanted,
    captures: "Sequence[CaptureRequest]",
    imported: "Callable[[], Flow[Wanted]]",
    progress: Progress | None,
) -> dict[str, Any]:
    """The report of a flow for a request of absolute paths; `imported` imports the flow, once its server is known."""
    from flows.server import embedded
    from storage.captures.night import capture_settings, check_is_capture
    from storage.results.published import check_folder
    from storage.store import Store

    for each in captures:
        capture_settings(each)  # a misspelt setting is refused before anything starts
        check_is_capture(each.capture)
    store = Store(request.store or embedded.default_store())
    store.sweep()
    if request.out is not None:
        check_folder(request.out)
    with embedded.recording(store.root) as ended:
        from flows.capture import progress_to

        run = imported()
        embedded.wait_for_server(ended)
        from flows.forecast import forecast_to

        with contextlib.ExitStack() as listening:
            if progress is not None:
                listening.enter_context(progress_to(progress))
                listening.enter_context(forecast_to(progress.begin))
            return run(_in_store(request, store.root))


def _in_store(request: Wanted, root: Path) -> Wanted:
    """The request, and those of its parts, with this store."""
    parts = getattr(request, "parts", None)
    inner = {} if parts is None else {"parts": tuple(part.model_copy(update={"store": root}) for part in parts)}
    return request.model_copy(update={"store": root, **inner})
