"""A step as a Prefect task: the store remembers what is done, Prefect shows it (as `Cached` where nothing was to do)."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from prefect import task
from prefect.cache_policies import CachePolicy
from prefect.client.schemas.objects import State
from prefect.serializers import Serializer
from prefect.states import Completed
from prefect.task_engine import TaskRunTimeoutError
from prefect.tasks import exponential_backoff

from storage.errors import Hopeless, NothingToDo, StillskyError
from storage.product import Product
from storage.store import Store
from tasks.running.step import Work

BACKOFF_S = 2
"""Pause before the first repetition of a step that failed; every further one is twice as long."""


@dataclass
class ProductPolicy(CachePolicy):
    """The cache key of a task run is the key of the product it makes."""

    def compute_key(self, task_ctx: Any, inputs: dict[str, Any], flow_parameters: dict[str, Any], **kwargs: Any) -> str:
        """Name the record after the product and its store."""
        product: Product = inputs["product"]
        return f"{product.step}-{product.key}-{sha256(inputs['root'].encode()).hexdigest()[:8]}"


class ProductSerializer(Serializer):
    """Records name a product; a record whose product is missing cannot be loaded, which Prefect takes for a miss."""

    type: Literal["stillsky-product"] = "stillsky-product"

    def dumps(self, obj: Any) -> bytes:
        """Store and product as JSON; an exception, which Prefect keeps too, by its class: it can only be read in the logs."""
        return json.dumps(obj if isinstance(obj, list) else ["", "failed", type(obj).__name__]).encode()

    def loads(self, blob: bytes) -> Any:
        """A product that is really there, or LookupError."""
        root, step, key = json.loads(blob)
        if not root or not Store(Path(root)).has(Product(step, key)):
            raise LookupError(f"{step}/{key} is not in the store {root}")
        return [root, step, key]


def perform(
    work: Work, retries: int, make: Callable[[], None], timeout_s: float = 0.0, say_found: Callable[[], str] = str
) -> None:
    """Make a product inside a task run of the running flow; called directly, so that a timeout really interrupts it.

    `say_found` is asked afterwards for a sentence about the product: the message of the task run's state.
    """
    lift = task(
        name=work.product.step,
        task_run_name=work.label,
        cache_policy=ProductPolicy(),
        result_serializer=ProductSerializer(),
        persist_result=True,
        retries=retries,
        retry_delay_seconds=exponential_backoff(BACKOFF_S) if retries else None,
        retry_jitter_factor=0.5,  # captures that failed together do not come back together
        retry_condition_fn=_may_get_better,
        timeout_seconds=timeout_s or None,
    )
    try:
        lift(_run)(work.product, str(work.store.root), make, say_found)
    except TaskRunTimeoutError:
        raise StillskyError(
            f"{work.label} took longer than timeouts.{work.product.step}_s = {timeout_s:g} s; raise that limit (0 is "
            f"none) and run the same command again, what is done is kept"
        ) from None


def _run(product: Product, root: str, make: Callable[[], None], say_found: Callable[[], str]) -> State[list[str]]:
    make()
    return Completed(message=say_found() or None, data=[root, product.step, product.key])


def _may_get_better(task: Any, task_run: Any, state: Any) -> bool:
    """Hopeless inputs fail once, with the reason; anything else is worth another try."""
    error = state.result(raise_on_failure=False)
    return not isinstance(error, Hopeless | NothingToDo)
