"""What the documents name exists: the tests behind the rows of docs/learned.md."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
ROOMS = {"L/": "tasks/learning/", "N/": "tasks/numerics/networks/"}
ROW = re.compile(r"^\| ([A-D]\d+(?:, [A-D]?\d+)*) \|", re.MULTILINE)


def named_tests(text: str) -> list[tuple[str, str]]:
    """(file, function or nothing) of every test named in the rows of a table; `::name` alone is in the file named last."""
    found, last = [], ""
    for line in text.splitlines():
        for name in re.findall(r"`([^`\s]*test_[^`\s]*)`", line) if line.startswith("|") else []:
            path, _, function = name.partition("::")
            if path and not path.endswith(".py"):
                path, function = "", path
            for short, room in ROOMS.items():
                path = path.replace(short, room, 1) if path.startswith(short) else path
            last = path or last
            found.append((last, function))
    return found


def exists(path: str, function: str) -> bool:
    """A file below tests/, or anywhere there by its bare name, that has the function."""
    files = [TESTS / path] if "/" in path else list(TESTS.rglob(path))
    return any(each.is_file() and (not function or f"def {function}(" in each.read_text()) for each in files)


def test_every_test_named_beside_a_phrase_of_the_notebooks_exists() -> None:
    named = named_tests((TESTS.parent / "docs" / "learned.md").read_text())
    assert len(named) > 70
    missing = [f"{path}::{function}" for path, function in named if not exists(path, function)]
    assert not missing


def test_no_phrase_of_the_notebooks_is_left_out() -> None:
    rows = (TESTS.parent / "docs" / "learned.md").read_text().split("## The 97 rows")[1]
    ids = [each for row in ROW.findall(rows) for each in row.split(", ")]
    asked = [f"{part}{n}" for part, count in (("A", 19), ("B", 16), ("C", 43), ("D", 19)) for n in range(1, count + 1)]
    assert sorted(ids) == sorted(asked)


def test_a_test_that_is_not_there_is_found_out() -> None:
    assert named_tests("| A1 | b | `L/test_fit.py::test_x`, `::test_y` |") == [
        ("tasks/learning/test_fit.py", "test_x"),
        ("tasks/learning/test_fit.py", "test_y"),
    ]
    assert not exists("tasks/learning/test_fit.py", "test_x")
