"""The analytic gradient is the loss's derivative."""

import pytest
import torch
from torch import Tensor

from tasks.numerics.fourier.lattice import QUARTERS
from tasks.numerics.fourier.rings import multiplicity
from tasks.numerics.fourier.sampling import FULL, Sampling, bayer_samplings, masked
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.optics.pupil import Pupil, make_pupil, otfs
from tasks.numerics.sky.likelihood import Problem, Sums, chi2, gradient, loss_of, sampled_gradient, sums

SIZE, MODES, FRAMES = 24, 9, 11  # more frames than one chunk


def scene() -> tuple[Pupil, Tensor, Tensor]:
    dice = torch.Generator().manual_seed(3)
    pupil = make_pupil(SIZE, Aperture(12.0, 0.3), MODES)
    truth = 0.7 * torch.randn(FRAMES, MODES, generator=dice)
    sky = torch.fft.rfft2(torch.rand(SIZE, SIZE, generator=dice) * 10)
    noise = torch.fft.rfft2(0.3 * torch.randn(FRAMES, SIZE, SIZE, generator=dice))
    return pupil, truth, otfs(pupil, truth) * sky + noise


def test_sums_of_batches_add_up() -> None:
    pupil, truth, spectra = scene()
    transfer = otfs(pupil, truth)
    whole = sums(spectra, transfer)
    parts = sums(spectra[:4], transfer[:4]) + sums(spectra[4:], transfer[4:])
    assert parts.frames == whole.frames == FRAMES
    torch.testing.assert_close(parts.power, whole.power)
    torch.testing.assert_close((whole - parts).cross.abs(), torch.zeros_like(whole.power), atol=0.05, rtol=0)


@pytest.mark.parametrize("grid", [SIZE, SIZE - 8])
@pytest.mark.parametrize("held", [False, True])
def test_gradient_is_autograds(grid: int, held: bool) -> None:
    pupil, truth, spectra = scene()
    pupil = make_pupil(SIZE, Aperture(SIZE / 2, 0.3), truth.shape[1], grid)
    others = sums(spectra[:3], otfs(pupil, truth[:3])) if held else None
    noise, floor = torch.tensor(0.09 * SIZE**2), torch.full((SIZE, SIZE // 2 + 1), 0.2)
    phases = (truth + 0.1).requires_grad_()
    own = sums(spectra, otfs(pupil, phases))
    total = own if others is None else own + others
    (expected,) = torch.autograd.grad(loss_of(total, noise, floor, 0.0), phases)
    found = gradient(Problem(pupil, spectra, others), phases.detach(), noise, floor)
    torch.testing.assert_close(found.phases, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
    assert found.loss == pytest.approx(float(loss_of(total, noise, floor, 0.0).detach()), rel=1e-5)
    torch.testing.assert_close(found.sums.power, own.power.detach())


@pytest.mark.parametrize("sampling", [FULL, *bayer_samplings("GRBG"), Sampling(3, ((0, 1), (2, 2), (2, 0)))])
@pytest.mark.parametrize("grid", [SIZE, SIZE - 8])
@pytest.mark.parametrize("held", [False, True])
def test_the_gradients_of_the_quarters_average_to_that_of_the_whole(grid: int, held: bool, sampling: Sampling) -> None:
    pupil, truth, spectra = scene()
    pupil, spectra = make_pupil(SIZE, Aperture(SIZE / 2, 0.3), truth.shape[1], grid), masked(spectra, sampling)
    others = sums(spectra[:3], otfs(pupil, truth[:3]), sampling) if held else None
    problem = Problem(pupil, spectra, others, sampling)
    level = torch.tensor(0.09 * SIZE**2), torch.full((SIZE, SIZE // 2 + 1), 0.2)
    quarters = torch.stack([sampled_gradient(problem, truth + 0.1, *level, lattice) for lattice in QUARTERS])
    whole = gradient(problem, truth + 0.1, *level).phases
    torch.testing.assert_close(quarters.mean(0), whole, rtol=1e-3, atol=1e-3 * float(whole.abs().max()))


def test_truth_beats_its_neighbours() -> None:
    pupil, truth, spectra = scene()
    noise, floor = torch.tensor(0.09 * SIZE**2), torch.full((SIZE, SIZE // 2 + 1), 0.01)
    best = gradient(Problem(pupil, spectra), truth, noise, floor).loss
    for seed in range(3):
        off = truth + 0.2 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(seed))
        assert gradient(Problem(pupil, spectra), off, noise, floor).loss > best


def test_evidence_does_not_change_when_a_filter_moves_from_sky_to_psfs() -> None:
    pupil, truth, spectra = scene()
    dice = torch.Generator().manual_seed(7)
    curve = torch.rand(SIZE, SIZE // 2 + 1, generator=dice) + 0.5
    noise, floor = torch.tensor(0.09 * SIZE**2), torch.full((SIZE, SIZE // 2 + 1), 0.2)
    weight = multiplicity(SIZE)
    one = sums(spectra, otfs(pupil, truth))
    two = Sums(one.power * curve**2, one.cross * curve, FRAMES)

    def evidence(total: Sums, g: Tensor) -> float:
        return float(loss_of(total, noise, g, 1.0) - (weight * torch.log(g)).sum())

    assert evidence(two, floor * curve**2) == pytest.approx(evidence(one, floor), rel=1e-6)
    sharp = Sums(one.power * 4, one.cross * 2, FRAMES)
    # With the sky's prior held, the best sky alone rewards sharpness.
    assert loss_of(sharp, noise, floor, 0.0) < loss_of(one, noise, floor, 0.0)


def test_chi2_finds_the_frame_that_does_not_fit() -> None:
    pupil, truth, spectra = scene()
    noise, seen = torch.tensor(0.09 * SIZE**2), torch.ones(SIZE, SIZE // 2 + 1, dtype=torch.bool)
    transfer = otfs(pupil, truth)
    one = sums(spectra, transfer)
    sky = one.cross / (one.power + 0.01)
    transfer[5] = otfs(pupil, truth[5:6] + 0.5)[0]
    values = chi2(spectra, transfer, sky, noise, seen)
    assert int(values.argmax()) == 5
    assert values[:5].mean() == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize("sampling", [FULL, *bayer_samplings("GRBG")])
def test_sums_on_a_canvas_of_the_same_size_are_themselves(sampling: Sampling) -> None:
    """Those of a mosaic have fewer rows than the canvas: they are matrices over aliases."""
    spectra = masked(torch.fft.rfft2(torch.rand(3, 16, 16)), sampling)
    frames = sums(spectra, torch.ones_like(spectra), sampling)
    assert frames.size == 16
    assert frames.inner(16) is frames
