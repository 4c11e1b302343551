"""The canvas: frames come back from it, and in tapered borders the stack complements the sky."""

import numpy as np
import pytest
from scipy.fft import next_fast_len

from tasks.numerics.fourier.canvas import border_level, canvas_size, centred, from_canvas, psf_size, to_canvas, window


def scene(height: int, width: int) -> np.ndarray:
    """A bright blob off the middle of a sky of 20."""
    y, x = np.indices((height, width))
    blob = 500 * np.exp(-((y - 0.4 * height) ** 2 + (x - 0.55 * width) ** 2) / (0.1 * width) ** 2)
    return (20 + blob).astype(np.float32)


@pytest.mark.parametrize(("height", "width"), [(48, 48), (48, 64), (64, 50), (37, 41), (9, 16)])
def test_to_canvas_and_from_canvas_are_a_round_trip(height: int, width: int) -> None:
    picture = scene(height, width)
    taper = window(height, width, canvas_size(height, width))
    laid = to_canvas(picture[None], 20.0, taper)
    assert laid.shape == (1, len(taper), len(taper))
    np.testing.assert_allclose(from_canvas(laid[0], picture, 20.0, taper), picture, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("length", [5, 16, 37, 48, 61, 127, 160])
def test_canvas_is_even_fast_and_no_smaller_than_the_frame(length: int) -> None:
    size = canvas_size(length, 3)
    assert size >= length
    assert size % 2 == 0
    assert size < 1.2 * length + 4
    assert next_fast_len(size, real=True) == size
    assert canvas_size(3, length) == size


def test_taper_is_one_inside_and_falls_to_the_border() -> None:
    taper = window(48, 64, 64)
    assert (taper[8 + 6 : 56 - 6, 8:56] == 1).all()
    assert (taper[:8] == 0).all()
    assert (taper[56:] == 0).all()
    assert 0 < taper[8, 32] < 0.05
    assert (np.diff(taper[32, :9]) >= 0).all()
    np.testing.assert_array_equal(taper, taper[::-1, ::-1])


def test_taper_and_its_complement_share_the_light() -> None:
    """The weights of sky and stack sum to one everywhere."""
    stack, taper = scene(48, 64), window(48, 64, 64)
    level = border_level(stack)
    other = np.full_like(stack, 300)
    mixed = from_canvas(to_canvas(other[None], level, taper)[0], stack, level, taper)
    inside = taper[8:56]
    np.testing.assert_allclose(mixed, inside * other + (1 - inside) * stack, rtol=1e-4)
    assert mixed.min() >= stack.min()
    np.testing.assert_allclose(mixed[6:42, 8:56], 300, rtol=1e-5)


def test_a_frame_in_the_middle_stays_there() -> None:
    picture = np.zeros((16, 24), np.float32)
    picture[8, 12] = 1
    laid = to_canvas(picture[None], 0.0, window(16, 24, 24))[0]
    assert np.unravel_index(laid.argmax(), laid.shape) == (12, 12)


@pytest.mark.parametrize(("shape", "start"), [((16, 24), (4, 0)), ((17, 23), (3, 0)), ((24, 9), (0, 7))])
def test_centred_leaves_equal_margins(shape: tuple[int, int], start: tuple[int, int]) -> None:
    rows, columns = centred(shape, 24)
    assert (rows.start, columns.start) == start
    assert (rows.stop - rows.start, columns.stop - columns.start) == shape


def test_border_level_is_the_borders_light_not_the_planets() -> None:
    assert border_level(scene(64, 64)) == pytest.approx(20, abs=1)
    assert border_level(np.full((4, 4), 7, np.float32)) == pytest.approx(7)  # no border of its own: the mean


@pytest.mark.parametrize(("strength", "side"), [(0.0, 96), (4.0, 96), (12.0, 192)])
def test_a_square_for_a_psf_grows_with_the_seeing(strength: float, side: int) -> None:
    assert psf_size(512, 256.0, strength) == side
    assert psf_size(512, 128.0, strength) == 2 * side  # finer pixels
    assert psf_size(110, 55.0, strength) == 110  # little would be won


def test_a_square_for_a_psf_holds_its_light() -> None:
    """The wide wings of a long exposure are the worst case for light beyond the square."""
    strength, size = 8.0, 512
    f = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None])
    image = np.fft.fftshift(np.fft.ifft2(np.exp(-3.44 * (2 * f * strength) ** (5 / 3))).real)
    low = (size - psf_size(size, size / 2, strength)) // 2
    assert image[low:-low, low:-low].sum() > 0.98


@pytest.mark.parametrize("period", [1, 2, 3, 4, 6])
def test_a_canvas_holds_whole_periods(period: int) -> None:
    for side in (31, 50, 97, 130):
        size = canvas_size(side, 20, period)
        assert size >= side
        assert size % period == size % 2 == 0
    assert canvas_size(97, 20, 1) == canvas_size(97, 20)
