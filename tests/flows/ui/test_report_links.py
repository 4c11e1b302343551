"""Reports beside the web page: pages of the results folder, and nothing else."""

import asyncio
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

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
        async with httpx.AsyncClient(transport=app) as client:
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


def test_nothing_else_can_be_asked_for(folder: Path, tmp_path: Path) -> None:
    outside = report(tmp_path / "outside", "secret")
    (report(folder / "in") / "sky.fits").write_text("secret")
    (folder / "link").symlink_to(outside)
    (folder / "page").mkdir()
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
