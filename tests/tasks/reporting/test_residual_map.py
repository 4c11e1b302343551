"""The map of misfit is one where the solve worked, and shows the place where it did not."""

import contextlib
from typing import Any

import numpy as np

from tasks.products.clean_frames import CleanFrames, clean_frames
from tasks.products.contents import Clean, Mean, Seeing, Sky, Stack
from tasks.products.cutout import cutout_of
from tasks.products.optics import aperture_of
from tasks.reporting.residual_map import FRAMES, residual_map


def maps(filmed: Any, spot: float = 0.0) -> Any:
    """The misfit of the last round with every frame brighter by `spot` in one place."""
    store = filmed.store
    with contextlib.ExitStack() as opened:
        calibrated = opened.enter_context(store.view(Clean, filmed.clean))
        mean = opened.enter_context(store.view(Mean, filmed.mean))
        cutout = cutout_of(opened.enter_context(store.view(Stack, filmed.stack)), 0)
        seeing = opened.enter_context(store.view(Seeing, filmed.seeing))
        sky = opened.enter_context(store.view(Sky, filmed.sky))
        clean: Any = clean_frames(calibrated)
        if spot:
            clean = Spotted(clean, np.rint(cutout.shifts).astype(int), spot)
        aperture = aperture_of(filmed.config.telescope, 0, mean, cutout.size)
        return residual_map(clean, cutout, sky, aperture, float(seeing.d_over_r0[0]))


class Spotted:
    """Frames with a faint light that the sky does not have."""

    def __init__(self, clean: CleanFrames, moves: Any, light: float) -> None:
        self.clean, self.moves, self.extra, self.colours = clean, moves, light, clean.colours

    @property
    def inside(self) -> "Spotted":
        """All of the frame is kept."""
        return self

    def light(self, frames: Any, channel: int) -> Any:
        out = self.clean.light(frames, channel)
        for row, k in zip(out, frames, strict=True):
            dy, dx = self.moves[int(k)]
            row[30 + dy : 34 + dy, 40 + dx : 44 + dx] += self.extra
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
