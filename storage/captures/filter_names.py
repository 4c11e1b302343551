"""The filter that a capture was taken through, as its name, its folder or its log tells it."""

import re
from pathlib import Path
from typing import get_args

from configs.colour import Filter
from storage.captures.readers import claimed_size
from storage.errors import StillskyError

_BANDS: dict[str, tuple[float, str]] = {
    "red": (640, "r red rot rouge rojo"),
    "green": (530, "g green gruen grün vert verde"),
    "blue": (450, "b blue blau bleu azul"),
    "luminance": (550, "l lum luma luminance luminanz clear"),
    "ir": (800, "ir"),
    "uv": (360, "uv"),
    "ch4": (889, "ch4 methane methan"),
    "ha": (656.3, "ha halpha"),
    "oiii": (500.7, "oiii o3"),
    "sii": (671.6, "sii s2"),
    "hb": (486.1, "hb hbeta"),
    "cak": (393.4, "cak caii"),
    "continuum": (540, "continuum"),
}
"""Filter: mean wavelength that it passes, nm, and the words for it in names and logs."""
_BAND_OF = {word: band for band, (_, words) in _BANDS.items() for word in words.split()}
_ONLY_LOGGED: dict[str, float] = {"na": 589.3}
"""Words that mean a filter in a log only: in a name, na is rather "not available"."""
_PASS = re.compile(r"(?:ir|rg|proplanet)\d{3,4}(?:nm|lp|bp)?|\d{3,4}(?:nm|lp|bp)")
"""Filters that are called after their edge or middle: IR685, 642BP."""
_PLAIN = re.compile(r"[\W_]+")
WORD = re.compile(r"[^\W_]+")
"""A word in a file's name."""
BEYOND_CUT_NM = 60.0
"""A long-pass filter (IR685) is named after its edge; silicon fades behind it, and the mean lies this far beyond."""


def band_of(word: str) -> str:
    """The filter that a word means (R, red, Rot: red; H-alpha: ha; IR685: ir685); empty: none."""
    plain = _PLAIN.sub("", word).lower()
    return plain if _PASS.fullmatch(plain) else _BAND_OF.get(plain, "")


def band_in(name: str) -> tuple[str, tuple[int, int]] | None:
    """The filter that a name holds as a word of its own (Jup_R_213000, 2214_3-CH4-Jup), and where; None: none, or several."""
    known = [(band, found.span()) for found in WORD.finditer(name) if (band := band_of(found[0]))]
    return known[0] if len({band for band, _ in known}) == 1 else None


def told_band(capture: Path, logged: str) -> str:
    """From the capture's name, else its folder's, else what its log calls the filter; empty where they do not tell."""
    found = band_in(capture.name if capture.is_dir() else capture.stem)
    return found[0] if found else band_of(capture.parent.name) or band_of(logged)


def colour_filter(band: str) -> Filter | None:
    """The filter, if it is one of a colour sky."""
    return next((each for each in get_args(Filter) if each == band), None)


def wavelength_nm(name: str) -> float | None:
    """Mean wavelength that a filter passes, nm, from its name; None where the name does not tell."""
    word = _PLAIN.sub("", name).lower()
    if word in _BAND_OF:
        return float(_BANDS[_BAND_OF[word]][0])
    if word in _ONLY_LOGGED:
        return _ONLY_LOGGED[word]
    edge = re.search(r"(?<!\d)(\d{3,4})(?!\d)", name)
    if edge is None or not 300 <= int(edge[1]) <= 2000:
        return None
    return int(edge[1]) + (BEYOND_CUT_NM if re.search(r"ir|pro.?planet|long|lp", name.lower()) else 0.0)


def is_mono(capture: Path) -> bool:
    """Have the frames one channel and no mosaic, as far as the file can be read? A broken one is reported by its own run."""
    try:
        claim = claimed_size(capture)
    except StillskyError:
        return True
    return claim.channels == 1 and not claim.mosaic
