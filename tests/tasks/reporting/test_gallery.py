"""The gallery: every result with its links, hostile names as text, the best hour of a night, and no other index.html lost."""

import math
import re
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from storage.errors import NothingToDo, StoreError
from storage.results.gallery import Entry
from tasks.reporting.gallery import INDEX, gallery, renew_gallery, seeing_charts, seeing_of_nights, write_gallery
from tests.storage.results.test_gallery import report, result
from tests.tasks.reporting.test_html import EVIL, Elements


def entry(
    name: str = "a", moment: datetime | None = datetime(2026, 11, 20, 22), strength: float = 5.0, **more: Any
) -> Entry:
    values: dict[str, Any] = {
        "folder": Path(name), "name": name, "target": "Jupiter", "started": moment, "published": "sky",
        "verdict": "The sky is published.", "frames": (48, 50), "d_over_r0": strength, "r0_cm": 25 / strength,
        "fwhm_arcsec": 0.4 * strength, "gain": 4.0, "width_arcsec": 60.0, "pictures": ("stack_thumb.png", "sky_thumb.png"),
    }  # fmt: skip
    return Entry(**{**values, **more})


def test_every_result_links_to_its_page_and_pictures(tmp_path: Path) -> None:
    names = ("2026-11-20/a_ser", "2026-11-21/b %#? 'q\"_ser")
    for name in names:
        result(tmp_path / name, report())
    assert write_gallery(tmp_path) == 2
    page = Elements((tmp_path / INDEX).read_text())
    links = {unquote(str(a["href"])) for a in page.all("a")}
    assert links == {f"{name}/report.html" for name in names}
    for source in [*links, *(unquote(str(img["src"])) for img in page.all("img") if "src" in img)]:
        assert (tmp_path / source).is_file()


def test_hostile_names_stay_text() -> None:
    page = gallery([entry(EVIL, target=EVIL, verdict=EVIL), entry('" onmouseover="alert(1)', target=EVIL)])
    found = Elements(page)
    assert "alert" not in found.scripts
    assert len(found.all("script")) == 1
    assert not any(name.startswith("on") for _, attributes in found.found for name in attributes)
    assert page.count("&lt;script&gt;") >= 4


def test_only_its_own_script_may_run_and_nothing_is_fetched() -> None:
    page = gallery([entry()])
    policy = next(
        str(m["content"]) for m in Elements(page).all("meta") if "content" in m and "default-src" in str(m["content"])
    )
    assert policy.startswith("default-src 'none'; img-src 'self' file: data:; ")
    assert not re.search(r"(src|href)=.?(https?:)?//", page)


def test_filters_offer_what_there_is_and_one_target_twice_is_compared() -> None:
    later = datetime(2026, 11, 22, 1)
    page = gallery([entry("a"), entry("b", later, published="stack"), entry("c", later, target="Mars")])
    assert {s["data-published"] for s in Elements(page).all("article")} == {"sky", "stack"}
    assert {s["data-night"] for s in Elements(page).all("article")} == {"2026-11-20", "2026-11-21"}
    compared = [li for li in Elements(page).all("li") if "data-src" in li]
    assert {li["data-target"] for li in compared} == {"Jupiter"}
    assert [li["data-width"] for li in compared] == ["60", "60"]
    assert not [li for li in Elements(gallery([entry("a")])).all("li") if "data-src" in li]


def test_the_best_hour_is_the_one_with_the_least_seeing() -> None:
    times = [(20, 0, 8.0), (20, 30, 6.0), (23, 10, 3.0), (23, 50, 5.0)]
    night = [entry(f"{h}{m}", datetime(2026, 11, 20, h, m), d) for h, m, d in times]
    morning = entry("late", datetime(2026, 11, 21, 4), 9.0)
    unknown = entry("dark", datetime(2026, 11, 20, 21), math.nan)
    (best,) = seeing_of_nights([*night, morning, unknown])
    assert (best.night, best.captures, best.begin.hour, best.within) == (date(2026, 11, 20), 5, 23, 2)
    assert (best.d_over_r0, best.r0_cm) == (4.0, pytest.approx((25 / 3 + 5) / 2))


def test_charts_show_what_is_known() -> None:
    titles = [chart.title for chart in seeing_charts([entry(r0_cm=math.nan, fwhm_arcsec=math.nan)])]
    assert titles == ["D/r₀"]
    assert seeing_charts([entry(moment=None)]) == ()
    weeks = [entry(str(d), datetime(2026, 11, d, 22)) for d in (1, 10, 28)]
    (chart, *_) = seeing_charts(weeks)
    assert 2 <= len(chart.x_ticks) <= 6
    assert all(re.fullmatch(r"11-\d\d", word) for _, word in chart.x_ticks)
    assert [word for _, word in seeing_charts([entry()])[0].x_ticks] == ["22:00"]


def test_a_result_of_nothing_known_is_shown_too() -> None:
    nothing = entry(moment=None, strength=math.nan, target="", pictures=(), fwhm_arcsec=math.nan, r0_cm=math.nan)
    assert "Results" in gallery([nothing])


def test_no_results_and_another_index_are_said(tmp_path: Path) -> None:
    with pytest.raises(NothingToDo, match="no results"):
        write_gallery(tmp_path)
    result(tmp_path / "a", report())
    (tmp_path / INDEX).write_text("my home page")
    with pytest.raises(StoreError, match="another program's"):
        write_gallery(tmp_path)
    assert "another program's" in renew_gallery(tmp_path)
    assert (tmp_path / INDEX).read_text() == "my home page"


def test_the_same_again_writes_over_its_own_and_follows_no_link(tmp_path: Path) -> None:
    result(tmp_path / "in" / "a", report())
    write_gallery(tmp_path / "in")
    mine = tmp_path / "mine.html"
    mine.write_bytes((tmp_path / "in" / INDEX).read_bytes())
    (tmp_path / "in" / INDEX).unlink()
    (tmp_path / "in" / INDEX).symlink_to(mine)
    before = mine.read_bytes()
    result(tmp_path / "in" / "b", report())
    assert write_gallery(tmp_path / "in") == 2
    assert mine.read_bytes() == before
