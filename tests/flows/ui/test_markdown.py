"""Markdown of artifacts: hostile names stay text, numbers stay readable."""

import base64
import re

import pytest

from flows.ui.markdown import code, figure, how_far, picture, slug, table, text

KEY = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Jupiter_2026-11-20.ser", "jupiter-2026-11-20-ser"),
        ("Júpiter.ser", "jupiter-ser"),
        ("../../{a} <b>|`", "a-b"),
        ("木星", "capture"),
        ("", "capture"),
        ("x" * 300, "x" * 40),
        ("x" * 39 + "--y", "x" * 39),
    ],
)
def test_any_name_makes_a_key(name: str, key: str) -> None:
    assert slug(name) == key
    assert KEY.fullmatch(slug(name))


def test_signs_of_markdown_and_html_are_text() -> None:
    assert text("<img src=x> | `a`\n# b") == r"\<img src\=x\> \| \`a\` \# b"
    assert text("木星 3 é") == "木星 3 é"


@pytest.mark.parametrize(
    ("path", "span"),
    [("/a/report.json", "`/a/report.json`"), ("/a`b``c", "``` /a`b``c ```"), ("/a\nb", "`/a b`")],
)
def test_a_path_is_code_whatever_is_in_it(path: str, span: str) -> None:
    assert code(path) == span


def test_a_picture_carries_its_bytes() -> None:
    words = picture(b"\x89PNG", "a]b")
    assert words == rf"![a\]b](data:image/png;base64,{base64.b64encode(bytes([0x89, 0x50, 0x4E, 0x47])).decode()})"


def test_cells_that_a_row_lacks_are_dashes() -> None:
    assert table([{"a": "1"}, {"a": "2", "b": "3"}]) == "| a | b |\n| --- | --- |\n| 1 | – |\n| 2 | 3 |"


@pytest.mark.parametrize(
    ("value", "shown"), [(3.0, "3"), (0.98765, "0.988"), (123.456, "123.5"), (None, "–"), (float("nan"), "–")]
)
def test_figures_have_the_digits_people_read(value: float | None, shown: str) -> None:
    assert figure(value) == shown


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (("average", 300, 900, 3.0), "average: 300 of 900, 100.0/s, 0:00:06 left"),
        (("solve psfs round 2", 2, 12, 30.0), "solve psfs round 2: batch 3 of 12, 15.0 s each, 0:02:30 left"),
        (("solve psfs round 1", 0.25, 1, 30.0), "solve psfs round 1: batch 1 of 1, 120.0 s each, 0:01:30 left"),
        (("measure seeing", 0, 12, 30.0), "measure seeing: 0 of 12"),
    ],
)
def test_progress_has_rate_and_time_left(told: tuple[str, float, int, float], words: str) -> None:
    assert how_far(*told) == words
