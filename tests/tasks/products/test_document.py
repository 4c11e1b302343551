"""The page on products is that of the declarations, and every step of the recipe is on it."""

from pathlib import Path

from configs.load import load_config
from flows.recipe import planned_products
from storage.captures.capture import Capture
from storage.store import Store
from tasks.products.contents import STEPS
from tasks.products.document import document

PAGE = Path(__file__).parents[3] / "docs" / "products.md"


def test_the_page_is_made_from_the_declarations() -> None:
    assert PAGE.read_text(encoding="utf-8") == document(), "python -m tasks.products.document > docs/products.md"


def test_every_step_is_declared(store: Store) -> None:
    plan = planned_products(
        store,
        Capture(Path("/night/jupiter.ser"), "f" * 64),
        load_config(overrides=["burst.mode=auto", "dewarp.mode=auto", "fill.mode=auto"]),
    )
    assert {product.step for product in plan} == {kind.step for kind in STEPS}
    assert [kind.step for kind in STEPS] == list(dict.fromkeys(product.step for product in plan))
