"""The solver's canvas of one channel: frames in their places, of equal light; a sky comes back onto the frame's grid."""

from typing import Any

import numpy as np
import pytest

from storage.product import Product
from tasks.products.clean_frames import prepared
from tasks.products.cutout import Field, field_of
from tasks.running.step import Work


def opened(filmed: Any, channel: int = 0) -> Field:
    with filmed.store.open(filmed.stack) as first:
        return field_of(first, channel)


def test_canvas_is_square_and_holds_the_frame(coloured: Any) -> None:
    field = opened(coloured, 2)
    assert field.size == 64
    assert field.taper.shape == (64, 64)
    assert (field.taper[:8] == 0).all()  # above the 48 rows
    assert (field.taper[-8:] == 0).all()
    np.testing.assert_array_equal(field.stack, coloured.read(coloured.stack, "stack")[2])


def test_dark_and_level_are_the_skys(planet: Any) -> None:
    field = opened(planet)
    assert field.dark == pytest.approx(8, abs=8)
    assert field.dark <= field.level < 0.1 * field.stack.max()


def test_frames_are_in_place_and_of_equal_light(spoiled: Any) -> None:
    field = opened(spoiled)
    order = spoiled.read(spoiled.stack, "order")
    work = Work(spoiled.store, Product("test", "0" * 32), {}, "test")
    with prepared(work, spoiled.frames, spoiled.mean) as clean:
        laid = field.frames(clean, order)
    assert laid.shape == (len(order), field.size, field.size)
    assert laid.dtype == np.float32
    light = laid.sum((1, 2))
    assert light.std() / light.mean() < 0.03  # clouds of 30 % are gone
    y, x = np.indices(laid.shape[1:])
    centres = np.stack([(laid * axis).sum((1, 2)) / light for axis in (y, x)], 1)
    assert centres.std(0).max() < 0.8  # a drift of 5 px is gone but for the fractions


def test_frames_have_the_light_of_the_stack(spoiled: Any) -> None:
    field = opened(spoiled)
    work = Work(spoiled.store, Product("test", "0" * 32), {}, "test")
    with prepared(work, spoiled.frames, spoiled.mean) as clean:
        laid = field.frames(clean, spoiled.read(spoiled.stack, "order"))
    assert laid.mean(0).sum() == pytest.approx(field.laid(field.stack).sum(), rel=0.03)


def test_stack_comes_back_as_it_went(planet: Any, coloured: Any) -> None:
    for field in (opened(planet), opened(coloured, 1)):
        np.testing.assert_allclose(field.back(field.laid(field.stack)), field.stack, rtol=1e-4, atol=1e-2)
