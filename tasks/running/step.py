"""@step: a function of products and settings becomes a call that gives its product, made only when it is missing."""

import contextlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from pydantic import BaseModel

from storage.captures.capture import Capture
from storage.declared import Content, Draft
from storage.product import Product, product_of
from storage.store import Store, clock

P = ParamSpec("P")
Kind = TypeVar("Kind", bound=Content)
Listener = Callable[[str, float, int], None]
"""Receives progress: label of the step, how many of how many; a fraction where one of them is partly done."""
Performer = Callable[["Work", int, Callable[[], None]], None]
"""Runs the making of a product: simply, or as a Prefect task (tasks/running/prefect_task.py)."""


def make_simply(work: "Work", retries: int, make: Callable[[], None]) -> None:
    """The performer without Prefect: one call, no retries."""
    make()


@dataclass(frozen=True)
class Run:
    """Where and how the steps of a recipe are run; a step gets it as its first argument. No part of a product's key."""

    store: Store
    device: str = "cpu"
    """torch device that computes."""
    performer: Performer = make_simply
    listeners: tuple[Listener, ...] = ()
    cluster: Any = None
    """A tasks.running.dask_jobs.Cluster whose workers share the jobs of a step; None: this process."""
    round_name: str = ""
    """Added to the label of a step that is repeated."""
    plan: list[Product] | None = None
    """Receives the products instead of making them; None: they are made."""

    def in_round(self, number: int) -> "Run":
        """The same run, its steps labelled with their round."""
        return replace(self, round_name=f" round {number}")


@dataclass(frozen=True)
class Work:
    """What a step is handed: the store to read its inputs from and the one product it has to make."""

    run: Run
    product: Product
    recipe: Mapping[str, Any]
    label: str
    elapsed: Callable[[], float] = field(default_factory=clock)
    part_of: tuple[int, int] | None = None
    """Where this is one job of a step: so many are done before it, of so many."""

    @property
    def store(self) -> Store:
        """The store of the run."""
        return self.run.store

    @property
    def device(self) -> str:
        """torch device that computes."""
        return self.run.device

    def open(self, kind: type[Kind], product: Product) -> contextlib.AbstractContextManager[Kind]:
        """Lend an input as its declaration says; arrays are read when they are indexed."""
        return self.store.view(kind, product)

    def save(self, content: Content) -> None:
        """Leave this step's product."""
        with self.draft() as draft:
            draft.fill(content)

    @contextlib.contextmanager
    def draft(self) -> Iterator[Draft]:
        """Lend the file of this step's product where its size is not known beforehand."""
        with self.store.draft(self.product, self.recipe, self.elapsed) as draft:
            yield draft

    def part(self, name: str, kind: type[Kind], make: Callable[[], Kind]) -> contextlib.AbstractContextManager[Kind]:
        """Lend a named part of this step's journal; a part already there is not made again."""
        return self.store.part(self.product, name, kind, make)

    def progress(self, done: float, total: int) -> None:
        """Report how far this step is."""
        if self.part_of is not None:
            done, total = self.part_of[0] + done / total, self.part_of[1]
        for listener in self.run.listeners:
            listener(self.label, done, total)


class Step(Generic[P]):
    """A function of a run, products and settings: calling it gives its product, made only when it is missing."""

    def __init__(self, body: Callable[Concatenate[Work, P], None], version: str, retries: int, passes: str) -> None:
        self.body, self.version, self.retries, self.passes = body, version, retries, passes
        self.name = body.__name__
        self.label = self.name.replace("_", " ")
        self.__doc__ = body.__doc__

    def __call__(self, run: Run, *args: P.args, **kwargs: P.kwargs) -> Product:
        call = inspect.signature(self.body).bind(None, *args, **kwargs)
        call.apply_defaults()
        if self.passes and any(getattr(value, "mode", "") == "off" for value in call.arguments.values()):
            passed: Product = call.arguments[self.passes]
            return passed
        arguments = {name: _plain(value) for name, value in list(call.arguments.items())[1:]}
        product = product_of(self.name, {"version": self.version, "arguments": arguments})
        if run.plan is not None:
            run.plan.append(product)
            return product
        values = [*args, *kwargs.values()]
        recipe = {
            "version": self.version,
            "arguments": arguments,
            "inputs": [[p.step, p.key] for p in _products(values)],
            "capture": _capture_name(run.store, values),
        }
        work = Work(run, product, recipe, self.label + run.round_name)

        def make() -> None:
            with run.store.claim(product) if not run.store.has(product) else contextlib.nullcontext():
                if not run.store.has(product):  # another process may have made it while this one waited
                    self.body(replace(work, elapsed=clock()), *args, **kwargs)

        run.performer(work, self.retries, make)
        work.progress(1, 1)
        return product


def step(version: str, retries: int = 0, passes: str = "") -> Callable[[Callable[Concatenate[Work, P], None]], Step[P]]:
    """Lift a function into a step. Raise `version` when its results change for the same inputs.

    `passes` names the argument that a call gives back, and nothing is made, where the settings say mode = "off".
    """

    def lift(body: Callable[Concatenate[Work, P], None]) -> Step[P]:
        return Step(body, version, retries, passes)

    return lift


def _products(values: Iterable[Any]) -> Iterator[Product]:
    """The products among arguments, those inside tuples too."""
    for value in values:
        if isinstance(value, Product):
            yield value
        elif isinstance(value, tuple):
            yield from _products(value)


def _plain(value: Any) -> Any:
    """An argument as JSON: products by key, captures by content, settings by value.

    Block sizes are left out where a model says that results do not depend on them.
    """
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude=set(getattr(value, "indifferent", ())))
    if isinstance(value, Product):
        return [value.step, value.key]
    if isinstance(value, Capture):
        return value.identity
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a step takes products, captures, settings and plain numbers, not {type(value).__name__}")


def _capture_name(store: Store, values: list[Any]) -> str:
    for capture in (v for v in values if isinstance(v, Capture)):
        return capture.name
    for product in _products(values):
        return str(store.recipe(product).get("capture", ""))
    return ""
