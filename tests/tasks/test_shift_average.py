"""shift_average: the luckiest frames first, none of those that will judge, no light lost, clouds measured."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs.load import load_config
from storage.errors import Hopeless
from storage.store import Store
from tasks.align import align
from tasks.average import average
from tasks.calibrate import calibrate
from tasks.ingest import ingest
from tasks.numerics.judging.metrics import psnr
from tasks.products.frames import reasons
from tasks.running.step import Run
from tasks.shift_average import shift_average


def sharpness(picture: Any) -> float:
    """Fine power over coarse power (y, x)."""
    power = np.abs(np.fft.rfft2(picture - picture.mean())) ** 2
    radius = np.hypot(np.fft.fftfreq(len(picture))[:, None], np.fft.rfftfreq(picture.shape[1]))
    return float(power[(radius > 0.08) & (radius < 0.25)].sum() / power[radius < 0.05].sum())


def test_held_out_frames_never_enter_a_sky(planet: Any) -> None:
    order, held, flags = (planet.read(planet.stack, name) for name in ("order", "held", "flags"))
    assert len(held) == 5  # a tenth would be three, too few to show their own scatter
    assert not np.isin(held, order).any()
    np.testing.assert_array_equal(np.sort(np.concatenate([order, held])), np.flatnonzero(flags == 0))


def test_order_is_by_sharpness(planet: Any) -> None:
    order, sharp = planet.read(planet.stack, "order"), planet.read(planet.stack, "sharpness")
    assert (np.diff(sharp[order]) <= 0).all()


def test_lucky_is_sharper_than_the_stack_which_beats_the_plain_mean(planet: Any) -> None:
    stack, lucky = planet.read(planet.stack, "stack")[0], planet.read(planet.stack, "lucky_stack")[0]
    assert sharpness(lucky) > 1.2 * sharpness(stack)
    assert psnr(planet.truth, lucky) > psnr(planet.truth, stack) + 0.5
    assert psnr(planet.truth, stack) > psnr(planet.truth, planet.read(planet.mean, "mean")[0]) + 0.5


def test_flux_is_conserved(planet: Any) -> None:
    order = planet.read(planet.stack, "order")
    light = planet.raw[order].mean() - 8
    assert planet.read(planet.stack, "stack").mean() - 8 == pytest.approx(light, rel=0.01)
    assert planet.read(planet.stack, "lucky_stack").mean() - 8 == pytest.approx(light, rel=0.02)


def test_clouds_become_gains(spoiled: Any) -> None:
    gains, flags = spoiled.read(spoiled.stack, "gains")[:, 0], spoiled.read(spoiled.stack, "flags")
    ok, cloudy = flags == 0, np.arange(len(flags)) % 3 == 0
    assert gains[ok & cloudy].mean() / gains[ok & ~cloudy].mean() == pytest.approx(0.7, abs=0.02)
    assert gains[ok].mean() == pytest.approx(1, abs=0.02)


def test_streak_is_marked(spoiled: Any) -> None:
    flags = spoiled.read(spoiled.stack, "flags")
    assert reasons(int(flags[21])) in (["streak"], ["unaligned"])
    assert not np.isin(21, spoiled.read(spoiled.stack, "order"))


def test_colours_keep_their_light(coloured: Any) -> None:
    stack = coloured.read(coloured.stack, "stack")
    assert stack.shape == (3, 48, 64)
    light = stack.mean((1, 2)) - 8
    np.testing.assert_allclose(light / light[0], [1, 0.7, 0.4], rtol=0.02)


def test_blocks_do_not_change_the_result_but_the_seed_does(planet: Any, tmp_path: Path) -> None:
    run = Run(Store(tmp_path))
    frames = ingest(run, planet.capture, planet.config.ingest)
    mean = average(run, frames, planet.config.average)
    clean = calibrate(run, frames, mean)
    shifts = align(run, clean, planet.config.align)
    found = {}
    for words in ("block_frames=5", "seed=1"):
        settings = load_config(overrides=[f"shift_average.{words}"]).shift_average
        with run.store.open(shift_average(run, clean, mean, shifts, planet.config.telescope, settings)) as file:
            found[words] = (file["stack"][:], file["held"][:], file["order"][:])
    np.testing.assert_allclose(found["block_frames=5"][0], planet.read(planet.stack, "stack"), rtol=1e-4)
    np.testing.assert_array_equal(found["block_frames=5"][1], planet.read(planet.stack, "held"))
    assert not np.array_equal(found["seed=1"][1], planet.read(planet.stack, "held"))


def test_wavelengths_of_other_channels_are_refused(planet: Any) -> None:
    telescope = planet.config.telescope.model_copy(update={"wavelength_nm": (650.0, 550.0, 450.0)})
    given = (planet.run, planet.clean, planet.mean, planet.shifts, telescope, planet.config.shift_average)
    with pytest.raises(Hopeless, match=r"3 wavelengths .* 1 channel;"):
        shift_average(*given)
