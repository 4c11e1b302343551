"""The solver's canvas of one channel: frames in their places, of equal light; a sky comes back onto the frame's grid."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from storage.product import Product
from tasks.products.clean_frames import open_clean_frames
from tasks.products.contents import Stack
from tasks.products.cutout import Cutout, cutout_of
from tasks.running.step import Work


def opened(filmed: Any, channel: int = 0) -> Cutout:
    with filmed.store.view(Stack, filmed.stack) as stack:
        return cutout_of(stack, channel)


def test_canvas_is_square_and_holds_the_frame(coloured: Any) -> None:
    cutout = opened(coloured, 2)
    assert cutout.size == 64
    assert cutout.taper.shape == (64, 64)
    assert (cutout.taper[:8] == 0).all()  # above the 48 rows
    assert (cutout.taper[-8:] == 0).all()
    np.testing.assert_array_equal(cutout.stack, coloured.read(coloured.stack, "stack")[2])


def test_background_and_border_are_the_skys(planet: Any) -> None:
    cutout = opened(planet)
    assert cutout.background == pytest.approx(8, abs=8)
    assert cutout.background <= cutout.border < 0.1 * cutout.stack.max()


def test_frames_are_in_place_and_of_equal_light(spoiled: Any) -> None:
    cutout = opened(spoiled)
    order = spoiled.read(spoiled.stack, "order")
    work = Work(spoiled.run, Product("test", "0" * 32), {}, "test")
    with open_clean_frames(work, spoiled.clean) as clean:
        frames = cutout.frames(clean, order)
    assert frames.shape == (len(order), cutout.size, cutout.size)
    assert frames.dtype == np.float32
    light = frames.sum((1, 2))
    assert light.std() / light.mean() < 0.03  # clouds of 30 % are gone
    y, x = np.indices(frames.shape[1:])
    centres = np.stack([(frames * axis).sum((1, 2)) / light for axis in (y, x)], 1)
    assert centres.std(0).max() < 0.8  # a drift of 5 px is gone but for the fractions


def test_frames_have_the_light_of_the_stack(spoiled: Any) -> None:
    cutout = opened(spoiled)
    work = Work(spoiled.run, Product("test", "0" * 32), {}, "test")
    with open_clean_frames(work, spoiled.clean) as clean:
        frames = cutout.frames(clean, spoiled.read(spoiled.stack, "order"))
    assert frames.mean(0).sum() == pytest.approx(cutout.to_canvas(cutout.stack).sum(), rel=0.03)


def test_stack_comes_back_as_it_went(planet: Any, coloured: Any) -> None:
    for cutout in (opened(planet), opened(coloured, 1)):
        np.testing.assert_allclose(
            cutout.from_canvas(cutout.to_canvas(cutout.stack)), cutout.stack, rtol=1e-4, atol=1e-2
        )


def test_noise_is_never_below_that_of_rounding(planet: Any) -> None:
    with planet.store.view(Stack, planet.stack) as stack:
        cutout = cutout_of(stack, 0)
    nothing = torch.zeros((4, cutout.size, cutout.size // 2 + 1), dtype=torch.complex64)
    area = float((cutout.taper.astype(np.float64) ** 2).sum())
    assert cutout.least_noise == pytest.approx(1 / 12)
    assert cutout.noise_of(nothing, 0.4) == pytest.approx(area / 12)
    loud = 100 * torch.randn((4, cutout.size, cutout.size // 2 + 1), dtype=torch.complex64)
    assert cutout.noise_of(loud, 0.4) == replace(cutout, least_noise=0.0).noise_of(loud, 0.4), (
        "not added to what was seen"
    )
