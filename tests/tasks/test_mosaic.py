"""A raw Bayer capture through the whole recipe: its sky beats the lucky stack and what demosaicing would be worth."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile
from astropy.io import fits
from numpy.typing import NDArray
from scipy import ndimage

from configs.load import load_config
from configs.schema import Config
from flows.capture import publish_result
from flows.recipe import restore_capture
from storage.captures.capture import Capture, capture_at
from storage.captures.readers import open_capture
from storage.captures.readers.ser import write_ser
from storage.product import CaptureResults
from storage.results.published import FILES
from storage.results.truth import beside, truth_beside
from storage.store import Store
from tasks.benchmark.simulate import simulate
from tasks.numerics.fourier.sampling import bayer_samplings
from tasks.numerics.judging.metrics import match
from tasks.products.contents import Evaluated
from tasks.running.step import Run
from tests.tasks.conftest import SOLVED_WELL

SIDE, PATTERN = 64, "GRBG"
GAINS = (0.8, 1.0, 0.6)
BLUE_MOVED_PX = (2, -1)
"""By how much (dy, dx) px the atmosphere moves blue."""


@dataclass(frozen=True)
class Evening:
    """One planet as a mosaic, as the same mosaic demosaiced, and as it truly is."""

    mosaic: Evaluated
    demosaiced: Evaluated
    truth: NDArray[np.float32]
    store: Store
    results: CaptureResults
    capture: Capture
    config: Config

    def psnr(self, pictures: NDArray[np.float32]) -> float:
        """Mean over the colours, dB."""
        return float(np.mean([match(self.truth, picture).psnr_db for picture in pictures]))


def solved(folder: Path, codes: NDArray[np.float64], optics: Path, bayer: str | None) -> tuple[Store, CaptureResults]:
    folder.mkdir()
    write_ser(folder / "film.ser", np.clip(np.rint(codes), 0, 4095).astype(np.uint16), 12, bayer=bayer)
    store = Store(folder / "store")
    return store, restore_capture(
        Run(store), capture_at(folder / "film.ser"), load_config(optics, overrides=SOLVED_WELL)
    )


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("evening")
    shape = {"n_frames": 48, "size_px": SIDE, "photons_peak": 20000.0, "fps": 20.0, "seed": 3, "d_over_r0": 4.0}
    simulate(folder / "mono.ser", {**shape, "drift_px": (3.0, -5.0)}, "planet")
    with open_capture(folder / "mono.ser") as reader:
        light = np.concatenate(list(reader.blocks(16)))[:, 0].astype(np.float64) - 8
    colours = np.stack([light * gain for gain in GAINS], axis=1)
    colours[:, 2] = np.roll(colours[:, 2], BLUE_MOVED_PX, axis=(-2, -1))
    masks = np.stack([sampling.mask(SIDE, SIDE) for sampling in bayer_samplings(PATTERN)])
    mosaic = ((colours + 8) * masks).sum(axis=1)
    optics = beside(folder / "mono.ser")["config"]
    found = truth_beside(folder / "mono.ser")
    assert found is not None
    store, results = solved(folder / "mosaic", mosaic, optics, PATTERN)
    other, plain = solved(folder / "demosaiced", demosaiced(mosaic, masks), optics, None)
    with store.view(Evaluated, results.evaluated) as raw, other.view(Evaluated, plain.evaluated) as rgb:
        capture, config = capture_at(folder / "mosaic" / "film.ser"), load_config(optics, overrides=SOLVED_WELL)
        yield Evening(raw, rgb, found[0], store, results, capture, config)


def demosaiced(mosaic: NDArray[np.float64], masks: NDArray[np.float32]) -> NDArray[np.float64]:
    """(frame, 3, y, x) bilinear interpolation."""
    kernel = np.array([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]])
    planes = []
    for mask in masks:
        weight = ndimage.convolve(mask, kernel, mode="mirror")
        near = [ndimage.convolve(frame * mask, kernel, mode="mirror") / weight for frame in mosaic]
        planes.append(np.where(mask > 0, mosaic, np.stack(near)))
    return np.stack(planes, axis=1)


def test_the_sky_of_a_mosaic_beats_stack_and_demosaicing(evening: Evening) -> None:
    sky = evening.psnr(evening.mosaic.sky[:])
    assert evening.mosaic.verdict == "sky"
    assert sky > evening.psnr(evening.mosaic.lucky_stack[:]) + 1.5
    assert sky > evening.psnr(evening.demosaiced.sky[:]) + 0.5


def test_no_pattern_of_the_mosaic_is_left(evening: Evening) -> None:
    half, window = SIDE // 2, np.outer(np.hanning(SIDE), np.hanning(SIDE))
    for picture in evening.mosaic.sky[:]:
        amplitude = np.abs(np.fft.fft2(picture * window)) / window.sum()
        pattern = max(amplitude[half, half], amplitude[half, 0], amplitude[0, half])
        assert pattern < 1e-3 * np.ptp(picture)


def test_colours_lie_on_each_other(evening: Evening) -> None:
    red, green, blue = (match(evening.truth, picture).shift for picture in evening.mosaic.sky[:])
    assert np.abs(np.subtract(red, green)).max() < 0.1
    assert np.abs(np.subtract(blue, green)).max() < 0.1
    moved = evening.mosaic.figures["colours"]["sky_px"][2]
    assert moved == pytest.approx([-each for each in BLUE_MOVED_PX], abs=0.15)


def test_a_mosaic_is_published_in_colour(evening: Evening, tmp_path: Path) -> None:
    """Every file of the output folder, the page with its residual map among them."""
    report = publish_result(evening.store, evening.results, evening.capture, evening.config, tmp_path)
    assert fits.getdata(tmp_path / "sky.fits").shape == (3, SIDE, SIDE)
    picture = tifffile.imread(tmp_path / "sky.tif")
    assert (picture.shape, picture.dtype) == ((SIDE, SIDE, 3), np.uint16)
    assert all((tmp_path / name).is_file() for name in FILES)
    assert len(report["channels"]) == 3
    assert len(report["colours"]["sky_px"]) == 3
