"""A simulated planet that turns as the real one does while it is recorded."""

from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from configs.load import BadConfig
from storage.captures.planets import GLOBES, aspect
from tasks.numerics.globe.derotation import Rings
from tasks.numerics.globe.spheroid import View
from tasks.numerics.simulator.globes import globe
from tasks.numerics.simulator.observe import SkyAt
from tasks.numerics.simulator.targets import planet_map

SURFACE_SEED = 7
"""The surface is the same whatever the seed of the capture: files of a session show one planet."""
RADIUS, RINGED_RADIUS = 0.125, 0.085
"""Equatorial radius, as a share of the canvas, where the true disc is too large for the frame: as large as the planet that does
not turn; with rings smaller, so that the frame holds them."""
MAX_WIDTH = 0.9
"""Share of the frame that a true disc and its rings may fill."""


@dataclass(frozen=True)
class Turning:
    """How the planet stands in the frame."""

    north_deg: float = 0.0
    """Direction of north, from up to the left."""
    mirrored: bool = False
    """Whether the picture is mirrored."""
    planet: str = "Jupiter"
    """Which one of GLOBES."""
    radius_px: float = 0.0
    """Equatorial radius; 0: a share of the canvas, not to scale."""

    def to_scale(self, moment: datetime, frame_px: int, scale_arcsec: float) -> "Turning":
        """The planet as large as it is at this scale, if the frame holds it."""
        diameter_px = aspect(self.planet, moment).diameter_arcsec / scale_arcsec
        wide = diameter_px * (rings[1] if (rings := GLOBES[self.planet].rings) else 1.0)
        return replace(self, radius_px=diameter_px / 2) if wide <= MAX_WIDTH * frame_px else self

    @property
    def words(self) -> str:
        """What is simulated."""
        mirrored = ", mirrored" if self.mirrored else ""
        size = "" if self.radius_px else ", its disc not to scale: the frame is too small"
        return f"{self.planet}, turning, north {self.north_deg:g} degrees left of up{mirrored}{size}"

    @property
    def cards(self) -> dict[str, tuple[Any, str]]:
        """Cards for the truth's FITS header."""
        return {
            "NORTH": (self.north_deg, "deg, from up to the left"),
            "MIRRORED": (self.mirrored, "west is to the left"),
        }

    def view(self, width: int, moment: datetime) -> View:
        """How the planet stands on a canvas of `width` pixels at a moment (UT)."""
        seen, middle, globe = aspect(self.planet, moment), (width / 2, width / 2), GLOBES[self.planet]
        radius = self.radius_px or (RINGED_RADIUS if globe.rings else RADIUS) * width
        place = (middle, radius, globe.flattening, seen.latitude_deg, seen.meridian_deg)
        return View(*place, self.north_deg, self.mirrored)

    def sky(self, width: int, started: datetime) -> SkyAt:
        """Its sky so many seconds after `started` (UT)."""
        surface = planet_map(np.random.default_rng(SURFACE_SEED))
        first = self.view(width, started)
        own = GLOBES[self.planet]
        rate, rings = own.rate_deg_per_day / 86400, Rings(*own.rings) if own.rings else None

        return lambda seconds: globe(surface, first.turned(rate * seconds), width, rings)


def parse_turning(
    request: MutableMapping[str, Any], target: str, has_own: bool
) -> tuple[datetime | None, Turning | None]:
    """Take what tells a planet that turns, from `started` to `mirrored`, out of what a user gave: (start, UT; the planet)."""
    text, turns = request.pop("started", None), bool(request.pop("rotation", False))
    north, mirrored = request.pop("north_deg", None), bool(request.pop("mirrored", False))
    moment = _moment(text) if text else None
    planet = request.pop("planet", None)
    if not turns:
        if north is not None or mirrored or planet:
            raise BadConfig("--planet, --north and --mirrored are of a planet that turns; ask for --rotation as well")
        return moment, None
    if moment is None:
        raise BadConfig("--rotation needs the time: say --started, for example --started 2026-11-20T22:14:00 (UT)")
    if target != "planet" or has_own:
        raise BadConfig("--rotation turns the simulated planet; leave out --target, --truth and --psfs")
    if planet and planet not in GLOBES:
        raise BadConfig(f"--planet {planet}: known are {', '.join(GLOBES)}")
    return moment, Turning(float(north or 0.0), mirrored, planet or "Jupiter")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        moment = datetime.max
    if not datetime(1970, 1, 2) < moment < datetime(2100, 1, 1) - timedelta(days=1):
        raise BadConfig(f"--started {text!r}: write a time from 1970 to 2099 (UT), for example 2026-11-20T22:14:00")
    return moment
