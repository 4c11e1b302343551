"""PSFs of all rounds in one array: whatever block is asked for, the rows are those of the whole."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.psf_models import rows
from tasks.numerics.psf_models.rows import PsfRows
from tasks.numerics.psf_models.table import PSF_MODELS

SIZE = 32
APERTURE = Aperture(16.0, 0.0)
MODEL = PSF_MODELS["pupil"]


def phases(count: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, 6)).astype(np.float32)


BEFORE, OWN = phases(5, 1), phases(7, 2)
WHOLE = PsfRows(MODEL, BEFORE, OWN, [3, 4], [(0.0, 0.0), (1.5, -0.5)], APERTURE, SIZE)


def test_rows_of_earlier_rounds_come_first_and_unchanged() -> None:
    assert (len(WHOLE), WHOLE.shape) == (12, (12, 6))
    np.testing.assert_array_equal(WHOLE[0:5], BEFORE)
    np.testing.assert_array_equal(WHOLE[5:8], OWN[:3])  # the first batch stays where it is


def test_a_batch_whose_sky_was_moved_has_its_psfs_moved_back() -> None:
    """Sky and PSF move against each other: their product, the frame, stays where it is."""
    before, after = (MODEL.transfer_functions(torch.from_numpy(p), APERTURE, SIZE, 3.0) for p in (OWN[3:], WHOLE[8:12]))
    fy, fx = torch.fft.fftfreq(SIZE)[:, None], torch.fft.rfftfreq(SIZE)
    sky_moved = torch.exp(-2j * torch.pi * (1.5 * fy - 0.5 * fx))
    inside = torch.hypot(fy, fx) < 0.4
    torch.testing.assert_close((after * sky_moved)[:, inside], before[:, inside], rtol=1e-2, atol=1e-3)
    assert not np.allclose(WHOLE[8:12], OWN[3:])


@pytest.mark.parametrize("block", [1, 2, 5, 7, 100])
def test_blocks_are_the_rows(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "BLOCK", block)
    found = list(WHOLE.blocks())
    assert max(map(len, found)) <= block
    np.testing.assert_allclose(np.concatenate(found), WHOLE[0:12], rtol=1e-6)


@pytest.mark.parametrize(("start", "stop"), [(0, 3), (3, 7), (4, 12), (6, 10), (9, 10), (11, 40)])
def test_any_slice_is_that_of_the_whole(start: int, stop: int) -> None:
    np.testing.assert_allclose(WHOLE[start:stop], WHOLE[0:12][start:stop], rtol=1e-6)


def test_a_first_round_has_no_rows_before() -> None:
    first = replace(WHOLE, before=None)
    assert (len(first), first.shape) == (7, (7, 6))
    np.testing.assert_array_equal(first[0:7], WHOLE[5:12])


def test_a_round_without_frames_keeps_the_earlier_rows() -> None:
    nothing = replace(WHOLE, own=OWN[:0], counts=[], offsets=[])
    assert nothing.shape == (5, 6)
    np.testing.assert_array_equal(np.concatenate(list(nothing.blocks())), BEFORE)
