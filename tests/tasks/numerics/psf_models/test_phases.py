"""PSFs from phases: their portraits, strengths and starting values against cases whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tasks.numerics.fourier.canvas import sufficient_size
from tasks.numerics.fourier.lattice import inner
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.kolmogorov import phase_sigma
from tasks.numerics.optics.pupil import make_pupil, otfs, psfs
from tasks.numerics.psf_models import phases as model
from tasks.numerics.psf_models import pixels
from tasks.numerics.psf_models.base import PORTRAIT_SAMPLING, Batch, Plan
from tasks.numerics.psf_models.phase_solver import draw_phases
from tasks.numerics.sky.wiener import power_law

APERTURE, SIZE, MODES = Aperture(32.0, 0.3), 64, 28


def drawn(d_over_r0: float, count: int = 12) -> np.ndarray:
    return draw_phases(count, torch.from_numpy(phase_sigma(MODES, d_over_r0)), 3).numpy()


def test_a_flat_phase_has_strehl_one_wherever_it_points() -> None:
    phases = np.zeros((2, MODES), np.float32)
    phases[1, :2] = (2.0, -1.5)  # tip and tilt
    shapes = model.portraits(phases, APERTURE, 96)
    assert shapes.max(axis=(1, 2)) == pytest.approx(1.0)
    assert [np.unravel_index(int(s.argmax()), s.shape) for s in shapes] == [(48, 48), (48, 48)]
    np.testing.assert_allclose(model.diffraction_portrait(APERTURE, SIZE, 96), shapes[0], atol=1e-5)


def test_strehl_of_small_phases_follows_marechal() -> None:
    phases = np.zeros((1, MODES), np.float32)
    phases[0, 7] = 0.4  # rad rms
    assert model.portraits(phases, APERTURE, 32 * PORTRAIT_SAMPLING).max() == pytest.approx(np.exp(-(0.4**2)), abs=0.01)


def test_pixels_and_phases_give_the_same_strehl() -> None:
    phases = drawn(3.0)
    phases[:, :2] = 0
    shapes = psfs(make_pupil(SIZE, APERTURE, MODES), torch.from_numpy(phases)).numpy()
    rows = (model.portraits(phases, APERTURE, 96), pixels.portraits(shapes, APERTURE, 96))
    fine, coarse = (row.max(axis=(1, 2)) for row in rows)
    assert (coarse < fine * 1.1).all(), "a peak between two pixels is seen lower, not higher"
    assert (coarse > 0.6 * fine).all()
    assert pixels.diffraction_portrait(APERTURE, SIZE, 96).max() == pytest.approx(1.0)
    assert pixels.diffraction_portrait(APERTURE, SIZE, 96).shape == (SIZE, SIZE)


@pytest.mark.parametrize("strength", [2.0, 8.0])
def test_the_strength_of_drawn_phases_is_found(strength: float) -> None:
    assert np.mean(model.strengths(drawn(strength, 60))) == pytest.approx(strength, rel=0.15)


def test_tilt_alone_has_no_strength() -> None:
    assert np.isnan(model.strengths(np.ones((3, 2), np.float32))).all()


def test_a_part_of_a_batch_starts_from_its_rows_of_the_whole_batchs_draw() -> None:
    spectra = torch.fft.rfft2(torch.rand(7, SIZE, SIZE, generator=torch.Generator().manual_seed(1)))
    batch = Batch(spectra, APERTURE, 3.0, 1.0, None, spectra.mean(0), None)
    plan = Plan(modes=10, steps=5, rate=0.05, temperature=10.0, seed=4)
    whole = model.begin(batch, plan)["phases"]
    part = model.begin(replace(batch, spectra=spectra[4:]), replace(plan, first_row=4, drawn_rows=7))["phases"]
    assert torch.equal(part, whole[4:])


def test_a_shift_moves_the_psf() -> None:
    still = torch.from_numpy(drawn(3.0, 2))
    there = model.shifted(still, (3.0, -2.0), APERTURE, SIZE)
    one, two = (psfs(make_pupil(SIZE, APERTURE, MODES), phases) for phases in (still, there))
    torch.testing.assert_close(two, one.roll((3, -2), (1, 2)), rtol=0, atol=0.02 * float(one.max()))


def test_frequencies_beyond_the_telescopes_tell_nothing_about_phases() -> None:
    """Pixels half as wide as the telescope needs: the solve is that of the coarser pixels, whatever noise the others have."""
    dice = torch.Generator().manual_seed(4)
    phases = draw_phases(6, torch.from_numpy(phase_sigma(MODES, 3.0)), 5)
    sky = torch.fft.rfft2(10 * torch.rand(SIZE, SIZE, generator=dice))
    spectra = otfs(make_pupil(SIZE, Aperture(16.0, 0.3), MODES), phases) * sky
    outer = torch.fft.rfft2(torch.randn(6, SIZE, SIZE, generator=dice))
    outer[:, :19, :19] = outer[:, -19:, :19] = 0
    coarse = inner(spectra, 36)
    assert sufficient_size(SIZE, 16.0) == 36
    plan = Plan(modes=MODES, steps=20, rate=0.05, temperature=10.0, seed=2)
    given = Batch(spectra, Aperture(16.0, 0.3), 3.0, 1.0, None, sky, power_law(sky))
    batches = [
        given,
        replace(given, spectra=spectra + 50 * outer),
        replace(given, spectra=coarse, sky_power=power_law(inner(sky, 36))),
    ]
    found = [model.advance(batch, plan, model.begin(batch, plan), 20)["phases"] for batch in batches]
    assert torch.equal(found[0], found[1])
    torch.testing.assert_close(found[2], found[0], rtol=0, atol=1e-4)
