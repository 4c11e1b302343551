"""A study as a Prefect flow: every cell of its grid a task; a cell that fails does not end the others."""

from pathlib import Path
from typing import Any

from prefect import flow

from flows.server.embedded import default_store
from storage.errors import StillskyError
from storage.store import Store
from tasks.learning.study import study_cell, table, variants
from tasks.running.prefect_task import perform
from tasks.running.step import Performer, Run


@flow(name="study", flow_run_name="study {name}")
def study(name: str, steps: int | None = None, store: Path | None = None) -> dict[str, Any]:
    """Train what is missing of a study; returns its table and how many cells are not done."""
    return run_study(name, steps, Store(store or default_store()), perform)


def run_study(name: str, steps: int | None, store: Store, performer: Performer) -> dict[str, Any]:
    """The cells one after the other, then the table."""
    cells, failed = variants(name, steps), {}
    for number, variant in enumerate(cells, start=1):
        try:
            study_cell(Run(store, performer=performer, round_name=f" {number}"), variant)
        except (StillskyError, RuntimeError, MemoryError) as error:
            failed[variant.name] = f"{type(error).__name__}: {str(error)[:120]}"
    rows, missing = table(store, cells, failed)
    return {"study": name, "rows": rows, "open": missing}
