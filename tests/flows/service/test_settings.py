"""The surroundings of serve: loopback unless told otherwise, a port that is free, a time zone with a name."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs.request import ServeRequest
from flows.service.settings import announce, local_timezone, settle_server
from flows.ui import report_links as reports
from storage.errors import StillskyError


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = dict(os.environ)
    for name in [n for n in os.environ if n.startswith("PREFECT_")]:
        del os.environ[name]
    yield
    os.environ.clear()
    os.environ.update(before)


def test_the_server_is_this_machines_own(tmp_path: Path) -> None:
    assert settle_server(ServeRequest(port=0), tmp_path)
    url = os.environ["PREFECT_API_URL"]
    assert url.startswith("http://127.0.0.1:")
    assert os.environ["PREFECT_UI_API_URL"] == url
    assert os.environ["PREFECT_SERVER_API_HOST"] == "127.0.0.1"
    assert os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert os.environ["PREFECT_HOME"] == str(tmp_path / "prefect")
    assert not [line for line in announce(ServeRequest(), tmp_path, "") if "warning" in line]


def test_an_open_server_without_a_password_is_warned_of(tmp_path: Path) -> None:
    request = ServeRequest(host="0.0.0.0", port=0)
    settle_server(request, tmp_path)
    assert os.environ["PREFECT_API_URL"].startswith("http://127.0.0.1:")
    assert os.environ["PREFECT_UI_API_URL"] == "/api"
    assert "PREFECT_SERVER_API_AUTH_STRING" in announce(request, tmp_path, "")[-1]
    os.environ["PREFECT_SERVER_API_AUTH_STRING"] = "me:secret"
    assert "warning" not in announce(request, tmp_path, "")[-1]


@pytest.mark.parametrize(
    ("host", "secret", "shown"), [("127.0.0.1", "", True), ("::", "", False), ("127.0.0.1", "a:b", False)]
)
def test_reports_are_shown_only_where_nobody_needs_a_password(
    tmp_path: Path, host: str, secret: str, shown: bool
) -> None:
    os.environ.pop(reports.FOLDER, None)
    if secret:
        os.environ["PREFECT_SERVER_API_AUTH_STRING"] = secret
    settle_server(ServeRequest(inbox=tmp_path, host=host, port=0), tmp_path)
    assert os.environ.get(reports.FOLDER) == (str(tmp_path / "restored") if shown else None)


def test_a_server_that_is_there_is_joined(tmp_path: Path) -> None:
    os.environ["PREFECT_API_URL"] = "http://10.0.0.1:4200/api"
    assert not settle_server(ServeRequest(), tmp_path)
    assert os.environ["PREFECT_API_URL"] == "http://10.0.0.1:4200/api"


def test_postgresql_by_one_setting(tmp_path: Path) -> None:
    url = "postgresql+asyncpg://prefect@127.0.0.1/prefect"
    settle_server(ServeRequest(port=0, database=url), tmp_path)
    assert os.environ["PREFECT_SERVER_DATABASE_CONNECTION_URL"] == url


def test_a_port_in_use_is_said_with_the_remedy(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StillskyError, match=f"127.0.0.1 port {port}: .*in use; choose another --port"):
            settle_server(ServeRequest(port=port), tmp_path)


def test_the_time_zone_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from zoneinfo import ZoneInfo

    monkeypatch.setenv("TZ", ":Europe/Berlin")
    assert local_timezone() == "Europe/Berlin"
    monkeypatch.delenv("TZ")
    ZoneInfo(local_timezone())
