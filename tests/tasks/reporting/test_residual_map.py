"""The map of misfit is one where the solve worked, and shows the place where it did not."""

import contextlib
from typing import Any

import numpy as np

from tasks.products.clean_frames import Prepared
from tasks.products.cutout import field_of
from tasks.products.frames import FrameStack
from tasks.products.optics import cutoff_cpp
from tasks.reporting.residual_map import FRAMES, misfit_of


def maps(filmed: Any, spot: float = 0.0) -> Any:
    """The misfit of the last round with every frame brighter by `spot` in one place."""
    store = filmed.store
    with contextlib.ExitStack() as stack:
        opened = (filmed.frames, filmed.mean, filmed.stack, filmed.sky)
        raw, mean, first, sky = (stack.enter_context(store.open(product)) for product in opened)
        clean: Any = Prepared(FrameStack(raw), np.zeros_like(mean["bad"][:]), mean["noise"][:])
        field = field_of(first, 0)
        if spot:
            clean = Spotted(clean, np.rint(field.shifts).astype(int), spot)
        cutoff = min(cutoff_cpp(filmed.config.telescope, 0, mean), 0.5)
        eye = (cutoff * field.size, filmed.config.telescope.obstruction)
        air = stack.enter_context(store.open(filmed.seeing))["channel0"]
        return misfit_of(clean, field, sky, "pupil", eye, float(air.attrs["d_over_r0"]))


class Spotted:
    """Frames with a faint light that the sky does not have."""

    def __init__(self, clean: Prepared, moves: Any, light: float) -> None:
        self.clean, self.moves, self.light = clean, moves, light

    def take(self, frames: Any) -> Any:
        out = self.clean.take(frames)
        for row, k in zip(out, frames, strict=True):
            dy, dx = self.moves[int(k)]
            row[0, 30 + dy : 34 + dy, 40 + dx : 44 + dx] += self.light
        return out


def test_a_good_solve_leaves_noise(planet: Any) -> None:
    found = maps(planet)
    assert found.frames == min(FRAMES, len(planet.read(planet.sky, "frames")))
    assert found.ratio.shape == (64, 64)
    light = planet.read(planet.stack, "stack")[0]
    bright = np.isfinite(found.ratio) & (light > 0.5 * light.max())
    assert 0.8 < np.median(found.ratio[bright]) < 2, "28 modes leave a little of the air"
    assert np.isnan(found.ratio[0]).all(), "the border is tapered"


def test_what_the_sky_does_not_explain_stands_out(planet: Any) -> None:
    honest = maps(planet)
    spotted = maps(planet, 400.0)
    gain = spotted.ratio / honest.ratio
    assert np.nanmedian(gain[30:34, 40:44]) > 3
    assert np.nanmedian(gain) < 1.1
