"""Reports beside the web page: pages of the results folder, and nothing else."""

import asyncio
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from flows.server.access import SERVER_VARIABLE, picture_key
from flows.ui.report_links import FOLDER, address, routes


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    monkeypatch.setenv(FOLDER, str(tmp_path / "restored"))
    return tmp_path / "restored"


def report(out: Path, words: str = "<p>sky</p>") -> Path:
    out.mkdir(parents=True)
    (out / "report.html").write_text(words)
    return out


def ask(url: str) -> httpx.Response:
    async def answer() -> httpx.Response:
        app = httpx.ASGITransport(Starlette(routes=list(routes())))
        async with httpx.AsyncClient(transport=app, follow_redirects=True) as client:
            return await client.get(url)

    return asyncio.run(answer())


def test_a_page_is_where_its_address_says(folder: Path) -> None:
    for name in ("jupiter_ser", "2026-11-20/a b (1)#%?_ser", "J\N{LATIN SMALL LETTER U WITH DIAERESIS}p"):
        url = address(report(folder / name, name))
        answer = ask(url)
        assert (answer.status_code, answer.text) == (200, name)
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["content-security-policy"].startswith("sandbox allow-scripts;")
        assert not set(url) & set(' ()#?<>"')
        assert answer.url.path.endswith("/report.html")  # so that its relative links hold


def test_the_gallery_and_its_pictures_can_be_asked_for(folder: Path) -> None:
    report(folder / "jupiter_ser", "the report")
    (folder / "jupiter_ser" / "sky_thumb.png").write_bytes(b"png")
    (folder / "index.html").write_text("gallery")
    assert address(folder) == "http://127.0.0.1:4200/reports/"
    for url in (address(folder), address(folder).rstrip("/")):
        assert (ask(url).text, ask(url).url.path) == ("gallery", "/reports/index.html")
    picture = ask(f"{address(folder)}jupiter_ser/sky_thumb.png")
    assert (picture.content, picture.headers["content-type"]) == (b"png", "image/png")
    assert picture.headers["content-security-policy"].startswith("sandbox")
    assert ask(f"{address(folder)}jupiter_ser/report.html").text == "the report"


def test_pictures_of_a_served_gallery_carry_its_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SERVER_VARIABLE, "me:secret")
    folder.mkdir(parents=True)
    (folder / "index.html").write_text(
        '<a href="a/report.html"><img src="a/sky_thumb.png"></a><li data-src="b/sky.png">'
    )
    key = picture_key("me:secret")
    page = ask(address(folder)).text
    assert (
        page == f'<a href="a/report.html"><img src="a/sky_thumb.png?key={key}"></a><li data-src="b/sky.png?key={key}">'
    )


def test_nothing_else_can_be_asked_for(folder: Path, tmp_path: Path) -> None:
    outside = report(tmp_path / "outside", "secret")
    (report(folder / "in") / "sky.fits").write_text("secret")
    (folder / "link").symlink_to(outside)
    (folder / "page").mkdir()
    (folder / "page" / "index.html").symlink_to(outside / "report.html")
    (folder / "in" / "sky_thumb.png").symlink_to(outside / "report.html")
    (folder / "page" / "report.html").symlink_to(outside / "report.html")
    names = [
        "../outside",
        "%2e%2e/outside",
        "..%2foutside",
        f"/{outside}",
        "link",
        "page",
        "in/sky.fits",
        "",
        "in/sky_thumb.png",
        "page/index.html",
        "x" * 300,
        "%00",
    ]
    for name in names:
        answer = ask(f"http://127.0.0.1:4200/reports/{name}")
        assert answer.status_code == 404, name
        assert "secret" not in answer.text


def test_only_what_a_server_shows_has_an_address(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert address(tmp_path / "elsewhere") == ""
    monkeypatch.delenv(FOLDER)
    assert address(folder / "jupiter_ser") == ""
    assert list(routes()) == []
