"""How runs end: a sentence as the state's message, known errors raised in the caller and logged without a traceback."""

import io
import logging
from typing import Any

import pytest
from prefect.states import State

from flows.ui.run_state import KnownErrors, ended, shorten_known_errors
from storage.errors import BadCapture


def test_a_result_is_a_completed_state_with_a_sentence() -> None:
    state: State[Any] = ended(lambda: {"n": 3}, lambda result: f"{result['n']} found")
    assert (state.is_completed(), state.message, state.data) == (True, "3 found", {"n": 3})


def test_a_known_error_is_a_failed_state_with_its_sentence() -> None:
    def fail() -> dict[str, Any]:
        raise BadCapture("a.ser: not a SER capture")

    state: State[Any] = ended(fail, str)
    assert (state.is_failed(), state.message) == (True, "a.ser: not a SER capture")
    assert isinstance(state.data, BadCapture)


def test_an_unknown_error_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        ended(lambda: {"n": 1 // 0}, str)


@pytest.mark.parametrize(
    ("error", "message", "line"),
    [
        (BadCapture("a.ser: broken"), "Task run failed with exception: %r - Retries are exhausted", "a.ser: broken"),
        (BadCapture("busy"), "Task run failed - Retry 1/2 will start 2 second(s) from now", "busy; it is tried again"),
        (ValueError("odd"), "Task run failed", "Task run failed"),
    ],
)
def test_logs_say_known_errors_in_a_sentence(error: Exception, message: str, line: str) -> None:
    stream = io.StringIO()
    logger = logging.getLogger("test_run_state")
    logger.addHandler(logging.StreamHandler(stream))
    logger.addFilter(KnownErrors())
    try:
        raise error
    except Exception:
        logger.exception(message, *(("x",) if "%r" in message else ()))
    first, *rest = stream.getvalue().splitlines()
    assert first == line
    assert bool(rest) == isinstance(error, ValueError), "a traceback only of what is not known"


def test_the_filter_is_set_once() -> None:
    for _ in range(2):
        shorten_known_errors()
    filters = logging.getLogger("prefect.flow_runs").filters
    assert sum(isinstance(each, KnownErrors) for each in filters) == 1
