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
from tasks.products.contents import Frames
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
