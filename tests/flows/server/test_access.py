"""The guard of a server: own names, own pages, the password; and the file the password is kept in."""

import asyncio
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from flows.server.access import Guard, keep_password, kept_password, password_file, picture_key
from storage.errors import StillskyError


def ask(path: str = "/api/flows", auth: tuple[str, str] | None = None, **headers: str) -> httpx.Response:
    async def reply(request: Request) -> PlainTextResponse:
        return PlainTextResponse("reached")

    async def answer() -> httpx.Response:
        app: Any = Guard(Starlette(routes=[Route("/{path:path}", reply)]), ["sky.example"], "me:secret")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), auth=auth) as client:
            return await client.get(f"http://127.0.0.1:4200{path}", headers=headers)

    return asyncio.run(answer())


@pytest.mark.parametrize(
    "host", ["127.0.0.1:4200", "localhost:9999", "[::1]:4200", "sky.example", "SKY.example:80", "192.168.1.7:4200"]
)
def test_own_names_and_addresses_are_answered(host: str) -> None:
    assert ask(Host=host).text == "reached"
    assert ask(Host=host, Origin=f"http://{host}").text == "reached"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "[x", "evil:4200"]
)
def test_a_name_that_somebody_else_points_here_is_refused(host: str) -> None:
    answer = ask(Host=host)
    assert (answer.status_code, "reached" in answer.text) == (421, False)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:8000", "http://127.0.0.1:4201", "http://[x", ""]
)
def test_pages_of_other_sites_are_refused(origin: str) -> None:
    answer = ask(Host="127.0.0.1:4200", Origin=origin)
    assert (answer.status_code, "reached" in answer.text) == (403, False)


def test_reports_need_the_password() -> None:
    refused = ask("/reports/jupiter")
    assert (refused.status_code, refused.headers["www-authenticate"].split()[0]) == (401, "Basic")
    assert ask("/reports/jupiter", ("me", "wrong")).status_code == 401
    assert ask("/reports/jupiter", ("me", "secret")).text == "reached"


def test_pictures_of_a_page_come_with_its_key() -> None:
    key = picture_key("me:secret")
    assert ask(f"/reports/jupiter/sky_thumb.png?key={key}").text == "reached"
    for address in (f"/reports/jupiter?key={key}", f"/reports/a.png?key={key[:-1]}x", f"/reports/a.png?x=1&key={key}"):
        assert ask(address).status_code == 401
    assert picture_key("me:other") != key


def test_websockets_are_guarded_too() -> None:
    sent: list[Any] = []

    async def connect() -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            raise AssertionError("reached")

        async def send(message: Any) -> None:
            sent.append(message["type"])

        headers = [(b"host", b"127.0.0.1:4200"), (b"origin", b"http://evil.example")]
        scope = {"type": "websocket", "path": "/api/events/out", "headers": headers}
        await Guard(app)(scope, send, send)  # type: ignore[arg-type]

    asyncio.run(connect())
    assert sent == ["websocket.close"]


def test_a_password_is_kept_for_its_user_alone(tmp_path: Path) -> None:
    assert kept_password(tmp_path) == ""
    password = keep_password(tmp_path)
    assert kept_password(tmp_path) == password
    assert len(password) > 30
    assert stat.S_IMODE(password_file(tmp_path).stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["password"]
    password_file(tmp_path).chmod(0o644)
    with pytest.raises(StillskyError, match="remove it"):
        kept_password(tmp_path)


def test_a_password_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "known").write_text("stillsky:known")
    (tmp_path / "known").chmod(0o600)
    password_file(tmp_path).symlink_to(tmp_path / "known")
    with pytest.raises(StillskyError, match="remove it"):
        kept_password(tmp_path)
