"""One device, one slot: captures that want the same device queue, and the Prefect UI shows it."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from httpx import HTTPError
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate
from prefect.client.schemas.objects import State
from prefect.exceptions import PrefectException
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Running

from configs.schema import Limits
from flows.server.embedded import cache_folder
from flows.server.home import run_lock
from storage.locks import is_held, one_of, take, tell_waiting


@contextlib.contextmanager
def slot(device: str, root: Path, limits: Limits) -> Iterator[None]:
    """Compute on a device when it is free.

    The lock is a file's: it is free the moment its process is gone, whatever happened to the server. Prefect's global
    concurrency limit of the same name is only set to show it: it is not relied on, for it can outlive its holder.
    """
    own = run_lock(root / "prefect", str(flow_run.id))
    process = take(own, "a run")  # None: the process holds it already
    name, paths = _slots(device, root, limits)
    waited: list[str] = []

    def report_waiting(holders: str) -> None:
        waited.append(holders)
        tell_waiting(f"{flow_run.name or 'a capture'}, for {name}", holders)
        _set_state(Running(name="Waiting", message=f"waits for {name}, held by {holders}"))

    try:
        with one_of(paths, str(flow_run.name or "a capture"), report_waiting):
            if waited:
                _set_state(Running(message=f"has {name} for itself"))
            _show(name, paths)
            yield
    finally:
        _show(name, paths)
        if process is not None:
            own.unlink(missing_ok=True)
            os.close(process)


def show_slots(root: Path, limits: Limits) -> None:
    """Set the limits in the UI to what is really held: after a crash they may say something else."""
    for device in ("cpu", "cuda"):
        _show(*_slots(device, root, limits))


def _slots(device: str, root: Path, limits: Limits) -> tuple[str, list[Path]]:
    """Name and lock files of the slots: a card is shared by all stores of a user, a processor by the runs of one store."""
    if device == "cpu":
        return "stillsky-cpu", [root / "prefect" / "locks" / f"cpu-{k}.lock" for k in range(limits.cpu_captures)]
    card = "-".join(filter(None, (device, os.environ.get("CUDA_VISIBLE_DEVICES", "").replace(",", "-"))))
    host = socket.gethostname()  # the cache folder may be shared by machines
    return f"stillsky-{host}-{card}", [cache_folder() / "locks" / f"{host}-{card}.lock"]


def _set_state(state: State[Any]) -> None:
    """Log the message, and show it as the state's message unless the run is being cancelled meanwhile."""
    get_run_logger().info(state.message)
    with contextlib.suppress(HTTPError, PrefectException), get_client(sync_client=True) as client:
        run = client.read_flow_run(UUID(str(flow_run.id)))
        if run.state is not None and run.state.is_running():
            client.set_flow_run_state(run.id, state, force=True)


def _show(name: str, paths: list[Path]) -> None:
    """Show in the UI how many slots are taken. A server that does not answer is no reason to stop."""
    taken = sum(is_held(path) for path in paths)
    with contextlib.suppress(HTTPError, PrefectException), get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(name, len(paths))
        client.update_global_concurrency_limit(name, GlobalConcurrencyLimitUpdate(active_slots=taken))
