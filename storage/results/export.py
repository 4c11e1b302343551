"""What the user gets: sky.fits, stack.fits, sky.png, sky.tif and report.json, each whole or not there."""

import json
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.atomic import publish

Image = NDArray[np.float32]

THUMB_PX = 360
"""Longest side of a thumbnail."""
THUMB_BYTES = 60_000
"""Largest thumbnail: it goes into Prefect's database, four thirds as long and twice (the artifact, the newest of its key)."""


def save_fits(path: Path, sky: Image, cards: Mapping[str, tuple[Any, str]], history: list[str]) -> None:
    """A sky (channel, y, x) as float32 FITS, (y, x) where there is one channel, in the capture's orientation."""
    from astropy.io import fits

    hdu = fits.PrimaryHDU(np.ascontiguousarray(sky[0] if len(sky) == 1 else sky, np.float32))
    for key, (value, comment) in cards.items():
        hdu.header[key] = (value, comment) if comment else value
    for line in history:
        hdu.header.add_history(line)
    publish(path, lambda temporary: hdu.writeto(temporary, overwrite=True, output_verify="silentfix"))


CURVES: dict[str, Callable[[Image], Image]] = {
    "linear": lambda light: light,
    "gamma": lambda light: light ** (1 / 1.8),
    "asinh": lambda light: np.arcsinh(30 * light) / np.arcsinh(30.0),
}
"""Display value 0..1 of light 0..1 for each stretch."""


def scale_cards(pixel_scale_arcsec: float | None, size: tuple[int, int]) -> dict[str, tuple[Any, str]]:
    """Linear WCS keywords: the scale is known, the pointing and the angle are not."""
    if pixel_scale_arcsec is None:
        return {}
    cards: dict[str, tuple[Any, str]] = {}
    for axis, n in ((1, size[1]), (2, size[0])):
        cards[f"CTYPE{axis}"] = ("LINEAR", "pointing and orientation are not known")
        cards[f"CUNIT{axis}"] = ("arcsec", "unit of CDELT")
        cards[f"CRPIX{axis}"] = ((n + 1) / 2, "centre of the field")
        cards[f"CRVAL{axis}"] = (0.0, "offsets are from the centre")
        cards[f"CDELT{axis}"] = (pixel_scale_arcsec, "pixel scale")
    return cards


def black_and_white(sky: Image) -> tuple[float, float]:
    """The light that is shown black, and that which is shown white."""
    low, high = np.percentile(sky, (0.5, 99.9))
    return float(low), float(high)


def stretched(sky: Image, stretch: str, ends: tuple[float, float] | None = None) -> NDArray[np.uint16]:
    """16 bit codes (y, x) or (y, x, 3) for display; the same black and white for all channels keeps the colour.

    `ends` are those of `black_and_white`, if not the picture's own.
    """
    low, high = ends or black_and_white(sky)
    light = np.clip((sky - low) / max(high - low, 1e-30), 0, 1)
    codes: NDArray[np.uint16] = np.rint(np.moveaxis(CURVES[stretch](light), 0, -1) * 65535).astype(np.uint16)
    return codes


def save_png(path: Path, sky: Image, stretch: str, description: str = "") -> None:
    """A sky as a 16 bit PNG, grey or RGB, stretched for display; `description` (ASCII) goes into its Description."""
    codes = stretched(sky, stretch)
    plain = codes[..., 0] if codes.shape[-1] != 3 else codes
    publish(path, lambda temporary: temporary.write_bytes(_png(plain, description)))


def save_tiff(path: Path, sky: Image, description: str = "") -> None:
    """A sky as a 16 bit TIFF, grey or RGB, linear from its darkest to its brightest pixel, for further processing.

    `description` (ASCII) goes into its tag ImageDescription.
    """
    import tifffile

    low, high = float(sky.min()), float(sky.max())
    codes = np.rint((sky - low) / max(high - low, 1e-30) * 65535).astype(np.uint16)
    colour = len(codes) == 3
    picture = np.moveaxis(codes, 0, -1) if colour else codes[0]
    photometric = "rgb" if colour else "minisblack"
    tags: dict[str, Any] = {"description": description, "metadata": None} if description else {}
    publish(
        path,
        lambda temporary: tifffile.imwrite(temporary, picture, photometric=photometric, compression="zlib", **tags),
    )


def thumbnails(pictures: Sequence[Image], stretch: str) -> list[bytes]:
    """Small 8 bit PNGs of pictures (channel, y, x) of the same frame, all with the same black and white, to be compared."""
    codes = np.split(stretched(np.concatenate(pictures, axis=-1), stretch), len(pictures), axis=1)
    longest = max(codes[0].shape[:2])
    shrink = -(-longest // THUMB_PX)
    while True:
        files = [_small(code, shrink, max(1, THUMB_PX // longest)) for code in codes]
        if max(map(len, files)) <= THUMB_BYTES or shrink >= longest:
            return files
        shrink += 1


def _small(codes: NDArray[np.uint16], shrink: int, grow: int) -> bytes:
    """Blocks of `shrink` pixels become one, every pixel of a tiny picture `grow`."""
    from PIL import Image as Pillow

    height, width = (max(1, n // shrink) for n in codes.shape[:2])
    cut = codes[: height * shrink, : width * shrink]
    mean = cut.reshape(height, -1, width, cut.shape[1] // width, codes.shape[2]).mean(axis=(1, 3))
    light = np.rint(mean / 257).astype(np.uint8).repeat(grow, axis=0).repeat(grow, axis=1)
    file = BytesIO()
    Pillow.fromarray(light if light.shape[2] == 3 else light[..., 0]).save(file, "PNG", optimize=True)
    return file.getvalue()


def save_bytes(path: Path, content: bytes) -> None:
    """A file that is made already."""
    publish(path, lambda temporary: temporary.write_bytes(content))


def save_text(path: Path, text: str) -> None:
    """A text file in UTF-8; what cannot be encoded is replaced."""
    publish(path, lambda temporary: temporary.write_text(text, encoding="utf-8", errors="replace"))


def save_json(path: Path, tree: Mapping[str, Any]) -> None:
    """A machine-readable report; what is not a number (NaN) becomes null."""
    text = json.dumps(_finite(tree), indent=1, allow_nan=False)
    publish(path, lambda temporary: temporary.write_text(text + "\n", encoding="utf-8"))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def _png(codes: NDArray[np.uint16], description: str = "") -> bytes:
    """PNG of 16 bit codes: Pillow would cut colour to 8 bits."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = codes.astype(">u2").reshape(codes.shape[0], -1).view(np.uint8)
    plain = np.concatenate([np.zeros((len(rows), 1), np.uint8), rows], axis=1).tobytes()
    head = struct.pack(">IIBBBBB", codes.shape[1], codes.shape[0], 16, 2 if codes.ndim == 3 else 0, 0, 0, 0)
    said = chunk(b"tEXt", b"Description\0" + description.encode("ascii", "replace")) if description else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + said
        + chunk(b"IDAT", zlib.compress(plain, 6))
        + chunk(b"IEND", b"")
    )
