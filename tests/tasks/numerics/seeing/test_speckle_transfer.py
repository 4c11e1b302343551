"""Simulated turbulence is Kolmogorov's."""

import numpy as np

from tasks.numerics.seeing.speckle_transfer import phases


def test_simulated_phases_are_kolmogorov() -> None:
    screens = phases(0.01, 1, 256, 65)[:, 0]
    for gap in (3, 12):
        steps = [screens[:, gap:] - screens[:, :-gap], screens[:, :, gap:] - screens[:, :, :-gap]]
        structure = np.mean([np.mean(step**2) for step in steps])
        # an outer scale of eighty apertures takes some off the large separations
        assert 0.75 < structure / (6.88 * (gap / 48) ** (5 / 3)) < 1.1
