"""Held-out frames, metrics, residuals."""
