"""What the user gets can be read by others, and says what it is."""

import json
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from storage.errors import StoreError
from storage.results.export import (
    THUMB_BYTES,
    THUMB_PX,
    black_and_white,
    save_fits,
    save_json,
    save_png,
    scale_cards,
    stretched,
    thumbnails,
)

RNG = np.random.default_rng(5)
MONO = RNG.normal(100, 30, (1, 12, 17)).astype(np.float32)
COLOUR = RNG.normal(100, 30, (3, 12, 17)).astype(np.float32)


@pytest.mark.parametrize(("sky", "shape"), [(MONO, (12, 17)), (COLOUR, (3, 12, 17))])
def test_fits_come_back_as_they_went(tmp_path: Path, sky: np.ndarray, shape: tuple[int, ...]) -> None:
    cards = {"BUNIT": ("adu", "camera units"), **scale_cards(0.25, (12, 17))}
    save_fits(tmp_path / "sky.fits", sky, cards, ["align.rounds = 5"])
    with fits.open(tmp_path / "sky.fits") as opened:
        opened.verify("exception")
        head, data = opened[0].header, opened[0].data
        np.testing.assert_array_equal(data, sky.reshape(shape))
    assert (head["BITPIX"], head["BUNIT"], head["CDELT1"], head["CDELT2"]) == (-32, "adu", 0.25, 0.25)
    assert (head["CRPIX1"], head["CRPIX2"]) == (9.0, 6.5), "axis 1 is x"
    assert list(head["HISTORY"]) == ["align.rounds = 5"]


def test_an_unknown_scale_is_not_claimed() -> None:
    assert scale_cards(None, (12, 17)) == {}


def test_long_history_stays_readable(tmp_path: Path) -> None:
    line = "settings rounds = " + "0123456789" * 40
    save_fits(tmp_path / "sky.fits", MONO, {}, [line])
    assert "".join(fits.getheader(tmp_path / "sky.fits")["HISTORY"]) == line


def test_a_grey_png_has_sixteen_bits(tmp_path: Path) -> None:
    save_png(tmp_path / "sky.png", MONO, "linear")
    with Image.open(tmp_path / "sky.png") as picture:
        assert picture.mode.startswith("I")
        np.testing.assert_array_equal(np.asarray(picture), stretched(MONO, "linear")[..., 0])


def test_a_colour_png_has_sixteen_bits(tmp_path: Path) -> None:
    save_png(tmp_path / "sky.png", COLOUR, "gamma")
    with av.open(str(tmp_path / "sky.png")) as container:
        frame = next(container.decode(video=0))
    assert frame.format.name == "rgb48be"
    np.testing.assert_array_equal(frame.to_ndarray(), stretched(COLOUR, "gamma"))


@pytest.mark.parametrize("stretch", ["linear", "gamma", "asinh"])
def test_a_stretch_keeps_the_order_of_light(stretch: str) -> None:
    codes = stretched(np.linspace(0, 1000, 2000, dtype=np.float32).reshape(1, 40, 50), stretch)
    assert codes.shape == (40, 50, 1)
    assert (codes.min(), codes.max()) == (0, 65535)
    assert (np.diff(codes.ravel().astype(int)) >= 0).all()


def test_pictures_beside_each_other_share_black_and_white() -> None:
    dim, bright = MONO, 2 * MONO
    ends = black_and_white(np.concatenate([dim, bright], axis=-1))
    together = stretched(np.concatenate([dim, bright], axis=-1), "gamma")
    one_by_one = np.concatenate([stretched(each, "gamma", ends) for each in (dim, bright)], axis=1)
    np.testing.assert_array_equal(together, one_by_one)


def test_stretches_differ_in_the_shadows() -> None:
    sky = np.linspace(0, 1000, 2000, dtype=np.float32).reshape(1, 40, 50)
    linear, gamma, asinh = (int(stretched(sky, s)[10, 0, 0]) for s in ("linear", "gamma", "asinh"))
    assert linear < gamma < asinh


def test_colour_is_kept() -> None:
    """One black and one white for all channels: grey stays grey, red stays red."""
    grey = np.repeat(MONO, 3, axis=0)
    assert (np.ptp(stretched(grey, "gamma").astype(int), axis=-1) == 0).all()
    red = grey * np.array([1.5, 1, 0.5], np.float32)[:, None, None]
    codes = stretched(red, "linear").astype(int).mean(axis=(0, 1))
    assert codes[0] > codes[1] > codes[2]


def test_a_sky_without_light_is_a_picture() -> None:
    assert stretched(np.zeros((1, 4, 5), np.float32), "asinh").max() == 0


def test_reports_are_strict_json(tmp_path: Path) -> None:
    nan, inf = float("nan"), float("inf")
    tree = {
        "a": nan,
        "b": [1.5, inf, (np.float32("nan"), np.int64(3))],
        "c": {"d": np.bool_(True), "e": None},
        "µ": "☉",
    }
    save_json(tmp_path / "report.json", tree)

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    text = (tmp_path / "report.json").read_text(encoding="utf-8")
    expected = {"a": None, "b": [1.5, None, [None, 3]], "c": {"d": True, "e": None}, "µ": "☉"}
    assert json.loads(text, parse_constant=refuse) == expected


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    save_json(path, {"a": 1})
    with pytest.raises(TypeError):
        save_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(StoreError, match=r"sky\.png cannot be written .*--out"):
        save_png(tmp_path / "out" / "sky.png", MONO, "linear")


def _opened(png: bytes) -> np.ndarray:
    with Image.open(BytesIO(png)) as opened:
        assert opened.format == "PNG"
        return np.asarray(opened)


@pytest.mark.parametrize(
    ("sky", "shape"),
    [
        (MONO, (12 * 21, 17 * 21)),
        (COLOUR, (12 * 21, 17 * 21, 3)),
        (np.repeat(MONO, 2, axis=0), (12 * 21, 17 * 21)),
        (np.ones((1, 900, 1801), np.float32), (150, 300)),
    ],
)
def test_thumbnails_are_as_large_as_a_screen_wants(sky: np.ndarray, shape: tuple[int, ...]) -> None:
    assert _opened(thumbnails([sky], "gamma")[0]).shape == shape
    assert max(shape) <= THUMB_PX


def test_thumbnails_of_pure_noise_fit_too() -> None:
    (png,) = thumbnails([RNG.normal(0, 1, (3, 400, 400)).astype(np.float32)], "linear")
    assert len(png) <= THUMB_BYTES
    assert _opened(png).shape[0] >= 80


def test_thumbnails_share_black_and_white() -> None:
    dim, bright = (_opened(png) for png in thumbnails([MONO / 2, MONO], "linear"))
    np.testing.assert_allclose(bright.astype(float) - dim, np.maximum(bright - dim.astype(float), 0), atol=1)
    assert bright.max() == 255
    assert dim.max() < 200


def test_a_thumbnail_of_nothing_is_black() -> None:
    assert _opened(thumbnails([np.zeros((1, 8, 8), np.float32)], "asinh")[0]).max() == 0
