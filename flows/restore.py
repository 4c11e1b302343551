"""`stillsky restore`: one capture, run as a recorded flow, its sky published into the user's folder."""

import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.load import load_config
from flows import embedded

Progress = Callable[[str, int, int], None]
"""Told which step is how far: label, done, total."""


@dataclass(frozen=True)
class Request:
    """What a user asks for."""

    capture: Path
    out: Path
    config: Path | None = None
    profile: str | None = None
    words: tuple[str, ...] = ()
    device: str = "auto"
    store: Path | None = None
    fresh: bool = False


def default_store() -> Path:
    """STILLSKY_STORE, or the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("STILLSKY_STORE") or f"{base}/stillsky").expanduser()


def restore(request: Request, progress: Progress | None = None) -> dict[str, Any]:
    """Restore one capture; leaves sky.fits, sky.png, stack.fits and report.json in the output folder, returns the report."""
    config = load_config(request.config, request.profile, request.words)
    root = (request.store or default_store()).expanduser().absolute()
    from storage.store import Store

    store = Store(root)
    store.sweep()
    from storage.capture import capture_at
    from storage.results import check_folder

    capture = capture_at(request.capture, config.camera.dark, config.camera.flat)
    check_folder(request.out)
    with embedded.server(root):
        # The server starts while these imports run: together they cost little more than the slower of the two.
        from flows.capture import lineage
        from flows.publish import publish_result
        from flows.run import run_recorded
        from tasks.devices import pick_device
        from tasks.step import on_device, watched

        device = pick_device(request.device)
        if request.fresh:
            _forget(store, lineage(store, capture, config))
        embedded.wait_for_server()
        with on_device(device), watched(progress) if progress else contextlib.nullcontext():
            result = run_recorded(store, capture, config)
        return publish_result(store, result, capture, config, request.out)


def _forget(store: Any, products: Iterable[Any]) -> None:
    for product in products:
        store.remove(product)
