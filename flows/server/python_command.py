"""How stillsky starts a Python process of its own: no code from the working directory can be imported by it."""

import os
import shlex
import sys
from pathlib import Path


def python_command(module: str, *arguments: str) -> list[str]:
    """This interpreter, running a module; -P keeps the working directory off the module path."""
    return [str(Path(sys.executable).absolute()), "-P", "-m", module, *arguments]


def shell_command(module: str, *arguments: str) -> str:
    """The same as one line, as Prefect's worker takes it."""
    return shlex.join(python_command(module, *arguments))


def safe_environment() -> dict[str, str]:
    """The environment for such a process and those that it starts; PYTHONPATH counts, as from where we were started."""
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    if entries := environment.get("PYTHONPATH"):
        # An empty entry means the working directory, which is another one there.
        environment["PYTHONPATH"] = os.pathsep.join(str(Path(e).absolute()) for e in entries.split(os.pathsep) if e)
    return environment
