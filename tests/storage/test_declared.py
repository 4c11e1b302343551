"""Declared products: what is written is what was declared, what is read is lazy, what does not fit is refused."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np
import pytest

from storage.declared import F32, I64, Array, Content, Numbers, Streamed, Value, documented
from storage.errors import StoreError
from storage.product import Product
from storage.store import Store, clock

TOY = Product("toy", "a" * 32)


@dataclass(frozen=True)
class Toy(Content):
    """A toy."""

    step: ClassVar[str] = "toy"
    picture: Annotated[F32, Array("y, x", "adu", "A picture.")]
    rows: Annotated[tuple[F32, ...], Array("row, ...", "rad", "Per channel.")]
    state: Annotated[Mapping[str, Numbers], Array("...", "any", "By name.")]
    share: Annotated[float, Value("fraction", "A share.")]
    facts: Annotated[dict[str, Any], Value("", "Facts.")]
    order: Annotated[I64 | None, Array("rank", "frame", "An order.")] = None


def toy() -> Toy:
    rows = (np.ones((3, 2), np.float32), np.zeros((3, 4), np.float32))
    state = {"b": np.arange(3), "a": np.array(1.5)}
    return Toy(np.full((4, 5), 2, np.float32), rows, state, 0.25, {"telescope": "C11", "gain": 2.5})


def save(store: Store, content: Content) -> None:
    with store.draft(TOY, {}, clock()) as draft:
        draft.fill(content)


def test_what_was_written_is_read(store: Store) -> None:
    save(store, toy())
    with store.view(Toy, TOY) as found:
        np.testing.assert_array_equal(found.picture[1:, 2], [2, 2, 2])
        assert [each.shape for each in found.rows] == [(3, 2), (3, 4)]
        assert {name: np.asarray(values[()]).tolist() for name, values in found.state.items()} == {
            "b": [0, 1, 2],
            "a": 1.5,
        }
        assert (found.share, found.facts, found.order) == (0.25, {"telescope": "C11", "gain": 2.5}, None)
    assert store.seconds(TOY) >= 0


def test_arrays_stay_in_the_file(store: Store) -> None:
    save(store, toy())
    with store.view(Toy, TOY) as found:
        picture = found.picture
    with pytest.raises((ValueError, RuntimeError)):
        picture[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"picture": np.zeros((4, 5))}, "picture is float64, declared is float32"),
        (
            {"picture": np.zeros((4, 5, 6), np.float32)},
            r"picture has the shape \(4, 5, 6\), declared are the axes \(y, x\)",
        ),
        ({"rows": (np.zeros(3, np.int32),)}, "0 is int32"),
        ({"order": np.zeros(3, np.int32)}, "order is int32, declared is int64"),
    ],
)
def test_what_was_not_declared_is_refused_and_leaves_nothing(store: Store, change: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        save(store, replace(toy(), **change))
    assert not store.has(TOY)


def test_an_array_can_be_written_block_by_block(store: Store) -> None:
    blocks = (np.full((2, 5), k, np.float32) for k in range(2))
    save(store, replace(toy(), picture=Streamed((4, 5), np.float32, blocks)))
    with store.view(Toy, TOY) as found:
        np.testing.assert_array_equal(found.picture[:, 0], [0, 0, 1, 1])
    store.remove(TOY)
    with pytest.raises(ValueError, match="2 rows came, 4 were declared"):
        save(store, replace(toy(), picture=Streamed((4, 5), np.float32, [np.zeros((2, 5), np.float32)])))
    assert not store.has(TOY)


def test_frames_of_unknown_number_grow(store: Store) -> None:
    with store.draft(TOY, {}, clock()) as draft:
        picture = draft.growing("picture", (5,), np.float32, "lzf")
        for k in range(3):
            picture.append(np.full((1, 5), k, np.float32))
        draft.fill(replace(toy(), picture=picture))
    with store.view(Toy, TOY) as found:
        assert found.picture[:, 0].tolist() == [0, 1, 2]


def test_a_file_of_another_version_is_called_so(store: Store) -> None:
    with store.create(TOY, {}) as file:
        file["picture"] = np.zeros((4, 5), np.float32)
    with pytest.raises(StoreError, match=r"has no rows: it is no Toy of this version; delete it"), store.view(Toy, TOY):
        pass


def test_a_product_of_another_step_is_no_toy(store: Store) -> None:
    with pytest.raises(TypeError, match="is no Toy, which toy leaves"), store.view(Toy, Product("sky", "a" * 32)):
        pass


def test_every_field_is_declared() -> None:
    @dataclass(frozen=True)
    class Loose(Content):
        number: float

    with pytest.raises(TypeError, match="number: declare it as Annotated"):
        list(documented(Loose))


def test_the_declaration_is_documented() -> None:
    text = "\n".join(documented(Toy))
    assert "| `picture` | (y, x) | float32 | adu | A picture. |" in text
    assert "| `rows/…` | (row, ...) | float32 | rad | Per channel. |" in text
    assert "| `share` | attribute | float | fraction | A share. |" in text
    assert "Not always there." in text
