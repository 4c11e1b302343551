"""How long a capture will take: work per step times the rates that this machine has shown, corrected while it runs."""

import math
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from configs.schema import Config, Psfs
from storage.costs import Cost
from storage.product import Product

RECENT, NEAREST = 50, 5
"""Of the last runs of a kind, so many count; of those the ones nearest in size, whose median is the rate."""
CERTAIN_SHARE = 0.1
"""Share of the forecast that must have passed before what was measured outweighs the forecast."""
PUBLISH = "publish"
"""What follows the last step: pictures, reports and pages."""
DEFAULT_RATES = {
    "ingest": 1e-8,
    "average": 5e-8,
    "calibrate": 5e-8,
    "align": 6e-8,
    "shift_average": 1.2e-7,
    "measure_seeing": 1e-7,
    "solve_psfs fresh": 1e-8,
    "solve_psfs later": 1.3e-8,
    "solve_sky": 1e-8,
    "solve_sky extended": 1.5e-7,
    "evaluate": 3e-8,
    "enhance": 1e-5,
    PUBLISH: 3e-5,
}
"""Seconds per unit of work where this machine has no run yet: those of one slow core, to be safe."""
DEFAULT_RATE = 3e-7
"""The same of a step that the table lacks, s per frame and pixel."""
ON_SKY_GRID = ("solve_psfs", "solve_sky", "evaluate", "enhance")
"""Steps whose work grows with the pixels of the sky; that of the others with the camera's."""
FIXED_S = {"measure_seeing": 3.0}
"""What a step takes however small the capture is; of the others it is little."""
MAX_FACTOR = 4.0
"""The forecast is corrected by no more than this factor, up or down."""


@dataclass(frozen=True)
class Size:
    """How large a capture is."""

    frames: int
    channels: int
    height: int
    width: int

    @property
    def samples(self) -> int:
        """Numbers in a frame."""
        return self.channels * self.height * self.width

    def finer(self, scale: int) -> "Size":
        """The same in pixels that are narrower by a factor."""
        return replace(self, height=self.height * scale, width=self.width * scale)


@dataclass(frozen=True)
class StepWork:
    """One step of a plan, and how much it has to do."""

    label: str
    """As the step reports its progress."""
    kind: str
    """What shares a rate."""
    amount: float
    """Work in the unit of the kind."""
    count: int
    """The same as people count it."""
    unit: str
    """What is counted: frames, frames x starts, frames x passes."""


@dataclass(frozen=True)
class StepForecast:
    """How long one step will take."""

    work: StepWork
    seconds: float
    """0 where its product is in the store."""
    runs: int
    """Runs of this machine that the forecast rests on; 0: none, a default rate."""
    is_done: bool = False
    """Its product is in the store."""


@dataclass(frozen=True)
class Forecast:
    """How long a capture will take, step by step."""

    size: Size
    steps: tuple[StepForecast, ...]

    @property
    def seconds(self) -> float:
        """Of all steps together."""
        return sum(step.seconds for step in self.steps)

    @property
    def is_measured(self) -> bool:
        """Do runs of this machine stand behind most of it?"""
        measured = sum(step.seconds for step in self.steps if step.runs)
        return measured >= 0.5 * self.seconds

    @property
    def sentence(self) -> str:
        """The forecast in words."""
        size, todo = self.size, [step for step in self.steps if not step.is_done and step.work.kind != PUBLISH]
        what = f"{size.frames:,} frames of {size.width} x {size.height}"
        if not todo:
            return f"{what}: every step is in the store, about {duration(self.seconds)}"
        if self.is_measured:
            runs = max(step.runs for step in todo)
            basis = f"from {'one run' if runs == 1 else f'the nearest {runs} runs'} on this machine"
            return f"{what}: about {duration(self.seconds)} ({basis})"
        return f"{what}: no run on this machine yet, roughly {duration(self.seconds)}"


def duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def forecast(plan: Sequence[tuple[Product, bool]], config: Config, size: Size, costs: Sequence[Cost]) -> Forecast:
    """What the products of a plan will take; `plan` says of each whether it is in the store."""
    steps = []
    for work, done in zip(works_of([p for p, _ in plan], config, size), [d for _, d in plan], strict=True):
        seconds, runs = estimate(work, costs)
        steps.append(StepForecast(work, 0.0 if done else seconds, runs, done))
    work = publish_work(size)
    return Forecast(size, (*steps, StepForecast(work, *estimate(work, costs))))


def publish_work(size: Size) -> StepWork:
    """What is to be published."""
    return StepWork(PUBLISH, PUBLISH, size.samples, 1, "set of results")


def estimate(work: StepWork, costs: Iterable[Cost]) -> tuple[float, int]:
    """Seconds that a step will take, and how many runs say so: their median rate, of those nearest in size."""
    fixed_s = FIXED_S.get(work.kind, 0.0)
    recent = [cost for cost in costs if cost.kind == work.kind][-RECENT:]
    if work.amount <= 0:  # a round whose frames were all solved before
        return fixed_s, NEAREST
    near = sorted(recent, key=lambda cost: abs(math.log(cost.amount / work.amount)))[:NEAREST]
    if not near:
        return fixed_s + DEFAULT_RATES.get(work.kind, DEFAULT_RATE) * work.amount, 0
    fixed_s = min(fixed_s, *(cost.seconds for cost in near)) if fixed_s else 0.0
    rate = statistics.median((cost.seconds - fixed_s) / cost.amount for cost in near)
    return fixed_s + rate * work.amount, len(near)


def works_of(products: Sequence[Product], config: Config, size: Size) -> list[StepWork]:
    """How much each product of a plan is to make."""
    rows = _rows(config, size)
    numbers: dict[str, int] = {}
    found = []
    for product in products:
        number = numbers[product.step] = numbers.get(product.step, 0) + 1
        on_grid = size.finer(config.sky_scale) if product.step in ON_SKY_GRID else size
        found.append(_work(product.step, number, config, on_grid, rows))
    return found


def usable_frames(config: Config, size: Size) -> int:
    """About how many frames there are to solve: some are held out."""
    return max(1, size.frames - round(size.frames * config.shift_average.heldout_share))


def _rows(config: Config, size: Size) -> list[tuple[int, int]]:
    """Of every round: how many frames it solves, and how many solves its sky is made of."""
    usable, before, solves = usable_frames(config, size), 0, 0
    rows = []
    for number, settings in enumerate(config.rounds):
        psfs = settings.psfs
        chosen = _chosen(psfs, usable)
        if number == 0:
            batches = max(1, round(chosen / psfs.batch_frames))
            chosen = min(chosen, batches * psfs.batch_frames)
        new = max(0, chosen - before) * (psfs.starts if number == 0 else 1)
        before, solves = max(before, chosen), solves + new
        rows.append((new, solves))
    return rows


def _chosen(psfs: Psfs, usable: int) -> int:
    """How many of the usable frames take part in a round."""
    return min(psfs.frames or usable, usable)


def _uncertain(config: Config, size: Size, first: bool) -> str:
    """Whether the air, which is not known yet, may let fewer frames begin, and more follow, than are counted here."""
    psfs = config.rounds[0].psfs
    if not psfs.frames_per_d_over_r0 or _chosen(psfs, usable_frames(config, size)) <= 2 * psfs.batch_frames:
        return ""
    return " or fewer" if first else " or more"


def _work(step: str, number: int, config: Config, size: Size, rows: Sequence[tuple[int, int]]) -> StepWork:
    label = step.replace("_", " ")
    if step in ("solve_psfs", "solve_sky") and number <= len(config.rounds):
        label, settings, (new, solves) = f"{label} round {number}", config.rounds[number - 1], rows[number - 1]
        if step == "solve_psfs":
            amount = float(new) * settings.psfs.steps * size.height * size.width
            kind = "solve_psfs fresh" if number == 1 else "solve_psfs later"
            unit = "frames x starts" if number == 1 and settings.psfs.starts > 1 else "frames"
            return StepWork(label, kind, amount, new, unit + _uncertain(config, size, first=number == 1))
        passes = settings.sky.cg_iterations + 1
        kind = "solve_sky extended" if passes > 1 else "solve_sky"
        unit = "frames x passes" + _uncertain(config, size, first=True)
        return StepWork(label, kind, float(solves) * passes * size.samples, solves * passes, unit)
    if step == "evaluate":
        frames = min(config.evaluate.frames, max(1, size.frames - usable_frames(config, size)))
        return StepWork(label, step, float(frames) * config.evaluate.steps * size.samples, frames, "held-out frames")
    if step == "enhance":
        scale, passes = config.enhance.scale, config.enhance.iterations
        return StepWork(label, step, float(passes) * scale**2 * size.samples, passes, "passes")
    return StepWork(label, step, float(size.frames) * size.samples, size.frames, "frames")


@dataclass
class TimeLeft:
    """Corrects a forecast with what the steps really take."""

    plan: Forecast
    begun: float = field(default_factory=time.monotonic)
    """When the current step began, in seconds of the monotonic clock."""
    started: float = field(default_factory=time.monotonic)
    """When the capture began."""
    current: str = ""
    fraction: float = 0.0
    """How much of the current step is done."""
    took: dict[str, float] = field(default_factory=dict)
    """Label of each finished step: seconds."""

    def update(self, label: str, done: float, total: int, now: float) -> None:
        """Note how far a step is; one that is saved reports one of one."""
        if label in self.took:
            return
        self.current, self.fraction = label, min(1.0, done / total) if total else 0.0
        if done == total == 1:
            self.took[label] = now - self.begun
            self.begun, self.current, self.fraction = now, "", 0.0

    def seconds(self, now: float) -> float:
        """How long it will still take."""
        elapsed, left = now - self.begun, 0.0
        for step in self.plan.steps:
            planned = step.seconds * self.factor
            if step.work.label in self.took:
                continue
            if step.work.label == self.current:
                f = self.fraction
                total = (1 - f) * max(planned, elapsed) + (elapsed if f else 0.0)
                left += max(0.0, total - elapsed)
            else:
                left += planned
        return left

    @property
    def factor(self) -> float:
        """How much longer finished steps took than forecast; what is still small says little."""
        finished = [s for s in self.plan.steps if s.work.label in self.took and not s.is_done]
        done = [(self.took[s.work.label], s.seconds) for s in finished]
        prior = CERTAIN_SHARE * self.plan.seconds
        if not prior:
            return 1.0
        factor = (sum(took for took, _ in done) + prior) / (sum(forecast for _, forecast in done) + prior)
        return min(MAX_FACTOR, max(1 / MAX_FACTOR, factor))
