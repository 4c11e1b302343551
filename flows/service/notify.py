"""The user's own command at the end of a night, called with the summary; whatever it does, the night is done."""

import contextlib
import json
import logging
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from configs.schema import NightSettings

log = logging.getLogger("stillsky")


def notify(settings: NightSettings, summary: dict[str, Any]) -> None:
    """Call it in a shell, in the user's home folder: the summary as JSON on its standard input, facts in STILLSKY_NIGHT_*."""
    if not settings.notify:
        return
    good = summary["state"] == "done" and not summary["counts"].get("failed")
    facts = {
        "FOLDER": summary["folder"],
        "OUT": summary["out"],
        "OUTCOME": "success" if good else "failure",
        "STATE": summary["state"],
        "REASON": summary["reason"],
        **{
            f"{name.upper()}": str(summary["counts"].get(name, 0))
            for name in ("restored", "cached", "failed", "waiting")
        },
    }
    environment = {**os.environ, **{f"STILLSKY_NIGHT_{name}": value for name, value in facts.items()}}
    try:
        child = subprocess.Popen(
            settings.notify, shell=True, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, cwd=_user_folder(), start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        log.warning("the notify command could not be started: %s", error)
        return
    try:
        output, _ = child.communicate(json.dumps(summary).encode(), settings.notify_timeout_s)
        if child.returncode:
            log.warning("the notify command failed (%d): %s", child.returncode, output[-300:].decode(errors="replace"))
    except subprocess.TimeoutExpired:
        log.warning("the notify command was stopped after %.0f s", settings.notify_timeout_s)
    finally:
        if child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _user_folder() -> str:
    """The user's home folder: never one that others fill."""
    home = Path("~").expanduser()
    return str(home) if home.is_dir() else "/"
