"""Pupil, Zernike modes, Kolmogorov statistics, phase screens."""
