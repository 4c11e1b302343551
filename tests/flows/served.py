"""A stillsky serve as a process, on a store of its own, and what may be asked of it."""

import base64
import json
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATIENCE_S = 600.0
"""Longest wait for anything that serve is to do."""


@dataclass
class Served:
    """A `stillsky serve` on a store of its own."""

    folder: Path
    settings: tuple[str, ...]
    environment: dict[str, str]
    extra: tuple[str, ...] = ()
    lines: list[str] = field(default_factory=list)
    process: "subprocess.Popen[str] | None" = None

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    @property
    def words(self) -> list[str]:
        given = ["night.settle_s=0", "night.poll_s=0.1", "night.spare_gb=0", *self.settings]
        return [
            sys.executable, "-m", "flows.cli", "serve", "--inbox", str(self.inbox), "--store",
            str(self.folder / "store"), "--port", "0", "--timezone", "Europe/Berlin",
            "--allow", str(self.folder),
            *self.extra, *(word for setting in given for word in ("--set", setting)),
        ]  # fmt: skip

    def start(self) -> "Served":
        """Start it, and return when it says where it serves."""
        self.inbox.mkdir(exist_ok=True)
        self.lines.clear()
        log = (self.folder / "said.log").open("a")
        self.process = subprocess.Popen(
            self.words, stdout=subprocess.PIPE, stderr=log, text=True, env=self.environment, cwd=self.folder
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith("night "):
                return self
        raise AssertionError(f"{self.lines} {(self.folder / 'said.log').read_text()}")

    def stop(self, how: int = signal.SIGTERM) -> None:
        """End it, and wait until nothing of it is left."""
        assert self.process is not None
        family = self.family()
        self.process.send_signal(how)
        self.process.wait(PATIENCE_S)
        self.until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family), "processes are left")

    @property
    def api(self) -> str:
        return next(re.findall(r"http://\S+", line)[0] for line in self.lines if line.startswith("UI"))

    def ask(self, path: str, **body: Any) -> Any:
        """One call of Prefect's API."""
        data = json.dumps(body).encode() if body or path.endswith("/filter") else None
        end = time.monotonic() + PATIENCE_S
        while True:
            request = urllib.request.Request(f"{self.api}/api/{path}", data, {"Content-Type": "application/json"})
            try:
                with self.open(request) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                if error.code != 503 or time.monotonic() > end:  # 503: the database is busy
                    raise
                time.sleep(0.2)

    def open(self, request: urllib.request.Request) -> Any:
        """Any call, with the password."""
        password = (self.folder / "store" / "prefect" / "password").read_text().strip()
        request.add_header("Authorization", f"Basic {base64.b64encode(password.encode()).decode()}")
        return urllib.request.urlopen(request, timeout=600)

    def deployment(self, flow: str) -> Any:
        return self.ask(f"deployments/name/{flow}/{flow}")

    def begin(self, film: Path) -> str:
        """Ask for a capture, as the UI would; returns the run's number."""
        path = shutil.copy(film, self.folder) if film.parent != self.folder else film
        wanted = {"capture": str(path), "out": str(self.folder / "out"), "store": str(self.folder / "store")}
        body = {"parameters": {"request": {**wanted, "overrides": list(self.settings)}}}
        return str(self.ask(f"deployments/{self.deployment('capture')['id']}/create_flow_run", **body)["id"])

    def state(self, run: str) -> str:
        """Name of a run's state; empty while the server does not answer."""
        try:
            return str(self.ask(f"flow_runs/{run}")["state_name"])
        except OSError:
            return ""

    def solving(self) -> bool:
        """Is a solve in the middle of its parts?"""
        return any(len(list(p.glob("channel*.h5"))) for p in (self.folder / "store").glob("solve_psfs/*.parts"))

    def family(self) -> dict[int, str]:
        """Every process of this serve: number, and what it is."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().decode().split("\0")
                home = f"PREFECT_HOME={self.folder / 'store' / 'prefect'}\0".encode()
                if "flows.service.child_process" in words and home in (entry / "environ").read_bytes():
                    found[int(entry.name)] = words[words.index("flows.service.child_process") + 1]
            except OSError:
                continue
        return found

    def until(self, done: Callable[[], object], what: str) -> None:
        """Return when it is so."""
        end = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < end, what
            time.sleep(0.1)

    def pid(self, kind: str) -> int:
        """The process that is the server, the worker, a run or serve itself."""
        if kind == "serve":
            assert self.process is not None
            return self.process.pid
        self.until(lambda: kind in self.family().values(), f"no {kind}")
        return next(pid for pid, what in self.family().items() if what == kind)
