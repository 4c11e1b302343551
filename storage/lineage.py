"""What a product was made from: its inputs, their inputs, and so on, each once."""

import json
from collections.abc import Callable, Iterable, Sequence

from storage.product import Product
from storage.store import Store


def lineage(store: Store, product: Product) -> list[Product]:
    """The product and everything it was made from, each once, inputs first; StoreError where one is missing."""

    def inputs(of: Product) -> list[Product]:
        with store.open(of) as file:
            return [Product(step, key) for step, key in json.loads(file.attrs["recipe"]).get("inputs", [])]

    return ordered([product], inputs)


def ordered(products: Iterable[Product], inputs: Callable[[Product], Sequence[Product]]) -> list[Product]:
    """The products and everything they were made from, each once, inputs before what is made from them."""
    done: dict[Product, None] = {}
    begun: set[Product] = set()
    stack = [(product, False) for product in reversed(list(products))]
    while stack:
        product, inputs_done = stack.pop()
        if inputs_done:
            done[product] = None
        elif product not in begun:
            begun.add(product)
            stack.append((product, True))
            stack.extend((each, False) for each in reversed(inputs(product)))
    return list(done)
