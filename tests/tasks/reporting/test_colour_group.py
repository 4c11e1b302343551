"""The report of a colour sky: parts joined, what moved, how far a planet turned; a page that needs no part's products."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from storage.product import Product
from storage.store import Store
from tasks.products.finished_contents import Combined
from tasks.reporting.colour_group import Part, describe_group, group_page, group_pictures
from tasks.reporting.html import rendered

FILTERS = ["red", "green", "blue"]
ROW = {
    "heldout_frames": 4, "heldout_chi2_sky": 1.1, "heldout_chi2_stack": 3.0, "d_over_r0": 4.0, "cutoff_cpp": 0.5,
    "finest_believed_cpp": 0.4, "unexplained_frames": [],
}  # fmt: skip


def report(number: int, published: str = "sky") -> dict[str, Any]:
    return {
        "capture": {
            "name": f"<b>{FILTERS[number]}</b>.ser", "fingerprint": str(number) * 64, "frames": 100, "target": "Jupiter",
            "started": f"2026-11-20T22:0{2 * number}:00", "dropped_frames": number,
            "middle_utc": f"2026-11-20T21:0{2 * number}:30.000+00:00",
        },
        "published": published, "solved_frames": 80, "frames": {"used": 90, "held_out": 9}, "channels": [ROW],
        "settings": {"telescope": {"aperture_m": 0.25, "wavelength_nm": [640.0, 530.0, 450.0][number]}},
        "sky_grid": {"scale": 1, "pixel_scale_arcsec": 0.2, "camera_pixel_over_nyquist": 1.0},
        "seconds": {"total": 10.0}, "product": f"evaluate/{number}",
    }  # fmt: skip


def parts(tmp_path: Path, *published: str) -> list[Part]:
    words = published or ("sky", "sky", "sky")
    return [Part(name, report(n, words[n]), tmp_path / "out" / f"p {n}", None) for n, name in enumerate(FILTERS)]


@pytest.fixture
def product(store: Store) -> Product:
    found, light = Product("combine", "c" * 32), np.random.default_rng(0).random((3, 20, 24), np.float32)
    with store.draft(found, {}, lambda: 1.5) as draft:
        draft.fill(
            Combined(
                published=light,
                sky=light,
                stack=light,
                belief=light,
                filters=FILTERS,
                offsets=np.array([[1.25, 0], [0, 0], [-2, 3]], np.float32),
                verdict="sky",
                stretch="gamma",
                pixel_width=0.2,
                luminance="",
            )
        )  # fmt: skip
    return found


def test_the_parts_are_joined(store: Store, product: Product, tmp_path: Path) -> None:
    told = describe_group(store, product, "Jup_RGB", parts(tmp_path), tmp_path / "out" / "Jup_RGB")
    assert told["capture"]["frames"] == 300
    assert told["capture"]["middle_utc"] == "2026-11-20T21:02:30.000+00:00"
    assert told["capture"]["started"] == "2026-11-20T22:00:00"
    assert told["capture"]["dropped_frames"] == 3
    assert told["settings"]["telescope"]["wavelength_nm"] == [640.0, 530.0, 450.0]
    assert [row["filter"] for row in told["channels"]] == FILTERS
    assert told["parts"][2]["moved_px"] == [-2.0, 3.0]
    assert told["parts"][0]["link"] == "../p%200/report.html"
    assert told["seconds"]["total"] == 31.5
    assert told["products"] == [f"combine/{'c' * 32}"]
    assert "red by 1.25, 0.00 px" in told["verdict"][1]
    assert "Jupiter turned by 2.4 degrees" in told["verdict"][-1]


def test_a_preview_among_the_parts_is_said(store: Store, product: Product, tmp_path: Path) -> None:
    told = describe_group(store, product, "Jup_RGB", parts(tmp_path, "sky", "preview", "sky"), tmp_path)
    assert told["published"] == "preview"
    assert "PREVIEW" in told["verdict"][0]


def test_a_part_without_a_time_leaves_the_middle_open(store: Store, product: Product, tmp_path: Path) -> None:
    given = parts(tmp_path)
    given[0].report["capture"]["middle_utc"] = None
    told = describe_group(store, product, "Jup_RGB", given, tmp_path)
    assert told["capture"]["middle_utc"] is None
    assert not any("turned" in line for line in told["verdict"])


def test_page_and_pictures(store: Store, product: Product, tmp_path: Path) -> None:
    told = describe_group(store, product, "Jup_RGB", parts(tmp_path), tmp_path)
    pictures = group_pictures(store, product, told, "none")
    assert pictures.finest_believed_cpp == 0.4
    assert told["thumbnails"]["width_arcsec"] == pytest.approx(24 * 0.2)
    page = rendered(group_page(store, product, told))
    assert "&lt;b&gt;green&lt;/b&gt;.ser" in page
    assert "<b>green</b>.ser" not in page
    assert "Round by round" not in page
