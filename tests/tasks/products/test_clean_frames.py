"""Frames as the steps read them: without bad pixels and cosmic rays, the same in blocks and one by one."""

from pathlib import Path
from typing import Any

import numpy as np

from storage.captures.capture import capture_at
from storage.captures.readers.ser import write_ser
from storage.product import Product
from storage.store import Store
from tasks.average import average
from tasks.calibrate import calibrate
from tasks.ingest import ingest
from tasks.products.clean_frames import open_clean_frames
from tasks.running.step import Run, Work


def work_on(store: Store) -> Work:
    return Work(Run(store), Product("test", "0" * 32), {}, "test")


def test_blocks_take_and_read_agree(planet: Any) -> None:
    with open_clean_frames(work_on(planet.store), planet.clean) as clean:
        blocks = list(clean.chosen_blocks(np.arange(32), 7))
        whole = clean.read(0, 32)
        np.testing.assert_array_equal(np.concatenate([block for _, block in blocks]), whole)
        assert [numbers[0] for numbers, _ in blocks] == [0, 7, 14, 21, 28]
        np.testing.assert_array_equal(clean.take([30, 2]), whole[[30, 2]])
        np.testing.assert_array_equal(clean.take([5, 0, 5]), whole[[5, 0, 5]])
        np.testing.assert_array_equal(clean.take(np.array([6, 1])), whole[[6, 1]])
        assert clean.take([]).shape == (0, *whole.shape[1:])


def test_chosen_frames_come_in_blocks_with_their_numbers(planet: Any) -> None:
    chosen = np.array([30, 2, 5, 9, 11], np.int64)
    with open_clean_frames(work_on(planet.store), planet.clean) as clean:
        blocks = list(clean.chosen_blocks(chosen, 2))
        assert [numbers.tolist() for numbers, _ in blocks] == [[30, 2], [5, 9], [11]]
        np.testing.assert_array_equal(np.concatenate([frames for _, frames in blocks]), clean.take(chosen))


def test_clean_frames_are_left_alone(planet: Any) -> None:
    with open_clean_frames(work_on(planet.store), planet.clean) as clean:
        touched = clean.read(0, 32) != planet.raw
    assert touched.mean() < 0.002


def test_hot_pixels_and_cosmic_rays_are_filled(planet: Any, tmp_path: Path) -> None:
    codes = planet.raw[:, 0].copy()
    codes[:, 10, 50] = 4000
    codes[6, 5, 40] = 4000
    write_ser(tmp_path / "bad.ser", codes, 12)
    run = Run(Store(tmp_path / "store"))
    frames = ingest(run, capture_at(tmp_path / "bad.ser"), planet.config.ingest)
    mean = average(run, frames, planet.config.average)
    with open_clean_frames(work_on(run.store), calibrate(run, frames, mean)) as clean:
        light = clean.read(0, 32)[:, 0]
    assert np.abs(light[:, 10, 50] - planet.raw[:, 0, 10, 50]).max() < 60
    assert abs(light[6, 5, 40] - float(planet.raw[6, 0, 5, 40])) < 60
