"""The tree of errors: its branches say what to do next."""

from storage.errors import BadCapture, Hopeless, NothingToDo, StillskyError, StoreError


def test_a_broken_capture_is_hopeless_and_a_full_disk_is_not() -> None:
    assert issubclass(BadCapture, Hopeless)
    assert not issubclass(StoreError, Hopeless)
    assert not issubclass(NothingToDo, Hopeless)


def test_everything_that_can_be_explained_has_one_root() -> None:
    assert all(issubclass(e, StillskyError) for e in (BadCapture, Hopeless, NothingToDo, StoreError))
