"""The watched folder: what is whole is asked for, once."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from flows.service.inbox import Inbox
from storage.captures.file_stability import StabilityCheck


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Client:
    """Stands for the server: the same key gives the same run."""

    runs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def create_flow_run_from_deployment(self, deployment: Any, name: str, parameters: Any, idempotency_key: str) -> Any:
        new = idempotency_key not in self.runs
        self.runs.setdefault(idempotency_key, parameters["request"])
        return SimpleNamespace(run_count=0 if new else 1, state=SimpleNamespace(is_scheduled=lambda: new))


@dataclass
class Desk:
    """An inbox, a clock and what has been asked for."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    client: Client = field(default_factory=Client)
    deployment: UUID = field(default_factory=uuid4)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A serve that knows nothing of what it has sent."""
        watch = StabilityCheck(30, 2, clock=self.clock, wall=lambda: 0.0)
        self.inbox = Inbox(self.folder, self.folder / "restored", [self.folder / "store"], watch)

    def look(self, later_s: float = 0) -> list[str]:
        self.clock.now += later_s
        return self.inbox.send(self.client, self.deployment, {"device": "cpu"})  # type: ignore[arg-type]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_capture_is_asked_for_when_it_has_been_left_alone(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "jupiter.ser"
    path.write_bytes(b"one")
    assert [desk.look(), desk.look(29)] == [[], []]
    path.write_bytes(b"one and more")  # still being written
    assert [desk.look(29), desk.look(29)] == [[], []]
    assert desk.look(1) == ["jupiter.ser"]


def test_every_capture_is_asked_for_once_however_often_serve_starts(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "mars").mkdir()
    (tmp_path / "mars" / "a.ser").write_bytes(b"a")
    assert [desk.look(), desk.look(31), desk.look(31)] == [[], ["mars/a.ser"], []]
    (wanted,) = desk.client.runs.values()
    assert wanted == {
        "device": "cpu",
        "capture": str(tmp_path / "mars" / "a.ser"),
        "out": str(tmp_path / "restored" / "mars" / "a_ser"),
        "night": str(tmp_path),
    }
    desk.restart()
    assert [desk.look(), desk.look(31)] == [[], []]
    assert len(desk.client.runs) == 1


def test_new_content_under_an_old_name_is_another_capture(desk: Desk, tmp_path: Path) -> None:
    for content in (b"1", b"22"):
        (tmp_path / "a.ser").write_bytes(content)
        assert [desk.look(), desk.look(31)] == [[], ["a.ser"]]
    assert len(desk.client.runs) == 2


def test_results_and_the_store_hold_no_captures(desk: Desk, tmp_path: Path) -> None:
    for place in ("restored", "store"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "a.ser").write_bytes(b"a")
    assert [desk.look(), desk.look(31)] == [[], []]
