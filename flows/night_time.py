"""What a night can do in its time: the forecast of each capture, its share of what is left, and previews before."""

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from datetime import time as clock_time
from typing import Any, TypeVar

from configs.load import BadConfig
from configs.request import CaptureRequest
from configs.schema import Config
from configs.shorten import limited
from flows.capture import found_in
from flows.forecast import Planned, planned
from storage.captures.capture import Capture
from storage.captures.night import capture_settings
from storage.errors import StillskyError
from storage.results.night_record import Row, row_of
from storage.results.published import published
from storage.store import Store
from tasks.running.devices import pick_device
from tasks.running.forecast import duration

Kind = TypeVar("Kind")

PREVIEW_FROM_S = 60.0
"""A capture whose full run takes no longer gets no preview first."""


def next_at(by: clock_time | None) -> float:
    """The next time that clocks show this, in seconds of the epoch; infinity where no time is given."""
    if by is None:
        return math.inf
    now = datetime.now()
    moment = now.replace(hour=by.hour, minute=by.minute, second=by.second, microsecond=0)
    return (moment if moment > now else moment + timedelta(days=1)).timestamp()


def until(deadline: float) -> float:
    """Seconds from now to a deadline in seconds of the epoch; negative behind it."""
    return deadline - time.time()


def full_time(store: Store, request: CaptureRequest) -> float:
    """How long the full run of a capture will take, seconds; 0 where that is not known."""
    config = capture_settings(request)
    return _plan(store, request, config).seconds(config)


def sum_told(store: Store, recordings: Sequence[Kind], request_for: Callable[[Kind], CaptureRequest]) -> str:
    """How long the full runs of captures will take together, told by their headers before any frame is read."""
    seconds = 0.0
    for recording in recordings:
        with contextlib.suppress(StillskyError, BadConfig, OSError):  # told by the run itself
            request = request_for(recording)
            config = capture_settings(request)
            unread = Capture(request.capture.absolute(), "", None, None, ("", ""), mosaic=config.camera.mosaic or "")
            seconds += planned(store, unread, pick_device(request.device), request.dask is not None).seconds(config)
    return f"{len(recordings)} captures to do, about {duration(seconds)} together"


def takes_long(store: Store, request: CaptureRequest, forecasts: dict[str, float], name: str) -> bool:
    """Is the full run of a capture so long that a preview is worth its time? Its forecast is kept."""
    if name not in forecasts:
        with contextlib.suppress(StillskyError, BadConfig, OSError):  # told by the run itself
            forecasts[name] = full_time(store, request)
    return forecasts.get(name, 0.0) > PREVIEW_FROM_S


def shortest_time(store: Store, request: CaptureRequest) -> float:
    """The same with one batch of frames: the least that is more than a preview."""
    config = capture_settings(request)
    return _plan(store, request, config).seconds(limited(config, config.rounds[0].psfs.batch_frames))


def share_of_time(left_s: float, forecasts: Mapping[str, float], name: str) -> float | None:
    """The time that a capture may take: none said where all that is left fits, else its part of what is left."""
    total = sum(forecasts.values())
    if total <= left_s or total <= 0:
        return None
    return max(0.0, left_s) * forecasts.get(name, 0.0) / total


def budget(
    store: Store, request: CaptureRequest, forecasts: dict[str, float], name: str, deadline: float
) -> tuple[float | None, Row | None]:
    """(seconds that a capture may take, None: all it needs; its row where even the shortest run does not fit any more)."""
    left_s = until(deadline)
    share_s = share_of_time(left_s, forecasts, name)
    if share_s is None:
        return None, None
    least_s = shortest_time(store, request)
    if least_s > left_s:
        forecasts.pop(name, None)
        return None, out_of_time(name, request, least_s, left_s)
    return max(share_s, least_s), None


def out_of_time(name: str, request: CaptureRequest, least_s: float, left_s: float) -> Row:
    """The row of a capture that does not fit into the night any more: it stays a preview where it has one."""
    left = duration(left_s) if left_s > 0 else "no time"
    why = f"the shortest run takes about {duration(least_s)}; {left} until the night is to be over"
    report = published(request.out) if request.out else {}
    if not report:
        return Row(name, str(request.capture), "waiting", reason=why)
    return replace(row_of(name, request.capture, "preview", 0.0, report), reason=why)


def few_frames(report: Mapping[str, Any]) -> str:
    """How many frames were solved, where they are not all."""
    usable = report["frame_curve"][-1]["frames"]
    solved = report["solved_frames"]
    return f"the {solved:,} luckiest of {usable:,} frames" if solved < usable else ""


def _plan(store: Store, request: CaptureRequest, config: Config) -> Planned:
    found = found_in(store, request, config)
    return planned(store, found, pick_device(request.device), cluster=request.dask is not None)
