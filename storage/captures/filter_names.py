"""The filter that a capture was taken through, as its name, its folder or its log tells it."""

import re
from pathlib import Path

from configs.colour import Filter
from storage.captures.readers import claimed_size
from storage.captures.sidecars import Log
from storage.errors import StillskyError

_WORDS: dict[Filter, str] = {
    "red": "r red rot rouge rojo",
    "green": "g green gruen grün vert verde",
    "blue": "b blue blau bleu azul",
    "luminance": "l lum luma luminance luminanz clear",
}
_FILTERS: dict[str, Filter] = {word: name for name, words in _WORDS.items() for word in words.split()}
WORD = re.compile(r"[^\W_]+")
"""A word in a file's name."""


def filter_of(word: str) -> Filter | None:
    """The filter that a word means: R, red, Rot."""
    return _FILTERS.get(word.strip().lower())


def filter_in(name: str) -> tuple[Filter, tuple[int, int]] | None:
    """The filter that a name holds as a word of its own (Jup_R_213000, 2214_3-R-Jup), and where; None: none, or several."""
    words = [(filter_of(found[0]), found.span()) for found in WORD.finditer(name)]
    known = [(filter_, place) for filter_, place in words if filter_ is not None]
    return known[0] if len(known) == 1 else None


def told_filter(capture: Path, log: Log) -> Filter | None:
    """From the capture's name, else its folder's, else its log; None where they do not tell."""
    found = filter_in(capture.name if capture.is_dir() else capture.stem)
    return found[0] if found else filter_of(capture.parent.name) or filter_of(log.filter)


def is_mono(capture: Path) -> bool:
    """Have the frames one channel and no mosaic, as far as the file can be read? A broken one is reported by its own run."""
    try:
        claim = claimed_size(capture)
    except StillskyError:
        return True
    return claim.channels == 1 and not claim.mosaic
