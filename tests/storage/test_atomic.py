"""Files that are replaced whole or not at all, and what is said where the disk refuses."""

from pathlib import Path

import pytest

from storage.atomic import atomic, publish
from storage.errors import StoreError


def test_atomic_replaces_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "report.json"
    with atomic(path) as temporary:
        temporary.write_text("old")
        assert not path.exists()

    def fail() -> None:
        with atomic(path) as temporary:
            temporary.write_text("half of the n")
            raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        fail()
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_publish_says_what_the_disk_refused(tmp_path: Path) -> None:
    def refuse(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match=r"sky\.fits cannot be written \(No space left on device\).*--out"):
        publish(tmp_path / "sky.fits", refuse)
    assert list(tmp_path.iterdir()) == []
