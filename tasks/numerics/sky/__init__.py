"""Likelihood, Wiener filter, half-set agreement, amplitude, extended field."""
