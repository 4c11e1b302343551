"""Registration, defects, quality and noise of frames."""
