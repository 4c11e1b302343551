"""average: moments of the usable frames only, the same whatever the chunks, and the pixels not to be believed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs.load import load_config
from storage.captures.capture import capture_at
from storage.captures.readers.ser import write_ser
from storage.store import Store
from tasks.average import average
from tasks.ingest import ingest
from tasks.products.contents import Frames, Mean
from tasks.products.frames import CalibratedFrames
from tasks.running.step import Run

ARRAYS = ("mean", "variance", "bad", "flux", "noise")


def test_moments_are_those_of_the_usable_frames(spoiled: Any) -> None:
    usable = spoiled.read(spoiled.frames, "flags") == 0
    assert not usable.all()
    with spoiled.store.view(Frames, spoiled.frames) as frames:
        light = CalibratedFrames(frames).read(0, len(usable)).astype(np.float64)[usable]
    np.testing.assert_allclose(spoiled.read(spoiled.mean, "mean"), light.mean(0), rtol=1e-5)
    np.testing.assert_allclose(spoiled.read(spoiled.mean, "variance"), light.var(0), rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(spoiled.read(spoiled.mean, "flux")[usable, 0], light.mean((1, 2, 3)), rtol=1e-5)


def test_chunks_do_not_change_the_result(spoiled: Any, tmp_path: Path) -> None:
    run = Run(Store(tmp_path))
    frames = ingest(run, spoiled.capture, spoiled.config.ingest)
    other = average(run, frames, load_config(overrides=["average.block_frames=5"]).average)
    assert other == spoiled.mean  # the name says so too
    with run.store.open(other) as file:
        for name in ARRAYS:
            np.testing.assert_allclose(file[name][:], spoiled.read(spoiled.mean, name), rtol=1e-5, atol=1e-5)
        cutoff = file.attrs["optical_cutoff"]
    assert cutoff == pytest.approx(spoiled.note(spoiled.mean, "optical_cutoff"), rel=1e-6)


def test_hot_and_dead_pixels_are_found(planet: Any, tmp_path: Path) -> None:
    codes = planet.raw[:, 0].copy()
    codes[:, 10, 50] = 4000
    codes[:, 32, 31] = 0
    write_ser(tmp_path / "bad.ser", codes, 12)
    run = Run(Store(tmp_path / "store"))
    frames = ingest(run, capture_at(tmp_path / "bad.ser"), planet.config.ingest)
    with run.store.open(average(run, frames, planet.config.average)) as file:
        bad = file["bad"][0]
    assert bad[10, 50]
    assert bad[32, 31]
    assert bad.sum() < 10


def test_a_sound_camera_has_hardly_a_bad_pixel(planet: Any) -> None:
    assert planet.read(planet.mean, "bad").sum() <= 4


def test_noise_is_the_cameras(planet: Any) -> None:
    # Shot noise of the mean light, read noise of 2 electrons, and rounding.
    gain = 8000 / (0.8 * 4095 - 8)
    light = float(planet.read(planet.mean, "flux").mean()) - 8
    expected = (light * gain + 4) / gain**2 + 1 / 12
    assert np.median(planet.read(planet.mean, "noise")) == pytest.approx(expected, rel=0.5)


def test_rounding_is_part_of_the_noise(tmp_path: Path) -> None:
    """8 bit of a quiet camera in a bright place: what the frames themselves show of its noise is less than they lost."""
    dice, light = np.random.default_rng(0), 40 + np.zeros((20, 32, 32))
    y, x = np.mgrid[:32, :32] - 16
    light += 100 * np.exp(-(y**2 + x**2) / 30)
    quiet, loud = (np.rint(light + dice.normal(0, sigma, light.shape)) for sigma in (0.1, 2.0))
    wide = np.rint(light * 4 + dice.normal(0, 3, light.shape)).astype(np.uint16) * 16
    found = {}
    for name, codes, bits in (("quiet", quiet, 8), ("loud", loud, 8), ("wide", wide, 16)):
        write_ser(tmp_path / f"{name}.ser", codes.astype(np.uint16 if bits == 16 else np.uint8), bits)
        run, config = Run(Store(tmp_path / name)), load_config()
        product = average(run, ingest(run, capture_at(tmp_path / f"{name}.ser"), config.ingest), config.average)
        with run.store.view(Mean, product) as mean:
            noise = float(np.median(mean.noise[:]))
            found[name] = mean.code_step, mean.sky_noise_steps, noise, float(mean.rounding_noise[0])
    step, sky, noise, least = found["quiet"]
    assert (step, sky, noise, least) == (1, 0.0, pytest.approx(1 / 12), pytest.approx(1 / 12))
    step, sky, noise, least = found["loud"]
    assert step == 1
    assert 1.0 < sky < 2.2
    assert noise == pytest.approx(4.0, rel=0.15), "rounding is in what was measured, and is not added again"
    step, sky, noise, least = found["wide"]
    assert step == 16, "12 bits at the top of 16"
    assert least == pytest.approx(256 / 12)
    assert 2 < sky < 3.3
