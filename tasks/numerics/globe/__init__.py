"""Rotating planets: the geometry of a spheroid, its rotation undone, north found, skies of a session put together."""
