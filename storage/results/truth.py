"""What lies beside a simulated capture: the truth, the true PSFs, a matching configuration."""

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.load import BadConfig
from storage.atomic import atomic, publish
from storage.captures.readers import Reader, open_capture, response
from storage.errors import BadCapture, Hopeless

Image = NDArray[np.float32]
PSF_NAME = "PSF"


def beside(capture: Path) -> dict[str, Path]:
    """The files that belong to a simulated capture OUT.ser: OUT.truth.fits, OUT.psfs.fits, OUT.toml."""
    stem = capture.with_suffix("")
    return {
        "truth": stem.with_name(f"{stem.name}.truth.fits"),
        "psfs": stem.with_name(f"{stem.name}.psfs.fits"),
        "config": stem.with_name(f"{stem.name}.toml"),
    }


def truth_beside(capture: Path) -> Image | None:
    """The sky through the perfect telescope (channel, y, x), if NAME.truth.fits lies beside NAME.ser; else None."""
    from astropy.io import fits

    path = beside(capture)["truth"]
    if not path.is_file():
        return None
    try:
        with fits.open(path, memmap=False) as hdus:
            picture = np.asarray(hdus["DIFF"].data, np.float32)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise Hopeless(
            f"{path} holds no readable extension DIFF ({error}); simulate again, or move the file away"
        ) from None
    return picture if picture.ndim == 3 else picture[None]


def psfs_beside(capture: Path) -> Path | None:
    """The file of the true PSFs, if NAME.psfs.fits lies beside NAME.ser; else None."""
    path = beside(capture)["psfs"]
    return path if holds_true_psfs(path) else None


def save_truth(path: Path, sharp: Image, diffraction: Image, cards: Mapping[str, tuple[Any, str]]) -> None:
    """The sky itself (HDU 0, SHARP) and through the perfect telescope (DIFF), both (y, x) in electrons per frame."""
    from astropy.io import fits

    first, second = fits.PrimaryHDU(sharp), fits.ImageHDU(diffraction, name="DIFF")
    first.header["EXTNAME"] = "SHARP"
    for hdu in (first, second):
        hdu.header["BUNIT"] = ("electron", "per frame")
        for key, (value, comment) in cards.items():
            hdu.header[key] = (value, comment)
    publish(path, lambda temporary: fits.HDUList([first, second]).writeto(temporary, overwrite=True))


def save_config(path: Path, text: str) -> None:
    """The configuration that fits the capture."""
    publish(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def check_config(path: Path, text: str) -> None:
    """Refuse to write `text` over settings that somebody wrote or changed."""
    if not path.exists():
        return
    try:
        same = tomllib.loads(path.read_text(encoding="utf-8")) == tomllib.loads(text)
    except ValueError:
        same = False
    if not same:
        raise BadConfig(
            f"{path} is there with other settings than this simulation would write; choose another name, or write over it "
            f"with --force"
        )


class PsfFile:
    """A FITS cube of PSFs (frame, y, x) that grows block by block, and where each frame pointed."""

    def __init__(self, path: Path, n_frames: int, pixel_fill: float = 1.0) -> None:
        self.path, self.n_frames, self.pixel_fill = path, n_frames, pixel_fill
        self.stream: Any = None
        self.pointing: list[NDArray[np.float64]] = []

    def add(self, psfs: Image, shifts: NDArray[np.float64]) -> None:
        """Append PSFs (frame, y, x) and pointing (frame, 2) dy, dx px."""
        from astropy.io import fits

        if self.stream is None:
            header = fits.Header([("SIMPLE", True), ("BITPIX", -32), ("NAXIS", 3)])
            for axis, size in enumerate((psfs.shape[2], psfs.shape[1], self.n_frames), start=1):
                header[f"NAXIS{axis}"] = size
            header["EXTEND"], header["EXTNAME"] = True, PSF_NAME
            header["PIXFILL"] = (self.pixel_fill, "width of the pixel that blurs them, in pixels")
            header["COMMENT"] = "sum 1, centred on [size // 2, size // 2]; frame k shows the truth moved by POINTING[k]"
            self.stream = fits.StreamingHDU(str(self.path), header)
        self.stream.write(np.ascontiguousarray(psfs, np.float32))
        self.pointing.append(shifts)

    def close(self) -> None:
        """Finish the cube and append the pointing."""
        from astropy.io import fits

        if self.stream is not None:
            self.stream.close()
            moves = np.concatenate(self.pointing).T
            columns = [fits.Column(n, "D", "pixel", array=m) for n, m in zip(("dy", "dx"), moves, strict=True)]
            table = fits.BinTableHDU.from_columns(columns, name="POINTING")  # an image would pass for one more frame
            fits.append(self.path, table.data, table.header, verify=False)


@contextmanager
def psf_file(path: Path, n_frames: int, pixel_fill: float = 1.0) -> Iterator[PsfFile]:
    """Lend a growing PSF file that appears under its name when the block ends without an exception."""
    with atomic(path) as temporary:
        file = PsfFile(temporary, n_frames, pixel_fill)
        yield file
        file.close()


@dataclass(frozen=True)
class TruePsfs:
    """The PSFs of a simulated capture, open for reading."""

    cube: Any
    """The extension that holds them."""
    pointing: NDArray[np.float64]
    """(frame, 2) dy, dx px by which frame k shows the truth moved."""
    pixel_fill: float
    """Width of the pixel that blurs them, as a fraction of a pixel."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, y, x."""
        frames, height, width = (int(n) for n in self.cube.shape)
        return frames, height, width

    def take(self, chosen: NDArray[np.int64] | range) -> Image:
        """The chosen PSFs (frame, y, x), sum 1, centred on [size // 2, size // 2]."""
        return np.stack([np.asarray(self.cube.section[int(k)], np.float32) for k in chosen])


def holds_true_psfs(path: Path) -> bool:
    """Is this a file of PSFs that a simulation left?"""
    with path.open("rb") if path.is_file() else BytesIO() as file:
        head = file.read(2880)
    return all(card in head for card in (b"SIMPLE", f"EXTNAME = '{PSF_NAME} ".encode(), b"PIXFILL"))


@contextmanager
def true_psfs(path: Path) -> Iterator[TruePsfs]:
    """Lend the PSFs that a simulation left in NAME.psfs.fits."""
    from astropy.io import fits

    try:
        hdus = fits.open(path, memmap=False)
        table = hdus["POINTING"].data
        found = TruePsfs(
            hdus[PSF_NAME], np.stack([table["dy"], table["dx"]], 1), float(hdus[PSF_NAME].header["PIXFILL"])
        )
    except (OSError, KeyError, TypeError, ValueError, IndexError) as error:
        raise Hopeless(
            f"{path} holds no readable PSFs and POINTING ({error}); simulate again, or move the file away"
        ) from None
    with hdus:
        yield found


def read_picture(path: Path) -> Image:
    """The first frame of a picture or capture of any format, channels averaged, in linear light (y, x)."""
    return next(_luma(path))


def read_pictures(path: Path) -> Iterator[Image]:
    """Every frame of a capture, one at a time, channels averaged, in linear light (y, x)."""
    return _luma(path)


def count_pictures(path: Path, most: int) -> tuple[int, int]:
    """How many frames a capture has, at most `most`, and the shorter side of them in pixels."""
    with open_capture(path) as reader:
        side = min(reader.header.height, reader.header.width)
        if reader.header.frames is not None and not _is_video(reader):
            return min(reader.header.frames, most), side
        count = 0
        for block in reader.blocks(8):
            count += len(block)
            if count >= most:
                break
        return min(count, most), side


def _is_video(reader: Reader) -> bool:
    """Videos claim a number of frames that decoding may not keep; they are the ones with gamma and 8 bits."""
    return reader.header.gamma


def _luma(path: Path) -> Iterator[Image]:
    with open_capture(path) as reader:
        header = reader.header
        if header.bayer is not None:
            raise BadCapture(
                f"{path}: a colour mosaic ({header.bayer}); the simulator takes mono or RGB: convert it first"
            )
        for block in reader.blocks(8):
            light = response(header)[block] if header.gamma else block.astype(np.float32)
            for frame in light:
                yield np.nan_to_num(frame.mean(axis=0, dtype=np.float32))
