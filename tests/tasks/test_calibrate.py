"""calibrate leaves light that later steps need not touch: calibrated, without defects, exact where nothing was mended."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from storage.captures.capture import capture_at
from storage.captures.readers.ser import write_ser
from storage.store import Store
from tasks.average import average
from tasks.calibrate import calibrate
from tasks.ingest import ingest
from tasks.products.clean_frames import clean_frames
from tasks.products.contents import Clean, Frames
from tasks.products.frames import CalibratedFrames
from tasks.running.step import Run


def test_light_is_exact_where_nothing_was_mended(planet: Any) -> None:
    with planet.store.view(Clean, planet.clean) as content:
        light = clean_frames(content).read(0, 32)
        touched = np.broadcast_to(content.bad[:], light.shape).copy()
        touched[tuple(content.spikes[:].T)] = True
        assert content.codes[:1].dtype == np.uint16
    np.testing.assert_array_equal(light[~touched], planet.raw[~touched])
    assert touched.mean() < 0.002


def test_dark_and_flat_are_applied_and_rounding_is_far_below_the_noise(planet: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    slope = np.linspace(0.8, 1.2, 64)[:, None]
    codes = np.rint(planet.raw[:, 0] * slope + 20).astype(np.uint16)
    write_ser(tmp_path / "a.ser", codes, 12)
    write_ser(tmp_path / "dark.ser", np.full((3, 64, 64), 20, np.uint16), 12)
    write_ser(tmp_path / "flat.ser", np.rint(2000 * slope + rng.normal(0, 1, (3, 64, 64))).astype(np.uint16), 12)
    run = Run(Store(tmp_path / "store"))
    frames = ingest(
        run, capture_at(tmp_path / "a.ser", tmp_path / "dark.ser", tmp_path / "flat.ser"), planet.config.ingest
    )
    product = calibrate(run, frames, average(run, frames, planet.config.average))
    with run.store.view(Frames, frames) as raw, run.store.view(Clean, product) as content:
        clean, wanted = clean_frames(content), CalibratedFrames(raw).read(0, 32)
        difference = np.abs(clean.read(0, 32) - wanted)
        difference[tuple(content.spikes[:].T)] = 0
        difference[:, content.bad[:]] = 0
        assert difference.max() < 0.05 * np.sqrt(content.noise[:].min())


def test_a_cosmic_ray_is_mended_and_its_place_kept(planet: Any, tmp_path: Path) -> None:
    codes = planet.raw[:, 0].copy()
    codes[6, 5, 40] = 4000
    write_ser(tmp_path / "hit.ser", codes, 12)
    run = Run(Store(tmp_path / "store"))
    frames = ingest(run, capture_at(tmp_path / "hit.ser"), planet.config.ingest)
    with run.store.view(Clean, calibrate(run, frames, average(run, frames, planet.config.average))) as content:
        assert [6, 0, 5, 40] in content.spikes[:].tolist()
        assert clean_frames(content).take([6])[0, 0, 5, 40] < 100


def test_float_frames_keep_their_range(planet: Any, tmp_path: Path) -> None:
    light = planet.raw.astype(np.float32) * 1e-7
    light[3, 0, 30, 30] += 1e-3 * light.max()
    np.save(tmp_path / "frames.npy", light)
    run = Run(Store(tmp_path / "store"))
    with planet.store.view(Frames, planet.frames) as frames:
        floats = replace(frames, raw=light, full_scale=0.0)
        first = run.store
        with first.draft(replace(planet.frames, key="f" * 32), {"version": "0", "inputs": []}, lambda: 0.0) as draft:
            draft.fill(floats)
    product = replace(planet.frames, key="f" * 32)
    clean = calibrate(run, product, average(run, product, planet.config.average))
    with run.store.view(Clean, clean) as content:
        assert content.codes[:1].dtype == np.float32
        np.testing.assert_allclose(np.median(clean_frames(content).read(0, 32) - light), 0, atol=1e-12)
