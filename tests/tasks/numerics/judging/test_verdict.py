"""Every condition of the verdict, one by one."""

from dataclasses import replace

import pytest

from tasks.numerics.judging.verdict import Evidence, decide, rest_of

GOOD = Evidence(
    stack_is_better=False,
    prefers_sky=True,
    is_near_solve=True,
    judges=12,
    chi2=1.2,
    rest=0.05,
    cutoff_is_known=True,
    undershoot=0.01,
    coarse_is_worse=False,
)


def test_a_sky_that_nothing_speaks_against_is_published() -> None:
    assert decide(GOOD).word == "sky"
    assert decide(GOOD).reason == ""
    assert decide(replace(GOOD, undershoot=None)).word == "sky", "where nothing is black there is nothing to test"


@pytest.mark.parametrize(
    ("change", "word", "reason"),
    [
        ({"stack_is_better": True}, "stack", "they prefer the stack"),
        ({"prefers_sky": False}, "stack", "by more than chance"),
        ({"is_near_solve": False}, "stack", "extended field"),
        ({"chi2": 3.1, "rest": 0.6}, "stack", "3.1 times their noise"),
        ({"chi2": 3.1, "rest": 0.4}, "blend", "3.1 times the noise"),
        ({"chi2": 2.1, "rest": 0.2}, "blend", "2.1 times the noise"),
        ({"judges": 4}, "blend", "only 4 held-out frames judged, 5 are needed"),
        ({"judges": 1}, "blend", "only 1 held-out frame judged"),
        ({"cutoff_is_known": False}, "blend", "[telescope]"),
        ({"undershoot": 0.04}, "blend", "darker than black by 4%"),
        ({"coarse_is_worse": True}, "blend", "coarse structure"),
    ],
)
def test_one_thing_that_speaks_against_it_is_named(change: dict[str, object], word: str, reason: str) -> None:
    decision = decide(replace(GOOD, **change))  # type: ignore[arg-type]
    assert decision.word == word
    assert reason in decision.reason


@pytest.mark.parametrize(
    "change", [{"chi2": 2.0, "rest": 0.4}, {"chi2": 9.0, "rest": 0.1}, {"judges": 5}, {"undershoot": 0.03}]
)
def test_the_limits_themselves_are_good_enough(change: dict[str, object]) -> None:
    assert decide(replace(GOOD, **change)).word == "sky"  # type: ignore[arg-type]


def test_a_stack_of_few_frames_says_that_they_are_too_few() -> None:
    decision = decide(replace(GOOD, prefers_sky=False, judges=1))
    assert decision.word == "stack"
    assert "the capture has too few frames" in decision.reason


def test_all_reasons_for_a_blend_are_named() -> None:
    reason = decide(replace(GOOD, cutoff_is_known=False, undershoot=0.05)).reason
    assert "[telescope]" in reason
    assert "darker than black" in reason


def test_what_is_left_is_compared_beyond_the_noise() -> None:
    assert rest_of(2.1, 12.0) == pytest.approx(0.1)
    assert rest_of(0.98, 1.5) == 0
    assert rest_of(1.2, 1.0) > 1
