"""How a run ends in the Prefect UI and its log: one sentence about what was found, or about what went wrong."""

import ast
import logging
import re
from collections.abc import Callable
from typing import Any

from prefect.states import Completed, Failed

from configs.load import BadConfig
from storage.errors import StillskyError

log = logging.getLogger("stillsky")
LOGGERS = ("prefect.flow_runs", "prefect.task_runs")
"""Loggers of Prefect that report the exceptions of runs."""
MAX_MESSAGE_CHARS = 1000
"""Of a state: the UI shows it in lists."""
FINISHED = re.compile(r"""Finished in state (\w+)\((['"].*['"])?(?:, )?(?:type=\w+)?\)""", re.DOTALL)
"""What Prefect logs at the end of a run: the state's name and, as a Python literal, its message."""
RAISED = re.compile(r"Task run encountered an exception \w+: ")
"""How the message of a failed task run begins."""


def ended(restore: Callable[[], dict[str, Any]], in_a_line: Callable[[dict[str, Any]], str]) -> Any:
    """The state in which a flow ends. An error that stillsky knows is raised in the caller; no traceback is logged of it."""
    try:
        result = restore()
    except (StillskyError, BadConfig) as error:
        log.error("%s", error)
        return Failed(message=str(error)[:MAX_MESSAGE_CHARS], data=error)
    line = in_a_line(result)
    log.info("%s", line)
    return Completed(message=line[:MAX_MESSAGE_CHARS], data=result)


class KnownErrors(logging.Filter):
    """Makes of an exception that stillsky can explain its sentence; of others the traceback stays."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; none is dropped."""
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if isinstance(error, StillskyError | BadConfig):
            again = "Retry" in str(record.msg) and "will start" in str(record.msg)
            record.msg, record.args = (f"{error}; it is tried again" if again else str(error)), ()
            record.exc_info = record.exc_text = None
        return True


class Endings(logging.Filter):
    """Says at the end of a task run what the step found; the end of a flow run is said by `ended`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; False drops it."""
        finished = FINISHED.fullmatch(str(record.msg))
        if finished is None:
            return True
        state, literal = finished.groups()
        message = ast.literal_eval(literal) if literal else ""
        if record.name == "prefect.flow_runs":
            return state not in ("Completed", "Failed")
        record.msg = "nothing to do: it is in the store" if state == "Cached" else RAISED.sub("", message) or record.msg
        return True


def shorten_logs() -> None:
    """Let the logs of runs say in a sentence what was found or what went wrong; calling it again changes nothing."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        for kind in (KnownErrors, Endings):
            if not any(isinstance(each, kind) for each in logger.filters):
                logger.addFilter(kind())
