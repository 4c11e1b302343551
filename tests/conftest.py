"""What many tests need: a store of their own, and Prefect kept away from the user's home."""

import os
from pathlib import Path

import pytest

from storage.store import Store

# Before anything imports Prefect: no telemetry, no server of the user's, one thread per test process.
os.environ.pop("PREFECT_API_URL", None)
os.environ.update(DO_NOT_TRACK="1", PREFECT_SERVER_ANALYTICS_ENABLED="false")
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store in the test's own folder."""
    return Store(tmp_path / "store")
