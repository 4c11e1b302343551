"""From the sums A and B to the sky: Wiener, the ring prior, and the picture that is delivered."""

from __future__ import annotations

import torch
from torch import Tensor

from tasks.numerics.likelihood import Sums
from tasks.numerics.pupil import frequencies, multiplicity, ring_mean, rings


def wiener(total: Sums, floor: Tensor) -> Tensor:
    """Best sky spectrum (y, x//2+1) under a Gaussian prior: B / (A + g)."""
    return total.cross / (total.power + floor)


def corner_noise(spectra: Tensor, cutoff: float, margin: float = 1.03) -> float:
    """Noise power per coefficient from where no light can be: beyond `cutoff` cycles per pixel.

    A telescope that is finer than the pixels leaves no such corner; then the highest tenth of frequencies is taken.
    """
    size = spectra.shape[-2]
    f = frequencies(size, spectra.device)
    dark = f > min(cutoff * margin, float(torch.quantile(f.reshape(-1), 0.9)))
    dark[:, 0] = dark[0, :] = False  # borders and column noise live on the axes
    dark[size // 2, :] = False
    dark[:, -1] = False
    power = spectra[:, dark]
    power = power.real**2 + power.imag**2
    # The median of an exponential law is ln 2 of its mean, and deaf to a few bright lines.
    return float(power.median() / 0.6931472)
