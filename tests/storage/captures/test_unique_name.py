"""A name that is taken gets a number."""

from storage.captures.unique_name import unique_name


def test_names_are_numbered_whatever_their_case() -> None:
    taken = {"jup"}
    assert [unique_name(name, taken) for name in ("Jup", "JUP", "mars", "Jup-2")] == [
        "Jup-2",
        "JUP-3",
        "mars",
        "Jup-2-2",
    ]
