"""The telescope as it is: static aberrations have the size asked for, vanes throw spikes, colours have their wavelengths."""

from dataclasses import replace

import numpy as np
import pytest

from tasks.numerics.simulator.psfs import air_psfs, exact_ratio, perfect_psf, static_phase
from tasks.numerics.simulator.scene import SimulatedScene

STILL = SimulatedScene(n_frames=1, size_px=48, psf_px=96, d_over_r0=0.0, n_subexposures=1, obstruction=0.0)


def seen(scene: SimulatedScene) -> np.ndarray:
    return next(air_psfs(scene))


@pytest.mark.parametrize("name", ["defocus", "astig", "coma", "spherical"])
def test_static_aberrations_cost_the_strehl_ratio_of_their_rms(name: str) -> None:
    """Marechal: exp(-(2 pi rms)^2)."""
    psf = seen(replace(STILL, static=((name, 0.07),), pixel_fill=0.0))
    strehl = psf.max() / perfect_psf(replace(STILL, pixel_fill=0.0)).max()
    assert strehl == pytest.approx(np.exp(-((2 * np.pi * 0.07) ** 2)), abs=0.03)
    assert psf.sum() == pytest.approx(1.0, abs=1e-3)


def test_coma_has_a_side_and_defocus_has_none() -> None:
    coma, defocus = (seen(replace(STILL, static=((n, 0.1),)))[1:, 1:] for n in ("coma", "defocus"))
    assert np.abs(coma - coma[::-1]).max() > 20 * np.abs(coma - coma[:, ::-1]).max()
    assert np.abs(defocus - defocus[::-1]).max() < 1e-6
    assert not static_phase(STILL).any()
    with pytest.raises(ValueError, match="known are defocus"):
        static_phase(replace(STILL, static=(("comet", 0.1),)))


def test_vanes_throw_light_along_the_axes() -> None:
    plain, vanes = seen(STILL), seen(replace(STILL, spider=0.03))
    axis = np.s_[48, 60:90]
    diagonal = np.arange(57, 78), np.arange(57, 78)
    assert vanes[axis].sum() > 2 * plain[axis].sum()
    assert vanes[diagonal].sum() < 1.3 * plain[diagonal].sum()
    assert np.array_equal(perfect_psf(replace(STILL, spider=0.03)), perfect_psf(STILL)), "the truth has no vanes"


def test_red_blurs_farther_than_blue_by_the_ratio_of_the_wavelengths() -> None:
    psfs = seen(replace(STILL, colours=True, pixel_fill=0.0))
    assert psfs.shape == (3, 96, 96)
    peaks = psfs.max(axis=(1, 2))
    ratios = [exact_ratio(STILL, colour) for colour in range(3)]
    assert ratios == pytest.approx([620 / 550, 1, 460 / 550], rel=0.01)
    assert np.sqrt(peaks[1] / peaks) == pytest.approx(ratios, rel=0.02)
    assert [np.unravel_index(p.argmax(), p.shape) for p in psfs] == [(48, 48)] * 3
