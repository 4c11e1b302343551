"""What tests of steps share: a run on an empty store, and a list of bodies that ran, empty at the start."""

from collections.abc import Iterator

import pytest

from storage.store import Store
from tasks.running.step import Run
from tests.tasks.running.toy_steps import MADE


@pytest.fixture(autouse=True)
def _nothing_made() -> Iterator[None]:
    MADE.clear()
    yield
    MADE.clear()


@pytest.fixture
def run(store: Store) -> Run:
    """A run that makes what is missing."""
    return Run(store)
