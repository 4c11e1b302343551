"""The watched folder: when a capture counts as finished, and what is asked for."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from flows import inbox as module
from flows.inbox import Inbox, look


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Client:
    """Stands for the server: the same key gives the same run."""

    runs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def create_flow_run_from_deployment(self, deployment: Any, parameters: Any, idempotency_key: str) -> Any:
        new = idempotency_key not in self.runs
        self.runs.setdefault(idempotency_key, parameters["request"])
        return SimpleNamespace(run_count=0 if new else 1, state=SimpleNamespace(is_scheduled=lambda: new))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def box(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Inbox:
    """An inbox of .ser files, all of them whole."""
    monkeypatch.setattr(module, "find_captures", lambda folder, out: sorted(folder.rglob("*.ser")))
    monkeypatch.setattr(module, "is_whole", lambda path: path.read_bytes() != b"half")
    return Inbox(tmp_path, tmp_path / "restored", settle_s=30, now=clock)


def test_a_capture_is_finished_when_it_has_been_left_alone(box: Inbox, clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "jupiter.ser"
    path.write_bytes(b"one")
    assert box.finished() == []
    clock.now += 29
    assert box.finished() == []
    path.write_bytes(b"one and more")  # still being written
    assert box.finished() == []
    clock.now += 29
    assert box.finished() == []
    clock.now += 1
    assert [p for p, _ in box.finished()] == [path]


def test_what_stops_in_the_middle_is_not_finished(box: Inbox, clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "jupiter.ser").write_bytes(b"half")
    box.finished()
    clock.now += 1000
    assert box.finished() == []


def test_every_capture_is_asked_for_once(box: Inbox, clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "mars").mkdir()
    (tmp_path / "mars" / "a.ser").write_bytes(b"a")
    client, deployment = Client(), uuid4()

    def send(box: Inbox) -> list[str]:
        return box.send(client, deployment, {"device": "cpu"})  # type: ignore[arg-type]

    send(box)
    clock.now += 31
    assert send(box) == ["a.ser"]
    assert send(box) == []
    (wanted,) = client.runs.values()
    assert wanted == {
        "device": "cpu",
        "capture": str(tmp_path / "mars" / "a.ser"),
        "out": str(tmp_path / "restored" / "mars" / "a"),
    }
    restarted = Inbox(box.folder, box.out, box.settle_s, clock)  # knows nothing of what it has sent
    send(restarted)
    clock.now += 31
    assert send(restarted) == []
    assert len(client.runs) == 1


def test_new_content_under_an_old_name_is_another_capture(box: Inbox, clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "a.ser"
    marks = set()
    for content in (b"1", b"22"):
        path.write_bytes(content)
        box.finished()
        clock.now += 31
        marks.update(mark for _, mark in box.finished())
    assert len(marks) == 2


def test_a_folder_of_frames_changes_with_every_frame(tmp_path: Path) -> None:
    before = look(tmp_path)
    (tmp_path / "0001.png").write_bytes(b"x")
    with_one = look(tmp_path)
    os.utime(tmp_path / "0001.png", ns=(0, 0))
    assert len({before, with_one, look(tmp_path)}) == 3
