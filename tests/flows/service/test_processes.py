"""Children that are kept alive: started again, ever later, and ended in order."""

import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from flows.service import processes as keep
from flows.service.processes import Child


@pytest.fixture
def child(tmp_path: Path) -> Child:
    return Child(("no such kind",), tmp_path / "child.log")


def test_a_child_that_keeps_dying_is_started_ever_later(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(keep.time, "monotonic", lambda: now[0])
    pauses = []
    for _ in range(9):
        assert child.due
        child.start()
        assert child.process is not None
        child.process.wait()
        assert child.died()
        assert not child.died()
        pauses.append(child.not_before - now[0])
        assert not child.due
        now[0] = child.not_before
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert "KeyError" in child.log.read_text()
    child.start()
    now[0] += keep.STEADY_S + 1
    assert child.process is not None
    child.process.wait()
    assert child.died()
    assert child.not_before - now[0] == 1


def test_stopping_ends_it(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    child.stop()  # nothing to stop
    monkeypatch.setattr(keep.subprocess, "Popen", _sleeping(subprocess.Popen))
    child.start()
    process = child.process
    assert process is not None
    child.stop()
    assert process.returncode == -signal.SIGTERM
    assert child.process is None


def _sleeping(real: Any) -> Any:
    return lambda words, **options: real(["sleep", "60"], **options)
