"""The page stands alone, is well-formed, and runs nothing that a capture brought."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from storage.errors import StoreError
from storage.results.export import save_text
from tasks.reporting.html import LARGEST_PX, Misfit, Page, Picture, Stage, Tile, rendered
from tasks.reporting.svg import Chart, Series

RNG = np.random.default_rng(1)
FALSE = {"false_power_low": 0.01, "false_power_mid": 0.02, "false_power_high": 0.03}
EVIL = "<script>alert(1)</script>.ser"
VOID = {"meta", "img", "input", "link", "br"}


class Elements(HTMLParser):
    """Every element with its attributes and text; refuses what is not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def report(name: str) -> dict[str, Any]:
    row = {"heldout_frames": 3, "heldout_chi2_sky": 1.0, "heldout_chi2_stack": 2.5, "d_over_r0": float("nan")}
    return {
        "capture": {
            "name": name, "fingerprint": "ab" * 32, "frames": 9, "shape": [1, 12, 17],
            "facts": {"observer": name, name: "x"}, "dropped_frames": 2,
        },
        "software": "stillsky 0", "published": "sky", "verdict": [f"The sky of {name}."],
        "settings": {"telescope": {"aperture_m": None, "wavelength_nm": [620.0, 460.0]}, "rounds": [{"sky": {"prior": name}}]},
        "frames": {"used": 8, "held_out": 1, "black": 1}, "channels": [row],
        "truth": {"stack": {"psnr_db": 20.0, "ssim": 0.5, "frc_cutoff_cpp": 0.1, **FALSE}},
        "seconds": {"ingest": 0.0, "solve_sky 2": 3.0, "total": 3.0},
    }  # fmt: skip


def page(name: str = "jupiter.ser", shape: tuple[int, ...] = (1, 12, 17)) -> Page:
    chart = Chart(name, name, "frame", name, (Series(name, np.arange(3.0), np.arange(3.0), tips=(name,) * 3),))
    sky, stack = (RNG.normal(100, 20, shape).astype(np.float32) for _ in range(2))
    return Page(
        report=report(name),
        made=1e9,
        stretch="gamma",
        figures={"Seeing": (name, name)},
        pictures=(Picture("stack", "Stack", name, stack), Picture("sky", "Sky", "", sky)),
        stages=(Stage(name, "sky", {name: name}),),
        frames=(chart,),
        seeing=(chart,),
        resolution=(chart,),
        psfs=(Tile(name, name, np.eye(9, dtype=np.float32)),),
        psf_note=name,
        misfit=Misfit(np.where(np.eye(12, 17) > 0, np.nan, 1).astype(np.float32), 24),
    )


def decoded(uri: str | None) -> Image.Image:
    assert uri
    return Image.open(BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_curves_of_one_name_have_one_key() -> None:
    line = np.arange(3.0)
    many = tuple(Series("round 1", line, line + k, "line") for k in range(3))
    text = rendered(replace(page(), seeing=(Chart("Loss", "", "step", "loss", many),)))
    assert text.count("round 1</span>") == 1


def test_nothing_is_fetched() -> None:
    text = rendered(page())
    assert not re.search(r"""(?:https?:)?//[a-z0-9]|@import|<link|url\(|<iframe""", re.sub(r"base64,[^\"]+", "", text))
    elements = Elements(text)
    assert all((img.get("src") or "data:image/").startswith("data:image/") for img in elements.all("img"))
    assert not [a for _, attributes in elements.found for a in attributes if a.startswith("on")]


def test_nothing_from_a_capture_runs() -> None:
    honest, evil = Elements(rendered(page())), Elements(rendered(page(EVIL)))
    assert evil.scripts == honest.scripts
    assert [tag for tag, _ in evil.found] == [tag for tag, _ in honest.found], "a name adds no element"
    assert EVIL not in rendered(page(EVIL))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.ser" in rendered(page(EVIL))


@pytest.mark.parametrize("name", ['"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}{% raw %}", "a' onload='alert(1)"])
def test_neither_attributes_nor_templates_can_be_broken_out_of(name: str) -> None:
    honest, evil = Elements(rendered(page())), Elements(rendered(page(name)))
    assert [(tag, set(a)) for tag, a in evil.found] == [(tag, set(a)) for tag, a in honest.found]


def test_only_the_pages_own_script_may_run() -> None:
    elements = Elements(rendered(page(EVIL)))
    (policy,) = [m["content"] for m in elements.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    mark = base64.b64encode(hashlib.sha256(elements.scripts.encode()).digest()).decode()
    assert policy is not None
    assert f"script-src 'sha256-{mark}'" in policy
    assert "default-src 'none'" in policy
    assert len(elements.all("script")) == 1


@pytest.mark.parametrize(("shape", "mode"), [((1, 12, 17), "L"), ((3, 12, 17), "RGB"), ((2, 12, 17), "L")])
def test_pictures_share_black_and_white(shape: tuple[int, ...], mode: str) -> None:
    flat = np.full(shape, 50, np.float32)
    lit = flat.copy()
    lit[:, 4:8, 4:8] = 100
    made = replace(page(), pictures=(Picture("stack", "Stack", "", flat), Picture("sky", "Sky", "", lit)))
    dark, bright = (decoded(i["src"]) for i in Elements(rendered(made)).all("img") if i.get("data-key"))
    assert dark.mode == bright.mode == mode
    assert dark.size == (17, 12)
    assert np.asarray(dark).max() == 0
    assert np.asarray(bright).max() == 255


def test_a_large_noisy_capture_makes_a_light_page() -> None:
    made = page(shape=(3, 1500, 1200))
    text = rendered(made)
    assert len(text) < 3_000_000
    sizes = [decoded(i["src"]).size for i in Elements(text).all("img") if i.get("data-key")]
    assert sizes == [(LARGEST_PX * 1200 // 1500, LARGEST_PX)] * 2


def test_the_unknown_is_transparent_and_bare_pages_work() -> None:
    (image,) = [decoded(i["src"]) for i in Elements(rendered(page())).all("img") if "misfit" in (i.get("alt") or "")]
    assert (np.asarray(image)[..., 3] == 0).sum() == 12
    assert "Map of the misfit" not in rendered(replace(page(), misfit=None))
    nothing = replace(page(), misfit=Misfit(np.full((4, 4), np.nan, np.float32), 0))
    assert "–" in rendered(nothing)


def test_settings_are_all_there() -> None:
    text = rendered(page())
    assert "rounds 1 · sky" in text
    assert "620.0, 460.0" in text


def test_the_file_is_whole_or_not_there(tmp_path: Path) -> None:
    save_text(tmp_path / "report.html", rendered(page("\udcff.ser")))  # a file name that is no UTF-8
    assert "?.ser" in (tmp_path / "report.html").read_text(encoding="utf-8")
    with pytest.raises(TypeError):
        save_text(
            tmp_path / "report.html", rendered(replace(page(), psfs=(Tile("", "", np.ones((2, 2, 2, 2), np.float32)),)))
        )
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    assert "?.ser" in (tmp_path / "report.html").read_text(encoding="utf-8")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"report\.html cannot be written .*--out"):
        save_text(tmp_path / "file" / "report.html", rendered(page()))


def test_pages_that_share_the_style_sheet_do_not_share_the_pairs() -> None:
    """The gallery's squares of two pictures stretched the report's pictures over the text below them."""
    sheet = (Path(__file__).parents[3] / "tasks/reporting/templates" / "page.css").read_text(encoding="utf-8")
    rules = re.findall(r"([^{}]*\.pair\b[^{}]*)\{([^}]*)\}", sheet)
    assert len(rules) >= 4
    assert all(".shot" in selector or "grid-template-columns" in body for selector, body in rules)
