"""Frames as they come out of an ingest product: linear, calibrated, in any order."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tasks.products.contents import Frames
from tasks.products.frames import FLAGS, MIN_FLAT, CalibratedFrames, flag, frames_within, reasons

RAW = np.random.default_rng(2).integers(100, 4000, (7, 2, 6, 5)).astype(np.uint16)


FLAGGED = np.array([0, 1, 0, 2, 5, 0, 32], np.uint8)
CONTENT = Frames(RAW, FLAGGED, np.ones(7, np.float32), "a.ser", "f" * 64, 4095.0, {})
"""An ingest product without calibration."""


def frames(**calibration: Any) -> CalibratedFrames:
    """The frames with dark, flat or response."""
    return CalibratedFrames(replace(CONTENT, **calibration))


def test_without_calibration_frames_are_the_codes() -> None:
    light = frames().read(0, 7)
    assert light.dtype == np.float32
    np.testing.assert_array_equal(light, RAW)


def test_shape_and_flags() -> None:
    stack = frames()
    assert stack.shape == (7, 2, 6, 5)
    assert stack.flags.tolist() == [0, 1, 0, 2, 5, 0, 32]


def test_calibration_is_response_then_dark_then_flat() -> None:
    rng = np.random.default_rng(3)
    response = np.sqrt(np.arange(65536, dtype=np.float32))
    dark = rng.uniform(0, 5, (2, 6, 5)).astype(np.float32)
    flat = rng.uniform(0.5, 1.5, (2, 6, 5)).astype(np.float32)
    level = np.median(flat, axis=(-2, -1), keepdims=True)
    light = frames(response=response, dark=dark, flat=flat).read(2, 5)
    np.testing.assert_allclose(light, (response[RAW[2:5]] - dark) / (flat / level), rtol=1e-5)


def test_a_flat_does_not_change_the_level() -> None:
    """The same flat in other units is the same calibration."""
    np.testing.assert_allclose(frames(flat=np.full((2, 6, 5), 20000.0, np.float32)).read(0, 7), RAW)


def test_a_dead_corner_of_the_flat_stays_finite() -> None:
    flat = np.ones((2, 6, 5), np.float32)
    flat[0, 0, :3] = (0.0, -1.0, 0.5 * MIN_FLAT)
    light = frames(flat=flat).read(0, 7)
    np.testing.assert_array_equal(light[:, 0, 0, :3], RAW[:, 0, 0, :3])


def test_holes_in_float_frames_are_filled_with_nothing() -> None:
    raw = RAW.astype(np.float32)
    raw[3, 0, 2, 2] = np.nan
    light = frames(raw=raw).read(3, 4)
    assert np.isfinite(light).all()
    assert light[0, 0, 2, 2] == 0


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_blocks_of_any_size_are_all_frames(size: int) -> None:
    blocks = list(frames().blocks(size))
    assert [start for start, _ in blocks] == list(range(0, 7, size))
    np.testing.assert_array_equal(np.concatenate([block for _, block in blocks]), RAW)


def test_blocks_of_large_frames_hold_fewer_of_them() -> None:
    assert frames_within((1, 256, 256), 32) == 32
    assert frames_within((3, 960, 1280), 32) == 4
    assert frames_within((3, 9000, 9000), 32) == 1


def test_flags_in_words() -> None:
    assert reasons(0) == []
    assert [reasons(flag(name)) for name in FLAGS] == [[name] for name in FLAGS]
    assert reasons(flag("streak") | flag("black")) == ["black", "streak"]


def test_flags_fit_their_byte() -> None:
    assert max(flag(name) for name in FLAGS) <= 255


def test_an_unknown_reason_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        flag("cloudy")
