"""How long captures will take: the recipe's plan times what the store's table says of this machine, and new lines for it."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass

from configs.schema import Config
from configs.shorten import limited
from flows.context import value_within
from flows.recipe import planned_products
from storage.captures.capture import Capture
from storage.captures.readers import claimed_size
from storage.costs import Cost, costs_of, machine_name, note_cost
from storage.errors import StillskyError
from storage.store import Store, clock
from tasks.running.forecast import Forecast, Size, StepForecast, forecast, publish_work, usable_frames
from tasks.running.step import Work

log = logging.getLogger("stillsky")
Receiver = Callable[[Forecast], None]
_receivers: ContextVar[tuple[Receiver, ...]] = ContextVar("forecast_receivers", default=())


def forecast_to(receiver: Receiver) -> AbstractContextManager[None]:
    """Send the forecast of every capture inside the block to `receiver`, before it is worked on."""
    return value_within(_receivers, (*_receivers.get(), receiver))


@dataclass(frozen=True)
class Planned:
    """A capture that is about to be restored."""

    store: Store
    machine: str
    capture: Capture
    size: Size | None
    """None: the capture's header does not tell."""

    def forecast(self, config: Config) -> Forecast | None:
        """How long it will take with these settings, from what the store holds now; None where its size is not known."""
        if self.size is None:
            return None
        plan = [(product, self.store.has(product)) for product in planned_products(self.store, self.capture, config)]
        return forecast(plan, config, self.size, costs_of(self.store.root, self.machine))

    def within(self, config: Config, budget_s: float | None) -> Config:
        """The settings with as many of the luckiest frames as fit into a time; one batch at least."""
        if budget_s is None or self.size is None or self.seconds(config) <= budget_s:
            return config
        batch = config.rounds[0].psfs.batch_frames
        few, many = 1, max(2, usable_frames(config, self.size) // batch + 1)
        while many - few > 1:
            middle = (few + many) // 2
            fits = self.seconds(limited(config, middle * batch)) <= budget_s
            few, many = (middle, many) if fits else (few, middle)
        return limited(config, few * batch)

    def seconds(self, config: Config) -> float:
        """The forecast in seconds; 0 where it is not known."""
        found = self.forecast(config)
        return 0.0 if found is None else found.seconds

    def announce(self, config: Config) -> Forecast | None:
        """The forecast, said to whoever listens."""
        found = self.forecast(config)
        if found is not None:
            log.info("%s: %s", self.capture.name, found.sentence)
            for receive in _receivers.get():
                receive(found)
        return found

    def noted(self, work: Work, make: Callable[[], None], steps: tuple[StepForecast, ...]) -> Callable[[], None]:
        """`make`, and a line in the table where it made the product from its beginning."""
        known = next((step.work for step in steps if step.work.label == work.label), None)

        def make_and_note() -> None:
            store, product = self.store, work.product
            from_nothing = not store.has(product) and not store.parts(product).exists()
            make()
            if from_nothing and known is not None:
                self._note(known.kind, known.amount, store.seconds(product))

        return make_and_note

    @contextlib.contextmanager
    def noted_publishing(self) -> Iterator[None]:
        """A line in the table for what follows the last step, if the block ends well."""
        elapsed = clock()
        yield
        if self.size is not None:
            work = publish_work(self.size)
            self._note(work.kind, work.amount, elapsed())

    def _note(self, kind: str, amount: float, seconds: float) -> None:
        note_cost(self.store.root, Cost(self.machine, kind, amount, round(seconds, 4)))


def planned(store: Store, capture: Capture, device: str, cluster: bool) -> Planned:
    """A capture on this machine, with its size as its header claims it."""
    size = None
    with contextlib.suppress(StillskyError):  # told by the run itself
        claim = claimed_size(capture.path)
        channels = 3 if claim.mosaic or capture.mosaic else claim.channels
        size = Size(claim.frames, channels, claim.height, claim.width) if claim.frames else None
    return Planned(store, machine_name(device, cluster), capture, size)
