"""What the steps took on each machine so far: one small table of the store, a line per step that was made."""

import contextlib
import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from storage.atomic import atomic
from storage.errors import StoreError
from storage.locks import NO_LINKS

FILE = "costs.jsonl"
"""Its name in the store."""
MAX_BYTES = 400_000
"""A longer table loses its older half."""


@dataclass(frozen=True)
class Cost:
    """What one step took."""

    machine: str
    """Where: host, device and threads."""
    kind: str
    """The step, and which use of it: uses that cost differently have rates of their own."""
    amount: float
    """How much work it was, in the unit of its kind (frames x pixels x ...)."""
    seconds: float
    """How long it took."""


def machine_name(device: str, cluster: bool = False) -> str:
    """This machine as the table calls it: a rate of one machine, device or number of threads says little of another."""
    threads = os.environ.get("OMP_NUM_THREADS") or str(os.cpu_count() or 1)
    return f"{socket.gethostname()} {device} {threads} threads{' dask' if cluster else ''}"


def note_cost(root: Path, cost: Cost) -> None:
    """Add a line; a disk that refuses it costs a line, not a run."""
    path = root / FILE
    with contextlib.suppress(OSError, StoreError):
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | NO_LINKS
        descriptor = os.open(path, flags, 0o666)
        try:
            os.write(descriptor, (json.dumps(asdict(cost)) + "\n").encode())
            size = os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
        if size > MAX_BYTES:
            lines = path.read_bytes().splitlines(keepends=True)
            with atomic(path) as temporary:
                temporary.write_bytes(b"".join(lines[len(lines) // 2 :]))


def costs_of(root: Path, machine: str) -> list[Cost]:
    """The lines of one machine, oldest first; lines that cannot be read count as not written."""
    found = []
    with contextlib.suppress(OSError):
        for line in (root / FILE).read_bytes().splitlines():
            with contextlib.suppress(ValueError, TypeError):
                cost = Cost(**json.loads(line))
                if cost.machine == machine and cost.amount > 0 and cost.seconds > 0:
                    found.append(cost)
    return found
