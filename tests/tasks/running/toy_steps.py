"""Two toy steps, a recipe of them, and which of their bodies ran."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar

from configs.schema import Section
from storage.captures.capture import Capture
from storage.declared import Content, Value
from storage.product import Product
from storage.store import Store
from tasks.running.step import Run, Work, step

MADE: list[str] = []
"""Labels of the steps whose bodies ran."""

CAPTURE = Capture(Path("/night/jupiter.ser"), "f" * 64)


@dataclass(frozen=True)
class Number(Content):
    """What every toy step leaves."""

    value: Annotated[float, Value("", "A number.")]
    device: Annotated[str, Value("", "Where it was made.")] = ""


@dataclass(frozen=True)
class Grown(Number):
    """The product of the first step."""

    step: ClassVar[str] = "grow"


class Settings(Section):
    """Settings of a toy step."""

    indifferent: ClassVar[tuple[str, ...]] = ("block_frames",)
    factor: float = 2.0
    block_frames: int = 32


@step(version="1", retries=2)
def grow(work: Work, capture: Capture, settings: Settings) -> None:
    """Write the factor."""
    MADE.append(work.label)
    work.progress(1, 2)
    work.save(Number(settings.factor))


@step(version="1")
def add_up(work: Work, *inputs: Product) -> None:
    """Sum the inputs, each in a part of its own."""
    MADE.append(work.label)
    total = 0.0
    for number, product in enumerate(inputs):
        with work.open(Grown, product) as source, work.part(f"input{number}", Number, lambda s=source: s) as part:
            total += part.value
    work.save(Number(total, work.device))


def recipe(run: Run, factor: float = 2.0) -> Product:
    first = grow(run, CAPTURE, Settings(factor=factor))
    second = grow(run, CAPTURE, Settings(factor=3.0))
    return add_up(run, first, second)


def planned(run: Run, factor: float = 2.0) -> list[Product]:
    """What the recipe would make."""
    plan: list[Product] = []
    recipe(replace(run, plan=plan), factor)
    return plan


def value(store: Store, product: Product) -> float:
    with store.open(product) as file:
        return float(file.attrs["value"])
