"""The truth beside a capture: only its own, and readable or an error in words."""

from pathlib import Path

import numpy as np
import pytest

from storage.errors import Hopeless
from storage.results.truth import beside, holds_true_psfs, psf_file, psfs_beside, save_truth, true_psfs, truth_beside

SKY = np.arange(12, dtype=np.float32).reshape(3, 4)


def test_only_the_capture_s_own_truth_is_read(tmp_path: Path) -> None:
    save_truth(tmp_path / "truth.fits", SKY, SKY, {})
    save_truth(tmp_path / "b.truth.fits", SKY, SKY, {})
    assert truth_beside(tmp_path / "a.ser") is None
    assert truth_beside(tmp_path / "capture.ser") is None
    save_truth(tmp_path / "a.truth.fits", SKY, 2 * SKY, {"SEED": (3, "seed")})
    found = truth_beside(tmp_path / "a.ser")
    assert found is not None
    assert np.array_equal(found, 2 * SKY[None])
    assert beside(tmp_path / "x.1.ser")["truth"].name == "x.1.truth.fits"


def test_damaged_truth_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.truth.fits").write_text("nothing")
    with pytest.raises(Hopeless, match=r"a\.truth\.fits.*DIFF.*move the file away"):
        truth_beside(tmp_path / "a.ser")


def test_psfs_of_a_failed_simulation_do_not_appear(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), psf_file(tmp_path / "p.fits", 4) as file:  # noqa: PT012
        file.add(np.ones((2, 8, 8), np.float32), np.zeros((2, 2)))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_psfs_come_back_as_they_were_left(tmp_path: Path) -> None:
    psfs = np.random.default_rng(0).random((5, 8, 10), np.float32)
    moves = np.arange(10.0).reshape(5, 2)
    with psf_file(tmp_path / "a.psfs.fits", 5, pixel_fill=0.9) as file:
        file.add(psfs[:3], moves[:3])
        file.add(psfs[3:], moves[3:])
    assert psfs_beside(tmp_path / "a.ser") == tmp_path / "a.psfs.fits"
    with true_psfs(tmp_path / "a.psfs.fits") as found:
        assert found.shape == (5, 8, 10)
        assert found.pixel_fill == 0.9
        assert np.array_equal(found.pointing, moves)
        assert np.array_equal(found.take(np.array([4, 0])), psfs[[4, 0]])


def test_what_holds_no_psfs_is_not_taken_for_any(tmp_path: Path) -> None:
    save_truth(tmp_path / "a.psfs.fits", SKY, SKY, {})
    assert not holds_true_psfs(tmp_path / "a.psfs.fits")
    assert not holds_true_psfs(tmp_path / "none.fits")
    assert psfs_beside(tmp_path / "a.ser") is None
    with pytest.raises(Hopeless, match=r"a\.psfs\.fits.*POINTING.*simulate again"), true_psfs(tmp_path / "a.psfs.fits"):
        pass
