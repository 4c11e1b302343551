"""Rings, windows, shifts and canvas: each said once."""
