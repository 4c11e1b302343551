"""Who may use a Prefect server of ours: its password, and a guard against requests of foreign web pages."""

import base64
import hmac
import ipaddress
import os
import secrets
import socket
import stat
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from storage.errors import StillskyError
from storage.locks import NO_LINKS

SERVER_VARIABLE, CLIENT_VARIABLE = "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"
"""Prefect's own settings, each user:password: what the server asks for, what clients send."""
USER = "stillsky"
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
PROTECTED = "/reports"
"""Below this path the guard asks for the password; below /api Prefect does."""

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]


def password_file(home: Path) -> Path:
    """Where the password of the server with this Prefect home is kept, in a file that only its user can read."""
    return home / "password"


def new_password() -> str:
    """user:password, as Prefect wants it."""
    return f"{USER}:{secrets.token_urlsafe(24)}"


def kept_password(home: Path) -> str:
    """The password made at an earlier start; empty where there is none."""
    try:
        descriptor = os.open(password_file(home), os.O_RDONLY | NO_LINKS)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise StillskyError(f"{password_file(home)} cannot be read ({error.strerror}); remove it") from None
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
            raise StillskyError(f"{password_file(home)} can be read or written by others; remove it: a new one is made")
        return file.read().strip()


def keep_password(home: Path) -> str:
    """Make a password and keep it; the file is never readable by others, nor half-written."""
    password, path = new_password(), password_file(home)
    temporary = path.with_name(".password.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINKS, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(password + "\n")
    temporary.replace(path)
    return password


def picture_key(password: str) -> str:
    """What a page of results shows its pictures with: browsers send no password for the pictures of a sandboxed page."""
    return hmac.new(password.encode(), b"pictures", "sha256").hexdigest()[:32]


class Guard:
    """Passes on to a server's app only what is addressed to this server, and comes from its own pages or from no page.

    A page of another site that a browser shows may send requests here, but its origin shows in them; a site that makes
    its own name point to this machine shows that name as the host. An address in numbers cannot be such a name.
    """

    def __init__(self, app: App, names: Iterable[str] = (), password: str = "") -> None:
        own = (*LOOPBACK_NAMES, socket.gethostname(), *names)
        self.app, self.names, self.password = app, {name.lower() for name in own}, password

    async def __call__(
        self, scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        """Answer, or pass on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_own(host):
            await _refuse(scope, send, 421, f"this server is not called {host[:80]}; see --server-name")
        elif origin is not None and _parts(origin).netloc != host:
            await _refuse(scope, send, 403, "requests of other sites' pages are refused")
        elif scope["path"].startswith(PROTECTED) and not self._may_read(scope, headers.get("authorization", "")):
            await _refuse(scope, send, 401, "the password is needed")
        else:
            await self.app(scope, receive, send)

    def _is_own(self, host: str) -> bool:
        name = (_parts(f"//{host}").hostname or "").lower().rstrip(".")
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self.names
        return True

    def _may_read(self, scope: Scope, authorization: str) -> bool:
        if not self.password or self._knows(authorization):
            return True
        key = f"key={picture_key(self.password)}".encode()
        return scope["path"].endswith(".png") and hmac.compare_digest(scope.get("query_string", b""), key)

    def _knows(self, authorization: str) -> bool:
        expected = base64.b64encode(self.password.encode()).decode()
        return hmac.compare_digest(authorization.encode("latin-1", "replace"), f"Basic {expected}".encode("latin-1"))


def _parts(address: str) -> SplitResult:
    """The parts of an address; all empty where it is none."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


async def _refuse(scope: Scope, send: Callable[[Any], Awaitable[None]], status: int, reason: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": reason[:100]})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="stillsky", charset="UTF-8"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{reason}\n".encode("utf-8", "replace")})
