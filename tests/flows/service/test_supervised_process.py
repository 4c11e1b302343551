"""Children that are kept alive: started again, ever later, and ended in order."""

import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from flows.service import supervised_process
from flows.service.supervised_process import SupervisedProcess


@pytest.fixture
def child(tmp_path: Path) -> SupervisedProcess:
    return SupervisedProcess(("no such kind",), tmp_path / "child.log")


def test_a_child_that_keeps_dying_is_started_ever_later(
    child: SupervisedProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(supervised_process.time, "monotonic", lambda: now[0])
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
    now[0] += supervised_process.STABLE_S + 1
    assert child.process is not None
    child.process.wait()
    assert child.died()
    assert child.not_before - now[0] == 1


def test_stopping_ends_it(child: SupervisedProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    child.stop()  # nothing to stop
    monkeypatch.setattr(supervised_process.subprocess, "Popen", _sleeping(subprocess.Popen))
    child.start()
    process = child.process
    assert process is not None
    child.stop()
    assert process.returncode == -signal.SIGTERM
    assert child.process is None


def _sleeping(real: Any) -> Any:
    return lambda command, **options: real(["sleep", "60"], **options)
