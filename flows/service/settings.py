"""Settings of `stillsky serve`: which server, its password, Prefect's environment, the time zone, what is printed."""

import ipaddress
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from configs.load import BadConfig
from configs.request import ServeRequest
from flows.server import embedded
from flows.server.access import CLIENT_VARIABLE, SERVER_VARIABLE, keep_password, kept_password, password_file
from flows.server.home import RESULTS, make_home
from flows.service.child_process import SERVER_NAMES
from flows.ui import report_links as reports
from storage.errors import StillskyError


@dataclass(frozen=True)
class ServerChoice:
    """Which server is used."""

    own: bool
    """Started by this serve, not joined by PREFECT_API_URL?"""
    new_password: str = ""
    """The password where it was made just now: the only time it is printed."""


def choose_server(request: ServeRequest, root: Path) -> ServerChoice:
    """Choose the server and set Prefect's environment, before Prefect is imported."""
    home = root / "prefect"
    make_home(home)
    os.environ["PREFECT_HOME"] = str(home)  # run locks, worker and server have to agree
    embedded.set_environment(root)
    os.environ.setdefault("PREFECT_WORKER_QUERY_SECONDS", "5")
    os.environ.setdefault("PREFECT_CLIENT_MAX_RETRIES", "10")  # a run outlives a restart of the server
    if request.results is not None:
        os.environ[RESULTS] = str(request.results)
    if os.environ.get("PREFECT_API_URL"):
        return ServerChoice(own=False)
    port = _port(request.host, request.port)
    url = f"http://{_local_name(request.host)}:{port}"
    if request.database:
        os.environ["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = request.database
    new_password = _set_password(request, home)
    if request.results is not None:
        os.environ[reports.FOLDER] = str(request.results)
    settings = {
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_SERVER_API_HOST": request.host,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_UI_API_URL": "/api",  # whatever name the page was opened by
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": url,
        SERVER_NAMES: " ".join([request.host, *request.server_name]),
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    }
    os.environ.update(settings)
    return ServerChoice(own=True, new_password=new_password)


def _set_password(request: ServeRequest, home: Path) -> str:
    """Let the server ask for a password, and our own processes know it; returns one that was made just now."""
    from_environment = os.environ.get(SERVER_VARIABLE, "")
    if request.auth == "none":
        if from_environment:
            raise BadConfig(f"--auth none: {SERVER_VARIABLE} is set; unset it, or leave --auth out")
        os.environ.pop(CLIENT_VARIABLE, None)
        return ""
    kept = from_environment or kept_password(home)
    password = kept or keep_password(home)
    os.environ[SERVER_VARIABLE] = os.environ[CLIENT_VARIABLE] = password
    return "" if kept else password


def announce(request: ServeRequest, root: Path, next_run: str, server: ServerChoice) -> list[str]:
    """What serves where."""
    ui = os.environ["PREFECT_API_URL"].removesuffix("/api")
    lines = [f"UI       {ui}", f"store    {root}"]
    if request.inbox is not None:
        lines += [f"inbox    {request.inbox}", f"results  {request.results}"]
    if server.new_password:
        lines.append(f"password {server.new_password} (shown this once; kept in {password_file(root / 'prefect')})")
    elif server.own and request.auth == "none":
        who = "every user of this machine" if _loopback(request.host) else f"everyone who reaches {request.host}"
        lines.append(f"warning  {who} can start and cancel runs here; leave out --auth none")
    elif server.own:
        where = password_file(root / "prefect")
        lines.append(f"password of {SERVER_VARIABLE}" if not where.exists() else f"password in {where}")
    lines.append(f"night    {next_run}")
    return lines


def local_timezone() -> str:
    """The IANA name of this machine's time zone; UTC where it does not say."""
    named = os.environ.get("TZ", "").lstrip(":")
    if named and not named.startswith("/"):
        return named
    target = str(Path("/etc/localtime").resolve())
    return target.partition("/zoneinfo/")[2] or "UTC"


def _port(host: str, wanted: int) -> int:
    """The port, where it is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, wanted))
        except OSError as error:
            raise StillskyError(
                f"the server cannot listen on {host} port {wanted}: {error.strerror}; choose another --port, or set "
                f"PREFECT_API_URL to join the server that is there"
            ) from None
        return int(probe.getsockname()[1])


def _local_name(host: str) -> str:
    """How this machine itself reaches a server on that address."""
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1" if host == "0.0.0.0" else "[::1]"
    return f"[{host}]" if ":" in host else host


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
