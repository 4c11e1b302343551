"""The surroundings of serve: loopback unless told otherwise, a port that is free, a time zone with a name."""

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs.load import BadConfig
from configs.request import ServeRequest
from flows.service.settings import announce, choose_server, local_timezone
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
    choice = choose_server(ServeRequest(port=0), tmp_path)
    assert choice.own
    url = os.environ["PREFECT_API_URL"]
    assert url.startswith("http://127.0.0.1:")
    assert os.environ["PREFECT_UI_API_URL"] == "/api"
    assert os.environ["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] == url.removesuffix("/api")
    assert os.environ["PREFECT_SERVER_API_HOST"] == "127.0.0.1"
    assert os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert os.environ["PREFECT_HOME"] == str(tmp_path / "prefect")


def test_a_password_is_made_once_and_shown_once(tmp_path: Path) -> None:
    first = choose_server(ServeRequest(port=0), tmp_path)
    file = tmp_path / "prefect" / "password"
    assert file.read_text() == f"{first.new_password}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.environ["PREFECT_SERVER_API_AUTH_STRING"] == os.environ["PREFECT_API_AUTH_STRING"] == first.new_password
    assert [line for line in announce(ServeRequest(), tmp_path, "", first) if first.new_password in line]
    for name in ("PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING", "PREFECT_API_URL"):
        del os.environ[name]
    second = choose_server(ServeRequest(port=0), tmp_path)
    assert second.new_password == ""
    assert os.environ["PREFECT_SERVER_API_AUTH_STRING"] == first.new_password
    lines = announce(ServeRequest(), tmp_path, "", second)
    assert not [line for line in lines if first.new_password in line]
    assert f"password in {file}" in lines


def test_the_users_own_password_is_taken_and_not_written_down(tmp_path: Path) -> None:
    os.environ["PREFECT_SERVER_API_AUTH_STRING"] = "me:secret"
    choice = choose_server(ServeRequest(port=0), tmp_path)
    assert os.environ["PREFECT_API_AUTH_STRING"] == "me:secret"
    assert (choice.new_password, list((tmp_path / "prefect").iterdir())) == ("", [])


def test_no_password_only_on_demand_and_with_a_warning(tmp_path: Path) -> None:
    request = ServeRequest(host="0.0.0.0", port=0, auth="none")
    choice = choose_server(request, tmp_path)
    assert "PREFECT_SERVER_API_AUTH_STRING" not in os.environ
    assert os.environ["PREFECT_API_URL"].startswith("http://127.0.0.1:")
    assert [line for line in announce(request, tmp_path, "", choice) if line.startswith("warning  everyone")]
    os.environ.pop("PREFECT_API_URL")
    os.environ["PREFECT_SERVER_API_AUTH_STRING"] = "me:secret"
    with pytest.raises(BadConfig, match="unset it"):
        choose_server(request, tmp_path)


def test_a_server_that_is_there_is_joined(tmp_path: Path) -> None:
    os.environ["PREFECT_API_URL"] = "http://10.0.0.1:4200/api"
    assert not choose_server(ServeRequest(), tmp_path).own
    assert os.environ["PREFECT_API_URL"] == "http://10.0.0.1:4200/api"


def test_postgresql_by_one_setting(tmp_path: Path) -> None:
    url = "postgresql+asyncpg://prefect@127.0.0.1/prefect"
    choose_server(ServeRequest(port=0, database=url), tmp_path)
    assert os.environ["PREFECT_SERVER_DATABASE_CONNECTION_URL"] == url


def test_a_port_in_use_is_said_with_the_remedy(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StillskyError, match=f"127.0.0.1 port {port}: .*in use; choose another --port"):
            choose_server(ServeRequest(port=port), tmp_path)


def test_the_time_zone_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from zoneinfo import ZoneInfo

    monkeypatch.setenv("TZ", ":Europe/Berlin")
    assert local_timezone() == "Europe/Berlin"
    monkeypatch.delenv("TZ")
    ZoneInfo(local_timezone())
