"""combine: skies of filters become one colour sky on green; luminance lends it its brightness; what cannot be is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from storage.errors import Hopeless
from storage.product import Product
from storage.store import Store
from tasks.combine import combine
from tasks.numerics.fourier.shifts import shift_frames
from tasks.products.contents import Evaluated
from tasks.products.finished_contents import Combined
from tasks.running.step import Run

Image = NDArray[np.float32]
FILTERS = ("red", "green", "blue", "luminance")
GAINS = (1.0, 0.8, 0.4, 2.2)
MOVES = ((2.25, -1.5), (0.0, 0.0), (-3.4, 4.6), (7.0, 0.3))
Leave = Callable[..., Product]


def planet(side: int = 64) -> Image:
    y, x = np.mgrid[:side, :side] - side / 2
    spots = ndimage.gaussian_filter(np.random.default_rng(2).normal(size=(side, side)), 1.5)
    light = (1 + 0.2 * np.sin(y / 3) + 2 * spots) / (1 + np.exp((np.hypot(y, x) - 0.25 * side) / 0.7))
    return np.asarray(100 * ndimage.gaussian_filter(light, 1.0) + 5, np.float32)


def moved(picture: Image, move: tuple[float, float]) -> Image:
    return shift_frames(picture[None, None], np.array([move], np.float32))[0, 0]


@pytest.fixture
def leave(store: Store) -> Leave:
    """Leaves evaluated products in the store."""

    def evaluated(key: str, sky: Image, verdict: str = "sky", channels: int = 1) -> Product:
        product = Product("evaluate", key * 32)
        planes = np.stack([sky] * channels)
        with store.draft(product, {"capture": f"{key}.ser"}, lambda: 1.0) as draft:
            blurred = np.stack([ndimage.gaussian_filter(plane, 2.0) for plane in planes])
            none, few = np.zeros((channels, 2), np.float32), np.arange(2)
            draft.fill(
                Evaluated(
                    published=planes,
                    stack=blurred,
                    lucky_stack=blurred,
                    sky=planes,
                    heldout_frames=few,
                    chi2_sky=none,
                    chi2_stack=none,
                    belief=np.full_like(planes, 0.5),
                    verdict=verdict,
                    stretch="asinh",
                    figures={},
                    notes=[],
                )
            )  # fmt: skip
        return product

    return evaluated


def parts(leave: Leave, count: int = 3, **verdicts: str) -> tuple[Product, ...]:
    sky = planet()
    return tuple(
        leave("rgbl"[n], gain * moved(sky, (-dy, -dx)), verdicts.get(FILTERS[n], "sky"))
        for n, (gain, (dy, dx)) in enumerate(zip(GAINS[:count], MOVES[:count], strict=True))
    )


def test_colours_lie_on_green(store: Store, leave: Leave) -> None:
    made = combine(Run(store), parts(leave), FILTERS[:3], (0.1, 0.1, 0.1), True)
    with store.view(Combined, made) as found:
        offsets, published, stack = found.offsets[:], found.published[:], found.stack[:]
        assert (found.verdict, found.stretch, found.pixel_width, found.luminance) == ("sky", "asinh", 0.1, "")
        assert found.belief[:].min() > 0
    assert np.abs(offsets - np.array(MOVES[:3])).max() < 0.1
    assert published.shape == stack.shape == (3, *published.shape[1:])
    assert min(published.shape[1:]) >= 50, "what one of them does not show is cut off"
    assert np.abs(published[2] / 0.4 - published[1] / 0.8).max() < 0.03 * np.ptp(published[1] / 0.8)


def test_the_same_again_is_in_the_store(store: Store, leave: Leave) -> None:
    given = parts(leave)
    first = combine(Run(store), given, FILTERS[:3], (0.1, 0.1, 0.1), True)
    when = store.path(first).stat().st_mtime_ns
    assert combine(Run(store), given, FILTERS[:3], (0.1, 0.1, 0.1), True) == first
    assert store.path(first).stat().st_mtime_ns == when
    assert combine(Run(store), given, FILTERS[:3], (0.1, 0.1, 0.1), False) != first


def test_luminance_keeps_the_colours(store: Store, leave: Leave) -> None:
    plain = combine(Run(store), parts(leave), FILTERS[:3], (0.1,) * 3, True)
    made = combine(Run(store), parts(leave, 4), FILTERS, (0.1,) * 4, True)
    with store.view(Combined, made) as found, store.view(Combined, plain) as before:
        assert found.luminance.startswith("Luminance gives")
        assert len(found.offsets) == 4
        assert found.published.shape[0] == 3
        light, other = (each.published[:].sum(axis=(1, 2)) for each in (found, before))
    np.testing.assert_allclose(light / light[0], other / other[0], rtol=0.05)


def test_of_luminance_only_a_stack_is_not_used(store: Store, leave: Leave) -> None:
    made = combine(Run(store), parts(leave, 4, luminance="stack"), FILTERS, (0.1,) * 4, True)
    with store.view(Combined, made) as found:
        assert found.luminance.startswith("Luminance is left out")
        assert found.verdict == "sky"


def test_parts_that_are_not_believed_alike_are_a_blend(store: Store, leave: Leave) -> None:
    made = combine(Run(store), parts(leave, blue="stack"), FILTERS[:3], (0.1,) * 3, True)
    with store.view(Combined, made) as found:
        assert found.verdict == "blend"


def test_wider_pixels_are_brought_to_the_finest(store: Store, leave: Leave) -> None:
    sky = planet()
    binned = sky.reshape(32, 2, 32, 2).mean(axis=(1, 3))
    given = (leave("r", sky), leave("g", sky), leave("b", binned))
    made = combine(Run(store), given, FILTERS[:3], (0.1, 0.1, 0.2), True)
    with store.view(Combined, made) as found:
        assert found.pixel_width == 0.1
        assert min(found.published.shape[1:]) > 58


def test_what_cannot_be_combined_is_said(store: Store, leave: Leave, tmp_path: Path) -> None:
    sky = planet()
    given = (leave("r", sky), leave("g", sky, channels=3), leave("b", sky))
    with pytest.raises(Hopeless, match="the green part has 3 colours of its own"):
        combine(Run(store), given, FILTERS[:3], (0.1,) * 3, True)
    narrow = (leave("x", sky[:17]), leave("y", sky), leave("z", sky))
    with pytest.raises(Hopeless, match=r"64 x 17, 64 x 64, 64 x 64 px\) show no area in common"):
        combine(Run(store), narrow, FILTERS[:3], (0.1,) * 3, True)
    assert not list((tmp_path / "store").glob("combine/*.h5"))
