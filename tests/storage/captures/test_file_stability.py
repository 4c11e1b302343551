"""Whole or still being written, and whether it is the file that was read before; clocks may jump."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from storage.captures import file_stability as looks
from storage.captures.file_stability import (
    StabilityCheck,
    cached_fingerprint,
    file_state,
    forget_missing,
    remembered_fingerprint,
    state_digest,
)
from storage.captures.readers import fingerprint, is_unfinished
from storage.captures.readers.ser import write_ser
from storage.store import Store

FRAMES = np.random.default_rng(4).integers(0, 255, (5, 8, 9)).astype(np.uint8)


@dataclass
class Clocks:
    """Time by the wall, which anybody can set, and by a clock nobody can."""

    wall: float = 1e9
    steady: float = 0.0

    def after(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_ser(tmp_path / "a.ser", FRAMES, 8)
    os.utime(tmp_path / "a.ser", (1e9, 1e9))
    return tmp_path / "a.ser"


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def watch(clocks: Clocks) -> StabilityCheck:
    return StabilityCheck(30, 2, lambda: clocks.steady, lambda: clocks.wall)


def grow(path: Path, when: float) -> None:
    with path.open("ab") as file:
        file.write(b"more")
    os.utime(path, (when, when))


def test_an_old_file_is_whole_at_the_second_look(path: Path, watch: StabilityCheck, clocks: Clocks) -> None:
    clocks.wall += 100
    assert not watch.is_complete(path)
    clocks.after(2)
    assert watch.is_complete(path)


def test_a_young_file_must_stand_still(path: Path, watch: StabilityCheck, clocks: Clocks) -> None:
    for _ in range(4):
        assert not watch.is_complete(path)
        clocks.after(7)
    clocks.after(3)
    assert watch.is_complete(path)


def test_a_growing_file_never_passes(path: Path, watch: StabilityCheck, clocks: Clocks) -> None:
    for _ in range(20):
        assert not watch.is_complete(path)
        clocks.after(10)
        grow(path, clocks.wall)
    assert not watch.settled(path)


def test_a_clock_that_jumps_ahead_takes_no_growing_file(path: Path, watch: StabilityCheck, clocks: Clocks) -> None:
    assert not watch.is_complete(path)
    clocks.wall += 86400 * 365
    clocks.after(2)
    grow(path, 1e9 + 2)
    assert not watch.is_complete(path), "old by the wall clock, but another than before"


def test_a_clock_that_jumps_back_holds_nothing_for_ever(path: Path, watch: StabilityCheck, clocks: Clocks) -> None:
    clocks.wall -= 86400 * 365
    assert not watch.is_complete(path)
    clocks.after(29)
    assert not watch.is_complete(path)
    clocks.after(1)
    assert watch.is_complete(path)


@pytest.mark.parametrize("frames", [0, 9])
def test_a_recording_that_promises_more_than_it_holds_waits_longer(
    path: Path, watch: StabilityCheck, clocks: Clocks, frames: int
) -> None:
    content = bytearray(path.read_bytes())
    content[38:42] = frames.to_bytes(4, "little")
    path.write_bytes(content)
    os.utime(path, (1e9, 1e9))
    assert is_unfinished(path, len(content))
    clocks.wall += 100
    assert not watch.is_complete(path)
    clocks.after(2)
    assert not watch.is_complete(path)
    clocks.after(28)
    assert watch.is_complete(path), "a recorder that died leaves such a file; its frames are good"


def test_a_file_that_vanishes_is_not_whole(path: Path, watch: StabilityCheck, clocks: Clocks) -> None:
    watch.is_complete(path)
    path.unlink()
    clocks.after(100)
    assert not watch.is_complete(path)
    assert not watch.settled(path)


def test_a_file_is_read_once(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "store")
    assert remembered_fingerprint(store, path) is None
    first = cached_fingerprint(store)(path)
    assert first == fingerprint(path) == remembered_fingerprint(store, path)
    monkeypatch.setattr(looks, "fingerprint", None)
    assert cached_fingerprint(store)(path) == first


@pytest.mark.parametrize("change", ["replaced", "written", "same size and time"])
def test_another_file_of_the_same_name_is_read_anew(path: Path, tmp_path: Path, change: str) -> None:
    store = Store(tmp_path / "store")
    cached_fingerprint(store)(path)
    if change == "replaced":
        write_ser(tmp_path / "b.ser", FRAMES + 1, 8)
        shutil.move(tmp_path / "b.ser", path)
    elif change == "written":
        grow(path, 1e9)
    else:
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        os.utime(path, (1e9, 1e9))
    assert remembered_fingerprint(store, path) is None
    assert cached_fingerprint(store)(path) == fingerprint(path)


def test_a_broken_memory_is_no_memory(path: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    cached_fingerprint(store)(path)
    [memory] = (store.root / "fingerprints").iterdir()
    for text in ("", "[]", "{}", '{"path": 3, "mark": 4}'):
        memory.write_text(text)
        assert cached_fingerprint(store)(path) == fingerprint(path)


def test_what_is_gone_is_forgotten(path: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    cached_fingerprint(store)(path)
    assert forget_missing(store) == 0
    path.unlink()
    assert forget_missing(store) == 1


def test_a_log_that_grows_beside_frames_is_no_frame(tmp_path: Path) -> None:
    (tmp_path / "f1.png").write_bytes(b"x")
    before = state_digest(tmp_path)
    (tmp_path / "log.txt").write_text("x")
    assert state_digest(tmp_path) == before
    (tmp_path / "f2.png").write_bytes(b"yy")
    assert state_digest(tmp_path) != before
    assert file_state(tmp_path).bytes == 3
