"""Products that tests of the store make, and processes that are killed while they make one."""

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from storage.declared import Content, Value
from storage.product import Product
from storage.store import Store

SKY = Product("sky", "a" * 32)

OTHER = Product("sky", "b" * 32)

RECIPE = {"version": "1", "inputs": [["shifts", "c" * 32]], "capture": "jupiter.ser"}


@dataclass(frozen=True)
class Number(Content):
    """A part of a journal, and a product of the step `sky`."""

    step: ClassVar[str] = "sky"
    value: Annotated[float, Value("", "A number.")]


def make(store: Store, product: Product = SKY, size: int = 1000) -> None:
    with store.create(product, RECIPE) as file:
        file.create_dataset("sky", data=np.arange(size), chunks=(min(size, 1000),), fletcher32=True)


def files(store: Store) -> list[str]:
    return sorted(str(p.relative_to(store.root)) for p in store.root.rglob("*") if p.is_file())


def python(code: str, *args: Any, limit: float = 600) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=limit)


def killed(code: str, *args: Any) -> int:
    """Start a process, wait until it says `ready`, kill it where it stands; returns its number."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, args)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        return child.pid
