"""The watched folder: what is whole is asked for, once."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from configs.load import load_config
from flows.service.deployments import Deployments
from flows.service.inbox import Inbox
from storage.captures.file_stability import StabilityCheck
from storage.results.published import FILES


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
    deployed: Deployments = field(default_factory=lambda: Deployments(uuid4(), uuid4(), "pool"))

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A serve that knows nothing of what it has sent."""
        watch = StabilityCheck(30, 2, clock=self.clock, wall=lambda: 0.0)
        self.inbox = Inbox(self.folder, self.folder / "restored", [self.folder / "store"], watch, load_config().colour)

    def look(self, later_s: float = 0) -> list[str]:
        self.clock.now += later_s
        return self.inbox.send(self.client, self.deployed, {"device": "cpu"})  # type: ignore[arg-type]


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


def write_filters(folder: Path, *letters: str) -> None:
    for letter in letters:
        (folder / f"Jup_{letter}.ser").write_bytes(letter.encode())


def filters_asked_for(desk: Desk) -> list[tuple[str, str | None]]:
    wanted = [request for request in desk.client.runs.values() if "capture" in request]
    return [(Path(each["capture"]).stem, each.get("filter")) for each in wanted]


def test_parts_of_a_colour_sky_say_their_filter_as_in_a_night(desk: Desk, tmp_path: Path) -> None:
    write_filters(tmp_path, "R", "G", "B")
    assert desk.look() == []
    assert sorted(desk.look(31)) == ["Jup_B.ser", "Jup_G.ser", "Jup_R.ser"]
    assert sorted(filters_asked_for(desk)) == [("Jup_B", "blue"), ("Jup_G", "green"), ("Jup_R", "red")]


def test_a_first_part_is_asked_for_again_when_the_others_tell_that_it_is_one(desk: Desk, tmp_path: Path) -> None:
    write_filters(tmp_path, "R")
    assert [desk.look(), desk.look(31)] == [[], ["Jup_R.ser"]]
    write_filters(tmp_path, "G", "B")
    assert desk.look() == []
    assert "Jup_R.ser" in desk.look(31)
    assert filters_asked_for(desk)[:2] == [("Jup_R", None), ("Jup_R", "red")]
    assert desk.look(31) == []


def test_a_colour_sky_is_asked_for_once_when_its_parts_are_restored(desk: Desk, tmp_path: Path) -> None:
    write_filters(tmp_path, "R", "G", "B")
    for letter in ("R", "G", "B"):
        desk.look(31)
        assert not any("folder" in request for request in desk.client.runs.values())
        out = tmp_path / "restored" / f"Jup_{letter}_ser"
        out.mkdir(parents=True)
        for name in FILES:
            (out / name).write_text('{"product": "evaluate/1"}')
    for _ in range(2):
        desk.look(31)
        desk.restart()
        desk.look()
    (night,) = [request for request in desk.client.runs.values() if "folder" in request]
    assert (night["folder"], night["out"]) == (str(tmp_path), str(tmp_path / "restored"))
    assert night["since"] == night["until"]
