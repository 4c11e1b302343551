"""The surroundings of `stillsky serve`: which server, which settings of Prefect, which time zone, what the user is told."""

import ipaddress
import os
import socket
from pathlib import Path

from configs.request import ServeRequest
from flows.server import embedded
from flows.ui import report_links as reports
from storage.errors import StillskyError


def settle_server(request: ServeRequest, root: Path) -> bool:
    """Choose the server before Prefect is imported; True for an own one, False for the one of PREFECT_API_URL."""
    home = root / "prefect"
    home.mkdir(parents=True, exist_ok=True)
    os.environ["PREFECT_HOME"] = str(home)  # run locks, worker and server have to agree
    embedded.settle_environment(root)
    os.environ.setdefault("PREFECT_WORKER_QUERY_SECONDS", "5")
    os.environ.setdefault("PREFECT_CLIENT_MAX_RETRIES", "10")  # a run outlives a restart of the server
    if os.environ.get("PREFECT_API_URL"):
        return False
    port = _port(request.host, request.port)
    url = f"http://{_named(request.host)}:{port}/api"
    if request.database:
        os.environ["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = request.database
    if secret := os.environ.get("PREFECT_SERVER_API_AUTH_STRING"):
        os.environ.setdefault("PREFECT_API_AUTH_STRING", secret)
    if request.results is not None and _loopback(request.host) and not secret:  # nobody asks the reader for a password
        os.environ[reports.FOLDER] = str(request.results.absolute())
    settings = {
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_API_HOST": request.host,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_UI_API_URL": url if _loopback(request.host) else "/api",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    }
    os.environ.update(settings)
    return True


def announce(request: ServeRequest, root: Path, next_run: str) -> list[str]:
    """What serves where."""
    ui = os.environ["PREFECT_API_URL"].removesuffix("/api")
    lines = [f"UI       {ui}", f"store    {root}"]
    if request.inbox is not None:
        lines += [f"inbox    {request.inbox.absolute()}", f"results  {request.results}"]
    lines.append(f"night    {next_run}")
    if not _loopback(request.host) and not os.environ.get("PREFECT_SERVER_API_AUTH_STRING"):
        lines.append(
            f"warning  everyone who reaches {request.host} can start and cancel runs here; set "
            f"PREFECT_SERVER_API_AUTH_STRING=user:password, or leave --host out"
        )
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


def _named(host: str) -> str:
    """How this machine itself reaches a server on that address."""
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1" if host == "0.0.0.0" else "[::1]"
    return f"[{host}]" if ":" in host else host


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
