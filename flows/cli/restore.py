"""`stillsky restore` and `stillsky night`: captures, restored under an own Prefect server unless there is one to join."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from configs.load import load_config
from configs.request import CaptureRequest, NightRequest
from flows.server import embedded

Progress = Callable[[str, float, int], None]
"""Told which step is how far: label, done, total."""


def restore(request: CaptureRequest, progress: Progress | None = None) -> dict[str, Any]:
    """Restore one capture; leaves its files in the output folder, returns the report."""
    load_config(request.config, request.profile, request.words)  # a misspelt setting is told before anything starts
    from storage.store import Store

    store = Store(request.store or embedded.default_store())
    store.sweep()
    from storage.captures.readers import format_of
    from storage.results.published import check_folder

    format_of(request.capture)
    check_folder(request.out)
    with _recording(store.root):
        from flows.capture import capture, progress_to

        embedded.wait_for_server()
        with progress_to(progress) if progress else contextlib.nullcontext():
            return capture(request.model_copy(update={"store": store.root}))


def restore_night(request: NightRequest, tell: Callable[[str], None] | None = None) -> dict[str, Any]:
    """Restore every capture of a night; leaves a folder of results for each, returns the summary."""
    from storage.captures.night import night_settings
    from storage.store import Store

    night_settings(request)
    store = Store(request.store or embedded.default_store())
    with _recording(store.root):
        from flows.night import night, told

        embedded.wait_for_server()
        with told(tell) if tell else contextlib.nullcontext():
            return night(request.model_copy(update={"store": store.root, "folder": request.folder.absolute()}))


@contextlib.contextmanager
def _recording(root: Path) -> Iterator[None]:
    """A server for the block; it starts while the imports in the block run: together they cost the slower of the two."""
    with embedded.server(root):
        from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

        # The heartbeat thread sleeps a second before it notices the end of a flow; who runs it here has no use for it.
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            try:
                yield
            finally:
                embedded.send_logs()
