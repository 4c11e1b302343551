"""Every frame is in the charts once, under what became of it."""

from dataclasses import replace

import numpy as np
import pytest

from tasks.products.contents import Seeing, Stack
from tasks.products.frames import flag
from tasks.reporting.charts import Shown, frame_charts, heldout_chart, loss_charts, resolution_charts, seeing_charts

COUNT = 20
PICTURE, NUMBERS, CURVE = np.zeros((1, 2, 2), np.float32), np.arange(COUNT), np.zeros(COUNT, np.float32)
STACK = Stack(
    stack=PICTURE,
    lucky_stack=PICTURE,
    order=NUMBERS,
    held=NUMBERS[:0],
    flags=np.zeros(COUNT, np.uint8),
    sharpness=CURVE,
    residual_outlier_score=CURVE,
    shifts=np.zeros((COUNT, 2), np.float32),
    gains=np.ones((COUNT, 1), np.float32),
    shares=np.array([0.1, 0.5, 1.0]),
    bits=np.array([1.0, 4.0, 2.0]),
    share=0.5,
)
SEEING = Seeing(
    d_over_r0=np.array([2.0, 6.0]),
    log_d_over_r0_sigma=np.array([0.5, 0.1]),
    wind_travel_diameters=np.zeros(2),
    jitter_px=np.zeros(2),
    cutoff_cpp=np.full(2, 0.5),
    noise=np.ones(2),
    mean_power=np.ones((2, 41)),
    log_power_sigma=np.ones((2, 41)),
    frame_power=np.ones((2, COUNT, 41), np.float32),
)
"""Of two channels; the second is the one to show."""


def shown() -> Shown:
    flags = np.zeros(COUNT, np.uint8)
    flags[3] = flag("black") | flag("unaligned")
    numbers = np.arange(COUNT, dtype=np.float64)
    strehl = np.where(np.isin(numbers, (3, 5)), np.nan, 0.1)
    rounds = (np.arange(6, 10), np.r_[0:3, 4, 10:COUNT])
    shifts = np.stack([numbers, -numbers], axis=1)
    shifts[3] = np.nan
    return Shown(numbers / 10, True, flags, np.array([5]), rounds, numbers + 1, numbers + 10, shifts, strehl, strehl)


def test_every_frame_is_of_one_kind() -> None:
    kinds = shown().kinds
    assert kinds[3] == "left out"
    assert kinds[5] == "held out"
    assert set(kinds[6:10]) == {"luckiest"}
    assert set(kinds[[0, 1, 2, 4]]) | set(kinds[10:]) == {"others solved"}


def test_every_frame_is_drawn_once_and_says_why_it_was_left_out() -> None:
    _, light, *_ = frame_charts(shown(), STACK)
    assert sum(len(series.x) for series in light.series) == COUNT
    (lost,) = [series for series in light.series if series.name == "left out"]
    assert lost.tips == ("frame 3: 0.65 × the median (black, unaligned)",)
    assert light.x_name == "time since the first frame (s)"


def test_drift_of_lost_frames_is_unknown() -> None:
    drift = frame_charts(shown(), STACK)[2]
    x, y = drift.series
    assert (x.name, y.name) == ("x", "y")
    assert np.isnan(x.y[3])
    assert (x.y[4], y.y[4]) == (-4, 4)


def test_only_solved_frames_have_a_strehl_ratio() -> None:
    strehl, strength = seeing_charts(shown(), SEEING, 1)
    assert sum(np.isfinite(series.y).sum() for series in strehl.series) == COUNT - 2
    assert "held out" not in [series.name for series in strehl.series]
    (mark,) = strength.marks
    assert (mark.value, mark.spread) == (6.0, pytest.approx(0.6))


def test_without_phases_there_is_no_seeing_of_frames() -> None:
    unknown = replace(shown(), d_over_r0=np.full(COUNT, np.nan))
    assert len(seeing_charts(unknown, SEEING, 1)) == 1


def test_without_a_clock_frames_are_counted() -> None:
    assert replace(shown(), clocked=False).axis == "frame"


def test_lucky_share_is_marked() -> None:
    lucky = frame_charts(shown(), STACK)[3]
    assert list(lucky.series[0].y) == [0.25, 1.0, 0.5]
    assert lucky.marks[0].name == "chosen: 50 %"


def test_resolution_reaches_the_finest_frequency() -> None:
    (chart,) = resolution_charts({"two halves of the frames": np.linspace(1, 0, 33)}, 0.4)
    assert (chart.series[0].x[0], chart.series[0].x[-1]) == (0, 0.5)
    assert chart.marks[0].value == 0.4


def test_held_out_frames_are_told_one_by_one() -> None:
    chart = heldout_chart(shown(), np.array([1.2, 2.0]), np.array([3.0, 1.5]), np.array([5, 9]))
    sky, stack = chart.series
    assert (list(sky.x), list(sky.y), list(stack.y)) == ([0.5, 0.9], [1.2, 2.0], [3.0, 1.5])
    assert stack.tips[1] == "frame 9: the stack leaves 1.5 × its noise"


def test_the_loss_of_every_batch_falls_to_its_last() -> None:
    steps, losses = np.array([50, 100]), np.array([[-100.0, -300.0], [500.0, 100.0]])
    short = (np.array([30]), np.array([[7.0]]), np.array([4.0]))
    (chart,) = loss_charts([(steps, losses, np.array([10.0, 20.0])), short])
    assert [list(series.y) for series in chart.series] == [[20, 0], [20, 0]]
    assert [series.name for series in chart.series] == ["round 1", "round 1"]
    assert chart.series[1].tips[0] == "round 1, batch 2, step 50: +20"


def test_a_solve_of_one_segment_has_no_curve() -> None:
    assert loss_charts([(np.array([30]), np.array([[7.0]]), np.array([4.0]))]) == ()
