"""Which colours a capture has, and which of them is solved."""

from tasks.numerics.fourier.sampling import FULL
from tasks.products.colours import colours_of


def test_mono_rgb_and_mosaic() -> None:
    mono, rgb, mosaic = colours_of(1, ""), colours_of(3, ""), colours_of(1, "RGGB")
    assert [len(each) for each in (mono, rgb, mosaic)] == [1, 3, 3]
    assert [each.reference for each in (mono, rgb, mosaic)] == [0, 1, 1]
    assert [each.period for each in (mono, rgb, mosaic)] == [1, 1, 2]
    assert [colour.plane for colour in rgb.each] == [0, 1, 2]
    assert all(colour.sampling == FULL for colour in (*mono.each, *rgb.each))
    assert rgb.sites == [[0], [1], [2]]
    assert mosaic.sites == [[0], [1, 2], [3]]
