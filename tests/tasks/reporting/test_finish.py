"""Finished pictures: what each setting does to the light."""

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from configs.finish import Finish
from storage.results.finished import Result, read_result
from tasks.numerics.finishing.target_crop import square_around
from tasks.reporting.finish import finished_picture, write_finish
from tests.storage.results.test_finished import result_in


@pytest.fixture
def result(tmp_path: Path) -> Result:
    return read_result(result_in(tmp_path, 3))


def test_the_default_is_the_sky_bit_by_bit(result: Result) -> None:
    np.testing.assert_array_equal(finished_picture(result, Finish(white="none"), None), result.sky)


def test_blend_mixes_in_linear_light(result: Result) -> None:
    made = finished_picture(result, Finish(white="none", blend=0.25), None)
    np.testing.assert_allclose(made, 0.25 * result.sky + 0.75 * result.stack, rtol=1e-5)


@pytest.mark.parametrize("settings", [Finish(white="none", sharpen=1.0), Finish(white="none", wavelets=(2.0, 1.5))])
def test_sharpening_steepens_the_limb_and_keeps_the_light(result: Result, settings: Finish) -> None:
    radius = np.hypot(*(np.mgrid[:64, :64] - np.array([28, 36])[:, None, None]))
    limb = (1000 / (1 + np.exp(1.2 * (radius - 9)))).astype(np.float32)
    limb = np.repeat(limb[None], 3, 0)
    soft = Result(limb, limb, result.standard_error, result.report)
    made = finished_picture(soft, settings, None)

    def steepest(picture: np.ndarray) -> float:
        return float(np.abs(np.gradient(picture[0, 28])).max())

    assert steepest(made) > 1.05 * steepest(limb)
    assert made.sum() == pytest.approx(limb.sum(), rel=0.01)


def test_crop_puts_the_target_in_the_middle_and_scale_refines_it(result: Result) -> None:
    box = square_around(result.sky[0])
    assert box is not None
    made = finished_picture(result, Finish(white="none", scale=1.5), box)[0]
    assert made.shape == (round(1.5 * box.side),) * 2
    y, x = np.mgrid[: len(made), : len(made)]
    middle = (made * y).sum() / made.sum(), (made * x).sum() / made.sum()
    np.testing.assert_allclose(middle, (len(made) - 1) / 2, atol=1.0)


def test_the_result_itself_is_not_touched(tmp_path: Path) -> None:
    folder = result_in(tmp_path)
    before = {path.name: sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    paths = write_finish(folder, Finish(crop="auto", sharpen=0.5, wavelets=(1.5,)), folder, tiff=True, winjupos=True)
    assert paths[1].name == "2026-11-20-2214_3-Jup-finished.png"
    assert all(sha256((folder / name).read_bytes()).hexdigest() == digest for name, digest in before.items())
