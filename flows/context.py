"""What flows are told beside their parameters: those are JSON, and a callback cannot be one."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TypeVar

Value = TypeVar("Value")


@contextlib.contextmanager
def value_within(variable: ContextVar[Value], value: Value) -> Iterator[None]:
    """Let a variable have a value inside the block."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)
