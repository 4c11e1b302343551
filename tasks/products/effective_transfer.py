"""The effective transfer function of what is published, from the open products of the solve."""

import numpy as np
from torch import Tensor

from configs.schema import Telescope
from tasks.numerics.finishing.transfer import F64, Transfer, blended_transfer, short_exposure
from tasks.numerics.fourier.rings import ring_mean, rings
from tasks.numerics.judging.blend import ring_weights
from tasks.numerics.optics.pupil import diffraction_otf, make_pupil
from tasks.numerics.sky.half_agreement import common_power_fraction
from tasks.products.contents import Evaluated, Mean, Seeing, Sky
from tasks.products.cutout import Cutout
from tasks.products.half_sums import read_floor, read_half_sums
from tasks.products.optics import aperture_of


def transfer_of(
    judged: Evaluated, sky: Sky, seeing: Seeing, mean: Mean, cutout: Cutout, telescope: Telescope
) -> Transfer:
    """Of the channel of the cutout: the sky's where the sky is published, the stack's beyond its believed rings."""
    channel, size = cutout.channel, cutout.size
    aperture = aperture_of(telescope, channel, mean, size)
    own = _ring_curve(diffraction_otf(make_pupil(size, aperture, 3)).real)
    ring = np.arange(len(own), dtype=np.float64)
    frequencies, cutoff = ring / size, aperture.diameter_cells / size
    jitter, strength = float(seeing.jitter_px[channel]), float(seeing.d_over_r0[channel])
    stack = short_exposure(frequencies / cutoff, frequencies, strength, jitter)
    believed = judged.figures["channels"][channel]["finest_believed_cpp"] * size
    weight = {"sky": np.ones_like(ring), "stack": np.zeros_like(ring)}.get(judged.verdict)
    if weight is None:
        weight = ring_weights(round(believed), ring)
    rest = blended_transfer(_kept_by_the_solve(sky, channel), stack, weight)
    return Transfer(frequencies, own / own[0], np.asarray(own / own[0] * rest))


def _kept_by_the_solve(sky: Sky, channel: int) -> F64:
    """Fraction (ring,) of the true amplitude that the solved sky holds.

    The amplitude correction scales each ring so that its squared error is least. With w the fraction of the power that
    both half-sets share, the light in it is then w times the true one: neither the Wiener filter nor the factor of the
    correction, which also mends what the solve got wrong, says that.
    """
    common = common_power_fraction(read_half_sums(sky, channel), read_floor(sky, channel))
    return np.asarray(common.double().numpy())


def _ring_curve(values: Tensor) -> F64:
    return ring_mean(values.double(), rings(values.shape[-2])).numpy()
