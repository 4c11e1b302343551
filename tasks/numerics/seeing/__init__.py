"""Spectral ratios, speckle transfer functions, and the fit of D/r0."""
