"""`stillsky restore`: one capture, restored under an own Prefect server unless there is one to join."""

import contextlib
from collections.abc import Callable
from typing import Any

from configs.load import load_config
from configs.request import CaptureRequest
from flows import embedded

Progress = Callable[[str, float, int], None]
"""Told which step is how far: label, done, total."""


def restore(request: CaptureRequest, progress: Progress | None = None) -> dict[str, Any]:
    """Restore one capture; leaves its files in the output folder, returns the report."""
    load_config(request.config, request.profile, request.words)  # a misspelt setting is told before anything starts
    from storage.store import Store

    store = Store(request.store or embedded.default_store())
    store.sweep()
    from storage.readers import sniff
    from storage.results import check_folder

    sniff(request.capture)
    check_folder(request.out)
    with embedded.server(store.root):
        # The server starts while these imports run: together they cost little more than the slower of the two.
        from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

        from flows.run import capture
        from tasks.step import watched

        embedded.wait_for_server()
        watching = watched(progress) if progress else contextlib.nullcontext()
        # The heartbeat thread sleeps a second before it notices the end of a flow; who runs it here has no use for it.
        with watching, temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            try:
                return capture(request.model_copy(update={"store": store.root}))
            finally:
                embedded.send_logs()
