"""align recovers where each frame pointed, and marks frames that cannot be placed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from configs.load import load_config
from storage.captures.capture import capture_at
from storage.captures.readers.ser import write_ser
from storage.results.truth import beside
from storage.store import Store
from tasks.align import align
from tasks.average import average
from tasks.calibrate import calibrate
from tasks.ingest import ingest
from tasks.products.frames import reasons
from tasks.running.step import Run


def pointing(path: Path) -> NDArray[np.float64]:
    """(frame, 2) dy, dx px: where the mount pointed plus where the air put the light's centre."""
    with fits.open(beside(path)["psfs"]) as hdus:
        psfs, moves = hdus["PSF"].data.astype(np.float64), hdus["POINTING"].data
    y, x = np.indices(psfs.shape[1:])
    centres = [(psfs * axis).sum((1, 2)) - axis.shape[0] // 2 for axis in (y, x)]
    return np.stack([moves["dy"] + centres[0], moves["dx"] + centres[1]], 1)


def test_drift_is_recovered(planet: Any) -> None:
    shifts = planet.read(planet.shifts, "shifts")
    wanted = pointing(planet.path)
    wanted -= np.median(wanted, axis=0)
    np.testing.assert_allclose(np.median(shifts, axis=0), 0, atol=1e-5)
    error = shifts - wanted
    assert np.sqrt(((error - error.mean(0)) ** 2).mean()) < 0.4
    assert np.abs(error.mean(0)).max() < 0.8
    scale = (shifts * wanted).sum() / (wanted**2).sum()
    assert scale == pytest.approx(1, abs=0.12)


def test_noise_is_marked_and_nothing_good_is(spoiled: Any) -> None:
    flags, shifts = spoiled.read(spoiled.shifts, "flags"), spoiled.read(spoiled.shifts, "shifts")
    found = {k: reasons(int(flags[k])) for k in np.flatnonzero(flags)}
    assert found.pop(17) == ["unaligned"]
    assert set(found) <= {5, 9, 13, 21}
    assert np.isnan(shifts[[5, 9, 13]]).all()  # frames never looked at have no place
    assert np.isfinite(shifts[flags == 0]).all()


def test_spoiled_frames_do_not_disturb_the_others(planet: Any, spoiled: Any) -> None:
    ok = spoiled.read(spoiled.shifts, "flags") == 0
    difference = (spoiled.read(spoiled.shifts, "shifts") - planet.read(planet.shifts, "shifts"))[ok]
    assert np.abs(difference - np.median(difference, 0)).max() < 0.15


def test_zero_is_in_the_middle_of_the_usable_frames(planet: Any, tmp_path: Path) -> None:
    codes = planet.raw[:12, 0].copy()
    codes[0] = 8
    write_ser(tmp_path / "late.ser", codes, 12)
    run = Run(Store(tmp_path / "store"))
    frames = ingest(run, capture_at(tmp_path / "late.ser"), planet.config.ingest)
    mean = average(run, frames, planet.config.average)
    with run.store.open(align(run, calibrate(run, frames, mean), planet.config.align)) as file:
        assert reasons(int(file["flags"][0])) == ["black"]
        np.testing.assert_allclose(np.median(file["shifts"][1:], axis=0), 0, atol=1e-5)


def test_blocks_do_not_change_the_shifts(planet: Any, tmp_path: Path) -> None:
    run = Run(Store(tmp_path))
    frames = ingest(run, planet.capture, planet.config.ingest)
    mean = average(run, frames, planet.config.average)
    small = load_config(overrides=["align.block_frames=5"]).align
    with run.store.open(align(run, calibrate(run, frames, mean), small)) as file:
        np.testing.assert_allclose(file["shifts"][:], planet.read(planet.shifts, "shifts"), atol=0.05)
