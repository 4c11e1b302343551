"""The observatory file: telescope and site, written once and found by every command."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, PrivateAttr

from configs.section import Section

VARIABLE = "STILLSKY_OBSERVATORY"
"""Names another file; empty: none is read."""
TABLES = ("telescope", "site")
"""What an observatory file may hold; other settings belong into a file for --config."""


class Site(Section):
    """Where the telescope stands."""

    latitude_deg: Annotated[float, Field(ge=-90, le=90)] | None = None
    """Geographic latitude in degrees, north positive."""
    longitude_deg: Annotated[float, Field(ge=-180, le=180)] | None = None
    """Geographic longitude in degrees, east positive."""
    elevation_m: Annotated[float, Field(ge=-500, le=9000)] | None = None
    """Height above the sea, in metres."""


class WithObservatory(Section):
    """Settings that know which observatory file they were taken from."""

    _observatory: Path | None = PrivateAttr(default=None)
    """The file, as the loader of settings tells it."""

    @property
    def observatory(self) -> Path | None:
        """The file that gave settings of the telescope; none: no such file was read, or nearer settings replaced it."""
        return self._observatory

    def with_observatory(self, file: Path | None) -> Self:
        """The same settings, and where the telescope was taken from."""
        copied = self.model_copy()
        copied._observatory = file
        return copied


def observatory_file() -> Path | None:
    """Where the observatory file is looked for, whether it is there or not; None where the user wants none."""
    named = os.environ.get(VARIABLE)
    if named is not None:
        return Path(named).expanduser().absolute() if named.strip() else None
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(f"{base}/stillsky/observatory.toml").expanduser().absolute()


def observatory_in_use() -> Path | None:
    """The observatory file that is read: one that the variable names must be there, the usual one may be."""
    file = observatory_file()
    return file if file is not None and (VARIABLE in os.environ or file.exists()) else None


def another_telescope(own: Mapping[str, Any], layers: Iterable[Mapping[str, Any]], words: Iterable[str]) -> bool:
    """Do nearer settings name an aperture that is not the observatory's? Nothing of its telescope holds then."""
    tables = [layer.get("telescope") for layer in layers]
    apertures = [table["aperture_m"] for table in tables if isinstance(table, Mapping) and "aperture_m" in table]
    apertures += [w.partition("=")[2].strip() for w in words if w.partition("=")[0].strip() == "telescope.aperture_m"]
    try:
        return any(float(aperture) != own.get("aperture_m") for aperture in apertures)
    except (TypeError, ValueError):  # a faulty aperture is reported when the settings are checked
        return True
