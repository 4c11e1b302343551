"""A child process as its parent sees it: started again after a pause that grows while it keeps dying."""

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from flows.server.home import open_log
from flows.server.python_command import python_command, safe_environment
from flows.service.child_process import PARENT

BACKOFF_S = (1.0, 60.0)
"""Pause before a child that died is started again: after the first death, and at most."""
STABLE_S = 300.0
"""After a child has lived this long its earlier deaths no longer count."""
STOP_S = 15.0
"""Longest wait for a child to end tidily."""


@dataclass
class SupervisedProcess:
    """One process of flows/service/child_process.py."""

    arguments: tuple[str, ...]
    """Of `python -m flows.service.child_process`."""
    log: Path
    """Its output is appended to this file; the file's folder is its working directory."""
    process: "subprocess.Popen[bytes] | None" = None
    deaths: int = 0
    started: float = 0.0
    not_before: float = 0.0

    def start(self) -> None:
        """Start it, in a session of its own: Ctrl-C in a terminal is for serve, which stops its children in order."""
        self.started = time.monotonic()
        with open_log(self.log) as log:
            self.process = subprocess.Popen(
                python_command("flows.service.child_process", *self.arguments),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.log.parent,
                env={**safe_environment(), PARENT: str(os.getpid())},
            )

    @property
    def due(self) -> bool:
        """Is it down, and may it start?"""
        return self.process is None and time.monotonic() >= self.not_before

    def died(self) -> bool:
        """Has it ended since the last look?"""
        if self.process is None or self.process.poll() is None:
            return False
        self.process = None
        now = time.monotonic()
        self.deaths = 1 if now - self.started > STABLE_S else self.deaths + 1
        self.not_before = now + min(BACKOFF_S[0] * 2.0 ** (self.deaths - 1), BACKOFF_S[1])
        return True

    def stop(self) -> None:
        """End it: tidily, or after a while at once."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
