"""Captures of real telescopes and simulated ones with known truth; skipped where they are not at hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from storage.captures.readers import format_of, open_capture

SHARED = Path(__file__).resolve().parents[5] / "shared"
REAL = [
    ("double_star_a258/images", "fits", 12, (1, 192, 192), False),
    ("jupiter_frames/data/jupiter_mvi_6906", "images", 100, (3, 512, 512), True),
    ("webcam_alpha/test/input/jupiter_sample_frames", "images", 10, (3, 360, 640), True),
    ("webcam_alpha/test/input/saturn_sample_frames", "images", 10, (3, 360, 640), True),
    ("webcam_alpha/test/input/moon_sample_frames", "images", 10, (3, 480, 640), True),
]
CASES = sorted(SHARED.glob("cases/*/capture.*")) or [Path("absent")]


@pytest.mark.parametrize(("folder", "name", "frames", "shape", "gamma"), REAL)
def test_real_capture(folder: str, name: str, frames: int, shape: tuple[int, int, int], gamma: bool) -> None:
    path = SHARED / "real" / folder
    if not path.exists():
        pytest.skip(f"{folder} is not at hand")
    with open_capture(path) as capture:
        first = next(capture.blocks(2))
        assert format_of(path).name == name
        assert (capture.header.frames, capture.header.shape, capture.header.gamma) == (frames, shape, gamma)
        assert first.std() > 0


def test_double_star_has_its_times() -> None:
    path = SHARED / "real" / "double_star_a258" / "images"
    if not path.exists():
        pytest.skip("double star is not at hand")
    with open_capture(path) as capture:
        assert capture.timestamps is not None
        np.testing.assert_allclose(np.diff(capture.timestamps), 0.015, atol=1e-5)
        assert capture.header.full_scale == 65520


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.parent.name)
def test_simulated_case(path: Path) -> None:
    if not path.exists():
        pytest.skip("the cases are not at hand")
    truth = json.loads((path.parent / "meta.json").read_text())
    with open_capture(path) as capture:
        header, count = capture.header, 0
        for block in capture.blocks(32):
            count += len(block)
            assert block.max() <= truth["saturation_adu"]
    assert count == header.frames
    # SER tells the depth of the camera, FITS how many bits are stored, and a movie was made for the screen.
    limit, camera = header.full_scale or 0, truth["saturation_adu"]
    assert header.gamma or (limit == camera if format_of(path).name == "ser" else limit >= camera)
