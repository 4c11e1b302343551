"""A recorded run: what Prefect's database holds afterwards."""

from pathlib import Path
from typing import Any


def test_failed_run_is_recorded_with_its_reason(desk: Any, tmp_path: Path) -> None:
    """A name with braces is no template of Prefect's; the message is kept for the log of the run."""
    path = tmp_path / "{jupiter} 1.ser"
    path.write_bytes(b"no capture")
    answer = desk.ask("restore", path, "--out", tmp_path / "out", "--store", tmp_path / "store")
    assert answer.code == 1
    run = desk.last_run()
    assert (run.name, run.state, run.tasks) == ("{jupiter} 1.ser", "Failed", {"ingest": "Failed"})
    assert "not a SER capture" in run.message
