"""A simulated planet that turns as the real one does while it is recorded."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from configs.load import BadConfig
from storage.captures.planets import GLOBES, aspect
from tasks.numerics.globe.spheroid import View
from tasks.numerics.simulator.globes import globe
from tasks.numerics.simulator.observe import SkyAt
from tasks.numerics.simulator.targets import planet_map

PLANET = "Jupiter"
SURFACE_SEED = 7
"""The surface is the same whatever the seed of the capture: files of a session show one planet."""
RADIUS = 0.125
"""Equatorial radius, as a share of the canvas: as large as the planet that does not turn."""


@dataclass(frozen=True)
class Turning:
    """How the planet stands in the frame."""

    north_deg: float = 0.0
    """Direction of north, from up to the left."""
    mirrored: bool = False
    """Whether the picture is mirrored."""

    @property
    def words(self) -> str:
        """What is simulated."""
        mirrored = ", mirrored" if self.mirrored else ""
        return f"{PLANET}, turning, north {self.north_deg:g} degrees left of up{mirrored}"

    @property
    def cards(self) -> dict[str, tuple[Any, str]]:
        """Cards for the truth's FITS header."""
        return {
            "NORTH": (self.north_deg, "deg, from up to the left"),
            "MIRRORED": (self.mirrored, "west is to the left"),
        }

    def view(self, width: int, moment: datetime) -> View:
        """How the planet stands on a canvas of `width` pixels at a moment (UT)."""
        seen, middle = aspect(PLANET, moment), (width / 2, width / 2)
        flattening = GLOBES[PLANET].flattening
        place = (middle, RADIUS * width, flattening, seen.latitude_deg, seen.meridian_deg)
        return View(*place, self.north_deg, self.mirrored)

    def sky(self, width: int, started: datetime) -> SkyAt:
        """Its sky so many seconds after `started` (UT)."""
        surface = planet_map(np.random.default_rng(SURFACE_SEED))
        first = self.view(width, started)
        rate = GLOBES[PLANET].rate_deg_per_day / 86400

        return lambda seconds: globe(surface, first.turned(rate * seconds), width)


def parse_turning(
    given: MutableMapping[str, Any], target: str, has_own: bool
) -> tuple[datetime | None, Turning | None]:
    """Take `started`, `rotation`, `north_deg` and `mirrored` out of what a user gave: (start, UT; the planet that turns)."""
    text, turns = given.pop("started", None), bool(given.pop("rotation", False))
    north, mirrored = given.pop("north_deg", None), bool(given.pop("mirrored", False))
    moment = _moment(text) if text else None
    if not turns:
        if north is not None or mirrored:
            raise BadConfig("--north and --mirrored say how a planet stands that turns; ask for --rotation as well")
        return moment, None
    if moment is None:
        raise BadConfig("--rotation needs the time: say --started, for example --started 2026-11-20T22:14:00 (UT)")
    if target != "planet" or has_own:
        raise BadConfig("--rotation turns the simulated planet; leave out --target, --truth and --psfs")
    return moment, Turning(float(north or 0.0), mirrored)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        moment = datetime.max
    if not datetime(1970, 1, 2) < moment < datetime(2100, 1, 1) - timedelta(days=1):
        raise BadConfig(f"--started {text!r}: write a time from 1970 to 2099 (UT), for example 2026-11-20T22:14:00")
    return moment
