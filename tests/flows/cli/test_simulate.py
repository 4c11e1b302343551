"""simulate: the files it leaves fit each other, and a request that makes no sense is refused in words."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from click.testing import CliRunner
from PIL import Image

from configs.load import BadConfig, load_config
from flows.cli.main import main
from storage.captures.readers import open_capture, response
from storage.errors import Hopeless
from storage.results.truth import beside, true_psfs, truth_beside
from tasks.benchmark.scene_request import parse_wind, scene_of
from tasks.benchmark.simulate import fit_canvas, simulate

SMALL: dict[str, Any] = {"n_frames": 5, "size_px": 40, "d_over_r0": 3.0, "seed": 4, "drift_px": (2.0, 0.0)}


def frames_of(path: Path) -> np.ndarray[Any, Any]:
    with open_capture(path) as reader:
        return np.concatenate(list(reader.blocks(4)))


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (12, np.uint16), (16, np.uint16)])
def test_capture_truth_psfs_and_configuration_fit_each_other(tmp_path: Path, bits: int, dtype: type) -> None:
    out = tmp_path / "night" / "moon.1.ser"
    files = simulate(out, {**SMALL, "bits": bits}, target="moon", command="stillsky simulate\nx")
    assert sorted(p.name for p in out.parent.iterdir()) == sorted(p.name for p in files)
    with open_capture(out) as reader:
        assert reader.header.shape == (1, 40, 40)
        assert reader.header.dtype == dtype
        assert reader.header.full_scale == 2**bits - 1
        assert reader.timestamps is not None
        assert np.diff(reader.timestamps) == pytest.approx(1 / 60, abs=1e-6)
        frames = np.concatenate(list(reader.blocks(4)))[:, 0].astype(float)
    with fits.open(beside(out)["psfs"]) as hdus:
        psfs, pointing = hdus[0].data, hdus["POINTING"].data["dy"]
    assert psfs.shape == (5, 96, 96)
    assert psfs.sum(axis=(1, 2)) == pytest.approx(1, abs=1e-3)
    assert pointing[-1] - pointing[0] == pytest.approx(2, abs=2)
    truth = truth_beside(out)
    assert truth is not None
    assert truth.shape == (1, 40, 40)
    assert np.corrcoef(truth[0].ravel(), frames.mean(0).ravel())[0, 1] > 0.6
    config = load_config(beside(out)["config"])
    assert config.telescope.aperture_m == 0.25
    assert config.telescope.scale_arcsec == pytest.approx(550e-9 / 0.5 * 206265, rel=1e-5)


def test_same_request_same_bytes_and_only_simulations_are_written_over(tmp_path: Path) -> None:
    out = tmp_path / "a.ser"
    simulate(out, SMALL)
    first = out.read_bytes()
    simulate(out, SMALL)
    assert out.read_bytes() == first
    simulate(out, {**SMALL, "seed": 5})
    assert out.read_bytes() != first
    real = tmp_path / "real.ser"
    real.write_bytes(b"a night's work")
    with pytest.raises(BadConfig, match="choose another name"):
        simulate(real, SMALL)
    assert real.read_bytes() == b"a night's work"


@pytest.mark.parametrize("mine", ["[telescope]\naperture_m = 0.3\n", "[evaluate]\nsteps = 7\n", "not toml ="])
def test_settings_beside_it_are_written_over_only_by_force(tmp_path: Path, mine: str) -> None:
    out = tmp_path / "a.ser"
    beside(out)["config"].write_text(mine)
    with pytest.raises(BadConfig, match=r"a\.toml is there with other settings.*another name.*--force"):
        simulate(out, SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["a.toml"]
    assert beside(out)["config"].read_text() == mine
    simulate(out, {**SMALL, "force": True})
    assert load_config(beside(out)["config"]).telescope.aperture_m == 0.25


def test_own_picture_is_the_sky(tmp_path: Path) -> None:
    picture = np.zeros((300, 200, 3), np.uint8)
    picture[60:120, 50:150] = (250, 200, 100)
    Image.fromarray(picture).save(tmp_path / "mine.png")
    simulate(tmp_path / "a.ser", {**SMALL, "d_over_r0": 0.5}, truth=tmp_path / "mine.png")
    truth = truth_beside(tmp_path / "a.ser")
    assert truth is not None
    y, x = np.argwhere(truth[0] > 0.5 * truth.max()).mean(axis=0)
    assert (y, x) == pytest.approx((90 * 40 / 300 - 0.5, 19.5 - 0.1), abs=0.7)


def test_own_stars_are_the_air_as_far_as_they_go(tmp_path: Path) -> None:
    y, x = np.indices((40, 50))
    rng = np.random.default_rng(0)
    stars = [900 * np.exp(-((y - 18) ** 2 + (x - 20 - k) ** 2) / 8) + rng.normal(100, 2, (40, 50)) for k in range(3)]
    fits.writeto(tmp_path / "stars.fits", np.array(stars, np.float32))
    simulate(tmp_path / "a.ser", SMALL, psfs=tmp_path / "stars.fits")
    assert frames_of(tmp_path / "a.ser").shape == (3, 1, 40, 40)
    psfs = fits.getdata(beside(tmp_path / "a.ser")["psfs"])
    assert psfs.shape == (3, 40, 40)
    assert psfs.sum(axis=(1, 2)) == pytest.approx(1, abs=1e-4)
    assert np.unravel_index(psfs[1].argmax(), (40, 40)) == (20, 20)


def test_own_psfs_of_a_simulation_are_the_same_air_again(tmp_path: Path) -> None:
    simulate(tmp_path / "a.ser", SMALL)
    psfs = beside(tmp_path / "a.ser")["psfs"]
    assert frames_of(psfs).shape == (5, 1, 96, 96)  # a cube of pictures to anyone else
    simulate(tmp_path / "b.ser", SMALL, psfs=psfs)
    assert np.array_equal(frames_of(tmp_path / "b.ser"), frames_of(tmp_path / "a.ser"))
    simulate(tmp_path / "c.ser", {**SMALL, "n_frames": 3}, psfs=psfs)
    with true_psfs(beside(tmp_path / "c.ser")["psfs"]) as few, true_psfs(psfs) as all_of_them:
        assert few.shape == (3, 96, 96)
        assert few.take(range(3)) == pytest.approx(all_of_them.take(range(3)), abs=1e-7)


@pytest.mark.parametrize(
    ("words", "given", "error", "message"),
    [
        ({"n_frames": 0}, {}, BadConfig, "n_frames = 0.*1 .. 1e"),
        ({"d_over_r0": 80.0}, {}, BadConfig, "0 .. 40"),
        ({"obstruction": 0.99}, {}, BadConfig, "obstruction"),
        ({"wavelength_nm": 5.0}, {}, BadConfig, "200 .. 20000 nm"),
        ({"pixel_scale_arcsec": 3.0}, {}, BadConfig, "arcsec per pixel"),
        ({"drift_px": (float("nan"), 0.0)}, {}, BadConfig, "drift_px"),
        ({"fps": 50.0, "exposure_s": 0.1}, {}, BadConfig, "lower --fps"),
        ({"wind": ("fast",)}, {}, BadConfig, "SHARE,SPEED,DIRECTION"),
        ({}, {"target": "ufo"}, BadConfig, "known are planet"),
        ({}, {"truth": "none.png"}, Hopeless, "no such file"),
        ({}, {"truth": "black.png"}, Hopeless, "without light"),
        ({}, {"truth": "text.png"}, Hopeless, "text.png"),
        ({}, {"psfs": "black.png"}, Hopeless, "frame 0 shows no star"),
    ],
)
def test_nonsense_is_refused_and_leaves_nothing(
    tmp_path: Path, words: dict[str, Any], given: dict[str, Any], error: type[Exception], message: str
) -> None:
    Image.fromarray(np.zeros((30, 30), np.uint8)).save(tmp_path / "black.png")
    (tmp_path / "text.png").write_text("not a picture")
    given = {k: tmp_path / v if k != "target" else v for k, v in given.items()}
    with pytest.raises(error, match=message):
        simulate(tmp_path / "new" / "a.ser", {**SMALL, **words}, **given)
    assert not list(tmp_path.rglob("a.*"))
    assert not list(tmp_path.rglob("*.tmp"))


def test_capture_is_written_as_ser(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"ends with \.ser"):
        simulate(tmp_path / "a.avi", SMALL)


def test_scene_follows_the_pixel_scale() -> None:
    nyquist = scene_of({"d_over_r0": 12.0})
    assert (nyquist.psf_px, nyquist.aperture_cells) == (144, 72)
    finer = scene_of({"d_over_r0": 4.0, "psf_px": 192})
    assert (finer.psf_px, finer.aperture_cells) == (192, 96)
    assert scene_of({"d_over_r0": 20.0, "psf_px": 96}).psf_px == 240
    fine = scene_of({"aperture_m": 0.25, "fps": None}, 500.0, pixel_scale_arcsec=0.1)
    assert fine.psf_px / fine.aperture_cells == pytest.approx(500e-9 / 0.25 * 206265 / 0.1, rel=1e-4)
    assert scene_of({"exposure_s": 0.1, "fps": None}).fps == pytest.approx(10)
    assert parse_wind(()) is None
    assert parse_wind(("1,5,90", "0.5,9,0")) == ((1, 5, 90), (0.5, 9, 0))


def test_sky_beyond_the_picture_goes_on_as_its_border_is() -> None:
    bright = fit_canvas(np.ones((80, 60), np.float32), 40, 100)
    assert bright.shape == (100, 100)
    assert bright.min() == pytest.approx(1, abs=1e-6)
    dark = np.zeros((20, 20), np.float32)
    dark[10, 10] = 1
    laid = fit_canvas(dark, 40, 100)
    assert laid.sum() == 1
    assert laid[50, 50] == 1


def shown(path: Path) -> np.ndarray[Any, Any]:
    """Frames of a capture (frame, channel, y, x) in linear light."""
    with open_capture(path) as reader:
        frames = np.concatenate(list(reader.blocks(4)))
        return response(reader.header)[frames] if reader.header.gamma else frames.astype(float)


def likeness(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def test_rectangles(tmp_path: Path) -> None:
    simulate(tmp_path / "a.ser", {**SMALL, "size_px": None, "size": "56x40"}, target="moon")
    truth = truth_beside(tmp_path / "a.ser")
    frames = frames_of(tmp_path / "a.ser")
    assert truth is not None
    assert (frames.shape, truth.shape) == ((5, 1, 40, 56), (1, 40, 56))
    assert likeness(frames.mean(0), truth) > 0.6


def test_mosaic_sees_each_colour_of_the_truth_in_its_own_pixels(tmp_path: Path) -> None:
    still = {**SMALL, "d_over_r0": 0.0, "jitter_px": 0.0, "drift_px": (0.0, 0.0), "mosaic": "GRBG", "bits": 16}
    files = simulate(tmp_path / "a.ser", still)
    assert not any("psfs" in p.name for p in files)
    with open_capture(tmp_path / "a.ser") as reader:
        assert reader.header.bayer == "GRBG"
    truth, frame = truth_beside(tmp_path / "a.ser"), frames_of(tmp_path / "a.ser").mean(axis=(0, 1)) - 8
    assert truth is not None
    assert truth.shape == (3, 40, 40)
    for colour, (y, x) in ((0, (0, 1)), (1, (0, 0)), (1, (1, 1)), (2, (1, 0))):
        own = truth[colour, y::2, x::2]
        assert (frame[y::2, x::2] * own).sum() / (own**2).sum() == pytest.approx(0.8 * 65535 / 4000, rel=0.02)
    wavelengths = load_config(beside(tmp_path / "a.ser")["config"]).telescope.wavelength_nm
    assert wavelengths == pytest.approx((620, 550, 460), rel=0.015)


def test_dispersion_moves_red_against_blue(tmp_path: Path) -> None:
    still = {
        **SMALL,
        "d_over_r0": 0.0,
        "jitter_px": 0.0,
        "drift_px": (0.0, 0.0),
        "movie": "bpp=8",
        "dispersion_px": 3.0,
    }
    simulate(tmp_path / "a.mp4", still)
    frame, truth = shown(tmp_path / "a.mp4")[0], truth_beside(tmp_path / "a.mp4")
    assert truth is not None
    rows = np.arange(40)[:, None]
    light = [(plane - np.median(plane)).clip(0.0) for plane in (*frame, *truth)]
    places = [float((rows * plane).sum() / plane.sum()) for plane in light]
    assert (places[0] - places[2]) - (places[3] - places[5]) == pytest.approx(3, abs=0.3)


def test_movie_shows_the_truth_the_better_the_more_bits(tmp_path: Path) -> None:
    wanted = {**SMALL, "size": "64", "d_over_r0": 0.0, "jitter_px": 0.0, "drift_px": (0.0, 0.0), "n_frames": 8}
    like, sizes = [], []
    for bits in (0.05, 0.5, 6.0):
        simulate(tmp_path / "a.mp4", {**wanted, "movie": f"bpp={bits}", "photons_peak": 2e4}, target="moon")
        truth, frames = truth_beside(tmp_path / "a.mp4"), shown(tmp_path / "a.mp4")
        assert truth is not None
        assert frames.shape == (8, 3, 64, 64)
        like.append(likeness(frames[-1, 1], truth[1]))
        sizes.append((tmp_path / "a.mp4").stat().st_size)
    assert like == sorted(like)
    assert like[2] > 0.99
    assert sizes == sorted(sizes)


def test_defects_are_where_the_sky_is_not(tmp_path: Path) -> None:
    wanted = {**SMALL, "n_frames": 13, "d_over_r0": 0.0, "jitter_px": 0.0, "drift_px": (0.0, 0.0), "size_px": 64}
    simulate(tmp_path / "clean.ser", wanted)
    simulate(tmp_path / "a.ser", {**wanted, "defects": True})
    clean, frames = (frames_of(tmp_path / name)[:, 0].astype(float) for name in ("clean.ser", "a.ser"))
    assert np.array_equal(frames[11], frames[10]), "a repeated frame"
    assert np.percentile(frames[7], 99) < 0.1 * np.percentile(clean[7], 99), "a frame without light"
    differs = (frames != clean)[[0, 1, 2, 3]].all(axis=0)
    assert 4 <= differs.sum() <= 30
    assert (frames != clean)[[0, 1, 2, 3]].any(axis=0).mean() < 0.02
    truths = [truth_beside(tmp_path / name) for name in ("clean.ser", "a.ser")]
    assert np.array_equal(*truths)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"size": "60x40x3"}, "WIDTHxHEIGHT"),
        ({"size": "wide"}, "640x480"),
        ({"size": "64x8"}, "height_px = 8"),
        ({"static": ("coma",)}, "NAME=WAVES"),
        ({"static": ("comet=0.1",)}, "names are defocus"),
        ({"spider": 0.5}, "spider = 0.5"),
        ({"movie": "0.6"}, "bpp=NUMBER"),
        ({"movie": "bpp=1"}, "ends with .mp4"),
        ({"movie": "bpp=1", "mosaic": "RGGB"}, "--mosaic or --movie"),
        ({"mosaic": "RGBG"}, "BGGR"),
        ({"dispersion_px": 2.0}, "ask for --mosaic"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, words: dict[str, Any], message: str) -> None:
    with pytest.raises(BadConfig, match=message):
        simulate(tmp_path / "a.ser", {**SMALL, **words})
    assert not list(tmp_path.iterdir())


def test_options_of_the_command_reach_the_capture(tmp_path: Path) -> None:
    words = ["simulate", str(tmp_path / "a.ser"), "--size", "48x40", "--frames", "2", "--mosaic", "RGGB", "--spider"]
    words += ["--dispersion", "1", "--defects", "--static", "coma=0.07", "--static", "defocus=-0.05"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert frames_of(tmp_path / "a.ser").shape == (2, 1, 40, 48)
