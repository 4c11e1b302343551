"""A camera whose pixels are twice as wide as wavelength / 2D: its sky is solved on a finer grid than it has pixels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from configs.load import load_config
from configs.schema import Config
from flows.capture import publish_result
from flows.recipe import restore_capture
from storage.captures.capture import Capture, capture_at
from storage.errors import Hopeless
from storage.product import CaptureResults
from storage.results.finished import read_result
from storage.results.truth import beside, truth_beside
from storage.store import Store
from tasks.benchmark.simulate import simulate
from tasks.numerics.judging.metrics import match
from tasks.products.contents import Evaluated
from tasks.reporting.truth import in_pixels_of
from tasks.running.step import Run
from tests.tasks.conftest import SOLVED_WELL

SIDE = 32
"""Of a frame; the truth has twice as many pixels."""


@dataclass(frozen=True)
class Coarse:
    """A capture by wide pixels, and its sky."""

    capture: Capture
    config: Config
    store: Store
    results: CaptureResults
    truth: NDArray[np.float32]

    def solved(self, *words: str) -> CaptureResults:
        """The same with other settings."""
        config = load_config(beside(self.capture.path)["config"], overrides=(*SOLVED_WELL, *words))
        return restore_capture(Run(self.store), self.capture, config)

    def psnr(self, results: CaptureResults, name: str) -> float:
        """Of a picture against the truth in its pixels, dB."""
        with self.store.view(Evaluated, results.evaluated) as judged:
            picture = getattr(judged, name)[0]
        return match(in_pixels_of(self.truth, picture.shape)[0], picture).psnr_db


@pytest.fixture(scope="module")
def coarse(tmp_path_factory: pytest.TempPathFactory) -> Coarse:
    film = tmp_path_factory.mktemp("coarse") / "film.ser"
    request = {"n_frames": 48, "size_px": SIDE, "binning": 2, "photons_peak": 20000.0, "fps": 20.0, "d_over_r0": 4.0}
    simulate(film, {**request, "seed": 3, "drift_px": (1.5, -2.5)}, "planet")
    truth, config = truth_beside(film), load_config(beside(film)["config"], overrides=SOLVED_WELL)
    assert truth is not None
    store, capture = Store(film.parent / "store"), capture_at(film)
    return Coarse(capture, config, store, restore_capture(Run(store), capture, config), truth)


def test_the_telescope_asks_for_two_pixels(coarse: Coarse) -> None:
    assert coarse.config.telescope.pixel_over_nyquist == pytest.approx(2, rel=1e-4)
    assert coarse.config.sky_scale == 2
    assert coarse.truth.shape[-2:] == (2 * SIDE, 2 * SIDE)


def test_the_sky_beats_drizzled_frames_on_the_same_grid(coarse: Coarse) -> None:
    with coarse.store.view(Evaluated, coarse.results.evaluated) as judged:
        assert judged.verdict == "sky"
        assert judged.published.shape == judged.lucky_stack.shape == judged.belief.shape == (1, 2 * SIDE, 2 * SIDE)
        assert judged.figures["channels"][0]["d_over_r0"] == pytest.approx(4, rel=0.25)
        assert judged.figures["channels"][0]["cutoff_cpp"] == pytest.approx(0.5, abs=1e-3)
    assert coarse.psnr(coarse.results, "sky") > coarse.psnr(coarse.results, "lucky_stack") + 5


def test_the_sky_beats_the_one_on_the_cameras_grid(coarse: Coarse) -> None:
    """There light beyond half a cycle per pixel is folded onto coarser detail, and the model knows nothing of it."""
    plain = coarse.solved("sky.scale=1")
    with coarse.store.view(Evaluated, plain.evaluated) as judged:
        on_camera = judged.sky[0]
    assert on_camera.shape == (SIDE, SIDE)
    with coarse.store.view(Evaluated, coarse.results.evaluated) as judged:
        fine = judged.sky[0, ::2, ::2]
    camera_truth = in_pixels_of(coarse.truth, (SIDE, SIDE))[0]
    assert match(camera_truth, fine).psnr_db > match(camera_truth, on_camera).psnr_db + 1


def test_files_and_report_say_how_fine_the_grid_is(coarse: Coarse, tmp_path: Path) -> None:
    report = publish_result(coarse.store, coarse.results, coarse.capture, coarse.config, tmp_path)
    scale = coarse.config.telescope.scale_arcsec
    assert scale is not None
    for name in ("sky.fits", "stack.fits", "belief.fits"):
        header = fits.getheader(tmp_path / name)
        assert (header["NAXIS1"], header["SKYSCALE"]) == (2 * SIDE, 2)
        assert header["CDELT1"] == pytest.approx(scale / 2)
    assert report["sky_grid"] == {
        "scale": 2,
        "published_scale": 2,
        "pixel_scale_arcsec": pytest.approx(scale / 2),
        "camera_pixel_over_nyquist": pytest.approx(2, rel=1e-4),
    }
    assert any("2 x 2 pixels" in sentence for sentence in report["verdict"])
    assert report["truth"]["solved"]["psnr_db"] > report["truth"]["lucky"]["psnr_db"] + 5
    assert report["psf_rms_error"] < 0.6
    assert report["measured"]["resolved_arcsec"] == pytest.approx(
        scale / 2 / report["channels"][0]["finest_believed_cpp"]
    )
    assert read_result(tmp_path).scale_arcsec == pytest.approx(scale / 2)


def test_files_may_have_one_and_a_half_pixels(coarse: Coarse, tmp_path: Path) -> None:
    """Of the sky that was solved on two: no step is repeated."""
    results = coarse.solved("sky.scale=1.5")
    assert results == coarse.results
    config = load_config(beside(coarse.capture.path)["config"], overrides=(*SOLVED_WELL, "sky.scale=1.5"))
    report = publish_result(coarse.store, results, coarse.capture, config, tmp_path)
    scale = coarse.config.telescope.scale_arcsec
    assert scale is not None
    header = fits.getheader(tmp_path / "sky.fits")
    assert (header["NAXIS1"], header["NAXIS2"], header["SKYSCALE"]) == (3 * SIDE // 2, 3 * SIDE // 2, 1.5)
    assert header["CDELT1"] == pytest.approx(scale / 1.5)
    assert (report["sky_grid"]["scale"], report["sky_grid"]["published_scale"]) == (2, 1.5)
    finished = read_result(tmp_path)
    assert finished.scale_arcsec == pytest.approx(scale / 1.5)
    assert finished.solved_pixels == pytest.approx(2 / 1.5)
    assert float(finished.standard_error.min()) > 0
    with coarse.store.view(Evaluated, results.evaluated) as judged:
        assert finished.sky.mean() == pytest.approx(judged.published[0].mean(), rel=1e-3)


def test_a_finer_grid_needs_the_telescope(coarse: Coarse, tmp_path: Path) -> None:
    config = load_config(overrides=[*SOLVED_WELL, "sky.scale=2"])
    with pytest.raises(Hopeless, match=r"sky\.scale = 2 needs the telescope.*or sky\.scale = 1"):
        restore_capture(Run(Store(tmp_path)), coarse.capture, config)


@pytest.mark.parametrize(("shape", "expected"), [((4, 4), 1.0), ((2, 2), 1.0), ((8, 8), 1.0)])
def test_a_truth_in_other_pixels_keeps_its_light(shape: tuple[int, int], expected: float) -> None:
    truth: Any = np.ones((1, 4, 4), np.float32)
    found = in_pixels_of(truth, shape)
    assert found.shape == (1, *shape)
    assert found == pytest.approx(expected)
