"""Free-pixel PSFs are recovered when the sky is known."""

import torch

from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.pupil import make_pupil, psfs
from tasks.numerics.psf_models.pixels import fit, gaussians, onto_simplex, shifted

SIZE, FRAMES, APERTURE = 32, 10, Aperture(16.0, 0.3)


def test_simplex_projection() -> None:
    dice = torch.Generator().manual_seed(0)
    values = torch.randn(3, 8, 8, generator=dice)
    near = onto_simplex(values)
    assert near.min() >= 0
    torch.testing.assert_close(near.sum((1, 2)), torch.ones(3))
    torch.testing.assert_close(onto_simplex(near), near)
    other = onto_simplex(torch.randn(3, 8, 8, generator=dice))
    assert (((values - near) ** 2).sum((1, 2)) <= ((values - other) ** 2).sum((1, 2))).all()


def test_every_psf_is_recovered_from_the_true_sky() -> None:
    dice = torch.Generator().manual_seed(1)
    pupil = make_pupil(SIZE, APERTURE, 12)
    truth = psfs(pupil, 0.5 * torch.randn(FRAMES, 12, generator=dice))
    sky = torch.zeros(SIZE, SIZE)
    sky[torch.randint(0, SIZE, (40,), generator=dice), torch.randint(0, SIZE, (40,), generator=dice)] = 100.0
    spectrum = torch.fft.rfft2(sky)
    frames = torch.fft.irfft2(torch.fft.rfft2(truth) * spectrum, s=(SIZE, SIZE))
    frames += 0.02 * torch.randn(frames.shape, generator=dice)
    found = fit(torch.fft.rfft2(frames), spectrum, gaussians(FRAMES, SIZE, 4.0), steps=150)
    assert found.min() >= 0
    for one, two in zip(found, truth, strict=True):
        assert torch.corrcoef(torch.stack([one.ravel(), two.ravel()]))[0, 1] > 0.95


def test_a_dark_sky_leaves_the_start_unchanged() -> None:
    start = gaussians(2, SIZE, 3.0)
    dark = torch.zeros(SIZE, SIZE // 2 + 1, dtype=torch.complex64)
    found = fit(dark.expand(2, -1, -1).clone(), dark, start, steps=3)
    torch.testing.assert_close(found, start)


def test_a_shift_moves_the_psf_and_keeps_its_sum() -> None:
    start = gaussians(2, SIZE, 3.0)
    there = shifted(start, (2.0, -5.0), APERTURE, SIZE)
    torch.testing.assert_close(there, start.roll((2, -5), (1, 2)), rtol=0, atol=1e-5)
    half = shifted(start, (0.5, 0.0), APERTURE, SIZE)
    torch.testing.assert_close(half.sum((1, 2)), torch.ones(2))
    torch.testing.assert_close(half[0, 0, 0], half[0, 1, 0])
