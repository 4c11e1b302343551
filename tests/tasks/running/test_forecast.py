"""Forecasts: work grows as the recipe says, rates are robust, and what steps really take corrects the rest."""

import pytest

from configs.load import load_config
from configs.shorten import limited
from storage.costs import Cost
from storage.product import Product
from tasks.running.forecast import Size, StepWork, TimeLeft, duration, estimate, forecast, works_of

STEPS = ("ingest", "align", "solve_psfs", "solve_sky", "solve_psfs", "solve_sky", "evaluate", "enhance")
SIZE = Size(1000, 1, 100, 100)


def plan(done: tuple[str, ...] = ()) -> list[tuple[Product, bool]]:
    return [(Product(step, str(number)), step in done) for number, step in enumerate(STEPS)]


def costs(step: str, rates: list[float], amount: float = 1e6) -> list[Cost]:
    return [Cost("here", step, amount, rate * amount) for rate in rates]


def test_work_follows_frames_steps_and_starts() -> None:
    config = load_config()
    works = works_of([product for product, _ in plan()], config, SIZE)
    assert [work.label for work in works][2:6] == [
        "solve psfs round 1", "solve sky round 1", "solve psfs round 2", "solve sky round 2",
    ]  # fmt: skip
    assert works[0].amount == 1000 * 10_000
    assert (works[2].count, works[2].amount) == (512, 512 * 240 * 10_000), "256 frames, two starts, 240 steps"
    assert works[4].count == 900 - 256, "what is not held out and not solved yet"
    few = works_of([product for product, _ in plan()], limited(config, 300), SIZE)
    assert (few[2].count, few[4].count) == (512, 44)
    assert few[0] == works[0], "the first steps read all frames whatever is solved"


def test_a_rate_is_the_median_of_the_runs_nearest_in_size() -> None:
    work = StepWork("align", "align", 1e6, 1, "frames")
    table = [*costs("align", [1e-6, 1.1e-6, 50e-6, 0.9e-6, 1e-6]), *costs("align", [9e-6] * 20, amount=1e3)]
    seconds, runs = estimate(work, table)
    assert (seconds, runs) == (pytest.approx(1.0), 5), (
        "one run beside a busy machine does not count, small captures neither"
    )
    assert estimate(StepWork("x", "unheard of", 1e6, 1, "frames"), table)[1] == 0


def test_a_round_without_frames_takes_no_time() -> None:
    nothing = StepWork("solve psfs round 2", "solve_psfs later", 0.0, 0, "frames")
    assert estimate(nothing, [Cost("here", "solve_psfs later", 1e6, 3.0)])[0] < 1


def test_what_is_in_the_store_costs_nothing_and_a_default_says_so() -> None:
    config = load_config()
    first = forecast(plan(), config, SIZE, [])
    assert "no run on this machine yet, roughly" in first.sentence
    rest = forecast(plan(done=("ingest", "align")), config, SIZE, [])
    assert rest.seconds == pytest.approx(first.seconds - first.steps[0].seconds - first.steps[1].seconds)
    table = costs("solve_psfs fresh", [1e-8] * 3, amount=1e9) + costs("solve_psfs later", [1e-8] * 3, amount=1e9)
    assert "(from the nearest 3 runs on this machine)" in forecast(plan(), config, SIZE, table).sentence
    assert "every step is in the store" in forecast(plan(done=STEPS), config, SIZE, table).sentence


def test_time_left_is_corrected_by_what_steps_take() -> None:
    told = forecast(plan(), load_config(), SIZE, [])
    left = TimeLeft(told, begun=0.0)
    assert left.seconds(0.0) == pytest.approx(told.seconds)
    now = 0.0
    for step in told.steps[:3]:  # all take twice as long as told
        left.update(step.work.label, 1, 2, now + step.seconds)
        now += 2 * step.seconds
        left.update(step.work.label, 1, 1, now)
    rest = sum(step.seconds for step in told.steps[3:])
    assert 1.6 * rest < left.seconds(now) < 2.1 * rest
    later = told.steps[4]
    left.update(later.work.label, 9, 10, now + 9.0)
    assert left.took.keys() == {step.work.label for step in told.steps[:3]}
    spent = left.seconds(now + 9.0)
    left.update(later.work.label, 9, 10, now + 9.0)
    assert left.seconds(now + 9.0) == spent, "the same news changes nothing"


def test_a_step_without_news_never_has_negative_time_left() -> None:
    told = forecast(plan(), load_config(), SIZE, [])
    left = TimeLeft(told, begun=0.0)
    left.update("ingest", 0, 10, 1e6)
    assert left.seconds(1e6) >= sum(step.seconds for step in told.steps[1:]) * 0.99


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (42, "42 s"), (240, "4 min"), (4800, "80 min"), (9000, "2 h 30 min")]
)
def test_durations_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_counts_that_depend_on_the_air_say_so() -> None:
    """What the air is like is known only when the seeing was measured."""
    products = [product for product, _ in plan()]
    units = [work.unit for work in works_of(products, load_config(), SIZE)]
    assert units[2:6] == [
        "frames x starts or fewer",
        "frames x passes or fewer",
        "frames or more",
        "frames x passes or fewer",
    ]
    assert works_of(products, load_config(), Size(100, 1, 100, 100))[2].unit == "frames x starts"
