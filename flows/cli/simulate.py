"""`stillsky simulate`: a capture with a known truth."""

from pathlib import Path
from typing import Any

from tasks.benchmark.simulate import Progress, Simulation, parse_wind, scene_of, simulate_capture


def simulate(
    out: Path,
    words: dict[str, Any],
    target: str = "planet",
    truth: Path | None = None,
    psfs: Path | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> list[Path]:
    """Check the request, write, return the files.

    `words`: fields of Scene, wavelength_nm, pixel_scale_arcsec, wind, force; None means the default.
    """
    fields = dict(words)
    wavelength_nm = fields.pop("wavelength_nm", None) or 550.0
    scale = fields.pop("pixel_scale_arcsec", None)
    fields["winds"] = parse_wind(tuple(fields.pop("wind", None) or ()))
    force = bool(fields.pop("force", False))
    scene = scene_of(fields, wavelength_nm, scale)
    return simulate_capture(Simulation(out, scene, target, truth, psfs, wavelength_nm, command, force), progress)
