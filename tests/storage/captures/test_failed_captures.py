"""Failures are remembered until something that they depended on changes."""

from dataclasses import replace
from pathlib import Path

import pytest

from storage.captures import failed_captures
from storage.captures.failed_captures import Attempt, failed_before, forget_missing_failures, remember_failure
from storage.captures.file_stability import cached_fingerprint
from storage.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    for name in ("a.ser", "dark.fits"):
        (tmp_path / name).write_text("broken")
    return Attempt(tmp_path / "a.ser", {"evaluate": {"steps": 3}}, (tmp_path / "dark.fits",))


def before(store: Store, attempt: Attempt) -> str:
    return failed_before(store, attempt, cached_fingerprint(store))


def test_the_same_attempt_is_known(store: Store, attempt: Attempt) -> None:
    assert before(store, attempt) == ""
    remember_failure(store, attempt, cached_fingerprint(store), "no frames")
    assert before(store, attempt) == "no frames"
    copied = attempt.capture.with_name("b.ser")
    copied.write_text("broken")
    assert before(store, replace(attempt, capture=copied)) == ""


@pytest.mark.parametrize("change", ["content", "settings", "dark", "version"])
def test_any_change_is_worth_another_attempt(
    store: Store, attempt: Attempt, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember_failure(store, attempt, cached_fingerprint(store), "no frames")
    if change == "content":
        attempt.capture.write_text("recorded again")
    elif change == "settings":
        attempt = replace(attempt, settings={"evaluate": {"steps": 4}})
    elif change == "dark":
        attempt.calibration[0].write_text("another dark")
    else:
        monkeypatch.setattr(failed_captures, "version", lambda name: "99")
    assert before(store, attempt) == ""


def test_a_touched_file_of_the_same_content_is_the_same(store: Store, attempt: Attempt) -> None:
    remember_failure(store, attempt, cached_fingerprint(store), "no frames")
    attempt.capture.write_text("broken")
    assert before(store, attempt) == "no frames"


def test_captures_that_are_gone_are_forgotten(store: Store, attempt: Attempt) -> None:
    remember_failure(store, attempt, cached_fingerprint(store), "no frames")
    assert forget_missing_failures(store) == 0
    attempt.capture.unlink()
    assert before(store, attempt) == ""
    assert forget_missing_failures(store) == 1
    assert list((store.root / "failures").iterdir()) == []
