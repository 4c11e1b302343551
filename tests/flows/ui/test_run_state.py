"""How runs end: a sentence as the state's message, known errors raised in the caller and logged without a traceback."""

import io
import logging
from typing import Any

import pytest
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed

from flows.ui.run_state import Endings, KnownErrors, ended, shorten_logs
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
        shorten_logs()
    filters = logging.getLogger("prefect.flow_runs").filters
    for kind in (KnownErrors, Endings):
        assert sum(isinstance(each, kind) for each in filters) == 1


@pytest.mark.parametrize(
    ("logger", "state", "line"),
    [
        ("prefect.task_runs", Completed(message="D/r0 6.1 ± 0.2, it's good"), "D/r0 6.1 ± 0.2, it's good"),
        ("prefect.task_runs", Completed(), "Finished in state Completed()"),
        ("prefect.task_runs", Completed(name="Cached"), "nothing to do: it is in the store"),
        (
            "prefect.task_runs",
            Failed(message="Task run encountered an exception BadCapture: a.ser: empty"),
            "a.ser: empty",
        ),
        ("prefect.task_runs", Completed(name="Odd", message="two\nlines"), "two\nlines"),
        ("prefect.flow_runs", Completed(message="said before"), None),
        ("prefect.flow_runs", Failed(message="said before"), None),
        ("prefect.flow_runs", Cancelled(message="by you"), "Finished in state Cancelled('by you')"),
    ],
)
def test_the_end_of_a_task_run_says_what_was_found(logger: str, state: State[Any], line: str | None) -> None:
    record = logging.LogRecord(logger, logging.INFO, "", 0, f"Finished in state {state}", (), None)
    kept = Endings().filter(record)
    assert (record.getMessage() if kept else None) == line


def test_other_lines_stay() -> None:
    record = logging.LogRecord("prefect.flow_runs", logging.INFO, "", 0, "Beginning flow run %r", ("a",), None)
    assert Endings().filter(record)
    assert record.getMessage() == "Beginning flow run 'a'"
