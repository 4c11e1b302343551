"""A chart is valid XML that says what it shows, whatever it is given."""

import warnings
from xml.etree import ElementTree

import numpy as np
import pytest

from tasks.reporting.svg import HEIGHT, MOST_DOTS, WIDTH, Chart, Mark, Series, drawn

X = np.arange(10.0)


def svg(*series: Series, marks: tuple[Mark, ...] = (), limits: tuple[float | None, float | None] = (None, None)):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return ElementTree.fromstring(drawn(Chart("t", "n", "time (s)", "light (adu)", series, marks, limits)))


def test_axes_are_named_and_numbered() -> None:
    texts = [t.text for t in svg(Series("a", X, 100 * X)).iter("text")]
    assert {"time (s)", "light (adu)"} <= set(texts)
    assert {"0", "2", "4", "6", "8", "250", "750"} <= set(texts)


def test_every_dot_says_what_it_is_and_lies_inside() -> None:
    dots = list(svg(Series("a", X, X**2, tips=tuple(f"frame {k}" for k in range(10)))).iter("circle"))
    assert [dot.find("title").text for dot in dots] == [f"frame {k}" for k in range(10)]
    assert all(0 < float(dot.get("cx")) < WIDTH and 0 < float(dot.get("cy")) < HEIGHT for dot in dots)
    heights = [float(dot.get("cy")) for dot in dots]
    assert heights == sorted(heights, reverse=True), "more is higher"


def test_many_dots_are_thinned() -> None:
    many = np.arange(10_001.0)
    assert MOST_DOTS // 2 < len(list(svg(Series("a", many, many)).iter("circle"))) <= MOST_DOTS


def test_a_long_line_is_one_path() -> None:
    found = svg(Series("a", np.arange(100.0), np.sin(np.arange(100.0)), "line"))
    assert not list(found.iter("circle"))
    (line,) = [p for p in found.iter("path") if p.get("class").startswith("line")]
    assert line.get("d").count("L") == 99


def test_what_leaves_the_limits_stays_in_the_drawing() -> None:
    dots = svg(Series("a", X, X * 1000 - 5000), limits=(0.0, 1.0)).iter("circle")
    assert all(0 < float(dot.get("cy")) < HEIGHT for dot in dots)


@pytest.mark.parametrize("y", [np.full(10, np.nan), np.zeros(10), np.where(X > 4, np.inf, X), np.full(10, 1e-12)])
def test_strange_values_make_a_chart(y: np.ndarray) -> None:
    dots = list(svg(Series("a", X, y), marks=(Mark("y", 1.0, "one", 0.1), Mark("x", 3.0, "here"))).iter("circle"))
    assert len(dots) == np.isfinite(y).sum()


def test_no_points_make_a_chart() -> None:
    assert svg().tag == "svg"
    assert svg(Series("a", X[:0], X[:0], "line")).tag == "svg"


def test_words_are_escaped() -> None:
    bad = '"><script>alert(1)</script>'
    text = drawn(Chart(bad, bad, bad, bad, (Series(bad, X, X, tips=(bad,) * 10),), (Mark("x", 1.0, bad),)))
    assert "<script" not in text
    ElementTree.fromstring(text)
