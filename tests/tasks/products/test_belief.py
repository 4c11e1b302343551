"""Beside every picture lies its standard error; a sky that is not believed whole is kept apart."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

import flows.capture
from configs.schema import Telescope
from storage.product import CaptureResults, Product
from tasks.evaluate import evaluate
from tasks.numerics.fourier.rings import radius
from tasks.numerics.judging.metrics import match
from tasks.products.belief import standard_error_of
from tasks.products.contents import Evaluated, Mean, Seeing, Sky, Stack
from tasks.products.cutout import cutout_of
from tasks.products.optics import aperture_of
from tasks.reporting.report import describe


def errors(planet: Any, believed: int) -> NDArray[np.float32]:
    """The standard error with so many rings of the sky."""
    store = planet.store
    with (
        store.view(Sky, planet.sky) as sky,
        store.view(Stack, planet.stack) as stack,
        store.view(Mean, planet.mean) as mean,
        store.view(Seeing, planet.seeing) as seeing,
    ):
        cutout = cutout_of(stack, 0)
        aperture = aperture_of(planet.config.telescope, 0, mean, cutout.size)
        return standard_error_of(sky, cutout, aperture, believed, len(stack.order), seeing.log_power_sigma[0])


def test_every_pixel_has_its_error(planet: Any) -> None:
    with planet.store.view(Evaluated, planet.result) as judged:
        assert judged.belief.shape == judged.published.shape
        error = judged.belief[:]
        assert np.isfinite(error).all()
        assert (error > 0).all()
        light = np.ptp(judged.published[:])
        assert np.median(error) < 0.1 * light
        finest = judged.figures["channels"][0]["finest_believed_cpp"]
        assert 0.05 < finest <= judged.figures["channels"][0]["cutoff_cpp"]


def test_the_stack_is_surer_of_itself_than_the_sharper_sky(planet: Any) -> None:
    stack, part, sky = (errors(planet, believed) for believed in (0, 12, 64))
    assert np.ptp(stack) == 0
    assert np.median(stack) < np.median(sky)
    assert np.median(part) < np.median(sky)


def test_the_error_is_what_the_sky_is_off_the_truth_by(planet: Any) -> None:
    """As far as detail is believed, over the inner part of the frame; gain, offset and place are not known to any solve.

    The few steps of this solve leave more than the halves show; captures that were solved in full measure 0.7 to 1.4.
    """
    with planet.store.view(Evaluated, planet.result) as judged:
        sky, error = judged.published[0], judged.belief[0]
        finest = judged.figures["channels"][0]["finest_believed_cpp"]
    fit = match(planet.truth, sky)
    off = (fit.fitted - fit.truth) / fit.gain
    spectrum = np.fft.rfft2(off) / (1 + (radius(off.shape) / finest) ** 16)
    off = np.fft.irfft2(spectrum, s=off.shape)
    ratio = np.sqrt(np.mean(off**2) / np.mean(error[8:-8, 8:-8] ** 2))
    assert 0.5 < ratio < 2.8


@pytest.fixture(scope="module")
def blend(planet: Any) -> Product:
    """The verdict of one who knows no telescope on a sky that was solved with it."""
    return evaluate(planet.run, planet.inputs, planet.sky, Telescope(), planet.config.evaluate, planet.config.colour)


def test_without_a_telescope_a_blend_is_published_at_most(planet: Any, blend: Product) -> None:
    with planet.store.view(Evaluated, blend) as judged:
        assert judged.verdict in ("blend", "stack")
        assert not np.array_equal(judged.published[:], judged.sky[:])
    words = describe(planet.store, blend, {}, None)["verdict"]
    if "BLEND" in words[0]:
        assert "[telescope]" in words[0]
        assert "up to" in words[1]


@pytest.mark.parametrize("believed", [True, False])
def test_files_of_a_sky_and_of_what_is_not_believed(
    planet: Any, blend: Product, tmp_path: Path, believed: bool
) -> None:
    result = planet.result if believed else blend
    (tmp_path / "sky_unbelieved.fits").write_bytes(b"of an earlier run")
    flows.capture.publish_result(planet.store, CaptureResults.of(result), planet.capture, planet.config, tmp_path)
    with planet.store.view(Evaluated, result) as judged, fits.open(tmp_path / "belief.fits") as error:
        np.testing.assert_array_equal(error[0].data, judged.belief[0])
        assert error[0].header["FINEST"] == pytest.approx(judged.figures["channels"][0]["finest_believed_cpp"])
        np.testing.assert_array_equal(fits.getdata(tmp_path / "sky.fits"), judged.published[0])
        if believed:
            assert not (tmp_path / "sky_unbelieved.fits").exists()
        else:
            np.testing.assert_array_equal(fits.getdata(tmp_path / "sky_unbelieved.fits"), judged.sky[0])
