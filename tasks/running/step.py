"""@step: a function of products and settings becomes a call that gives its product, made only when it is missing."""

import contextlib
import inspect
import json
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Concatenate, Generic, ParamSpec

from pydantic import BaseModel

from storage.captures.capture import Capture
from storage.product import Product, product_of
from storage.store import Store, clock
from tasks.products.frames import FrameStack

P = ParamSpec("P")
Listener = Callable[[str, float, int], None]
"""Told of progress: label of the step, how many of how many; a fraction where one of them is partly done."""

Performer = Callable[["Work", int, Callable[[], None]], None]
"""Runs the making of a product: simply, or as a Prefect task (tasks/running/prefect_task.py)."""

_performer: ContextVar["Performer | None"] = ContextVar("performer", default=None)
_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("listeners", default=())
_plan: ContextVar[list[Product] | None] = ContextVar("plan", default=None)
_round: ContextVar[str] = ContextVar("round", default="")
_device: ContextVar[str] = ContextVar("device", default="cpu")


@dataclass(frozen=True)
class Work:
    """What a step is handed: the store to open its inputs from and the one product it has to make."""

    store: Store
    product: Product
    recipe: dict[str, Any]
    label: str
    device: str = "cpu"
    elapsed: Callable[[], float] = field(default_factory=clock)
    among: tuple[int, int] | None = None
    """Where this is one part of the work: so many are done before it, of so many."""

    @contextlib.contextmanager
    def open(self, product: Product) -> Iterator[Any]:
        """Lend the HDF5 file of an input."""
        with self.store.open(product) as file:
            yield file

    @contextlib.contextmanager
    def frames(self, product: Product) -> Iterator[FrameStack]:
        """Lend the frames of an ingest product."""
        with self.store.open(product) as file:
            yield FrameStack(file)

    @contextlib.contextmanager
    def create(self) -> Iterator[Any]:
        """Lend the file of this step's product; it becomes visible when the block ends without an exception."""
        with self.store.create(self.product, self.recipe) as file:
            yield file
            file.attrs["seconds"] = self.elapsed()

    def part(self, number: int, make: Callable[[Any], None]) -> contextlib.AbstractContextManager[Any]:
        """Lend part `number` of this step's journal; a part already there is not made again."""
        return self.store.part(self.product, number, make)

    def progress(self, done: float, total: int) -> None:
        """Tell whoever watches how far this step is."""
        if self.among is not None:
            done, total = self.among[0] + done / total, self.among[1]
        for listener in _listeners.get():
            listener(self.label, done, total)


class Step(Generic[P]):
    """A function of store, products and settings, lifted so that calling it gives its product, made only when missing."""

    def __init__(self, body: Callable[Concatenate[Work, P], None], version: str, retries: int) -> None:
        self.body, self.version, self.retries = body, version, retries
        self.name = body.__name__
        self.label = self.name.replace("_", " ")
        self.__doc__ = body.__doc__

    def __call__(self, store: Store, *args: P.args, **kwargs: P.kwargs) -> Product:
        given = inspect.signature(self.body).bind(None, *args, **kwargs)
        given.apply_defaults()
        arguments = {name: _plain(value) for name, value in list(given.arguments.items())[1:]}
        product = product_of(self.name, {"version": self.version, "arguments": arguments})
        plan = _plan.get()
        if plan is not None:
            plan.append(product)
            return product
        values = [*args, *kwargs.values()]
        recipe = {
            "version": self.version,
            "arguments": arguments,
            "inputs": [[p.step, p.key] for p in _products(values)],
            "capture": _capture_name(store, values),
        }
        work = Work(store, product, recipe, self.label + _round.get(), _device.get())

        def make() -> None:
            with store.claim(product) if not store.has(product) else contextlib.nullcontext():
                if not store.has(product):  # whoever held the claim may have made it
                    self.body(replace(work, elapsed=clock()), *args, **kwargs)

        perform = _performer.get() or _simply
        perform(work, self.retries, make)
        work.progress(1, 1)
        return product


def step(version: str, retries: int = 0) -> Callable[[Callable[Concatenate[Work, P], None]], Step[P]]:
    """Lift a function into a step. Raise `version` when its results change for the same inputs."""

    def lift(body: Callable[Concatenate[Work, P], None]) -> Step[P]:
        return Step(body, version, retries)

    return lift


@contextlib.contextmanager
def watched(listener: Listener) -> Iterator[None]:
    """Send the progress of the steps inside the block to `listener`, and to whoever watches already."""
    token = _listeners.set((*_listeners.get(), listener))
    try:
        yield
    finally:
        _listeners.reset(token)


@contextlib.contextmanager
def planned() -> Iterator[list[Product]]:
    """Inside the block steps make nothing: the list receives the products that they would make."""
    products: list[Product] = []
    token = _plan.set(products)
    try:
        yield products
    finally:
        _plan.reset(token)


@contextlib.contextmanager
def on_device(device: str) -> Iterator[None]:
    """Steps inside the block compute on this torch device. The device is no part of a product's key."""
    token = _device.set(device)
    try:
        yield
    finally:
        _device.reset(token)


@contextlib.contextmanager
def performed_by(performer: Performer) -> Iterator[None]:
    """Hand the making of products inside the block to `performer`."""
    token = _performer.set(performer)
    try:
        yield
    finally:
        _performer.reset(token)


@contextlib.contextmanager
def in_round(number: int) -> Iterator[None]:
    """Name the steps inside the block after their round, for whoever watches. No part of a product's key."""
    token = _round.set(f" round {number}")
    try:
        yield
    finally:
        _round.reset(token)


def _simply(work: Work, retries: int, make: Callable[[], None]) -> None:
    make()


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
        with store.open(product) as file:
            return str(json.loads(file.attrs["recipe"]).get("capture", ""))
    return ""
