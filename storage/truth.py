"""What lies beside a simulated capture: the truth, the true PSFs, a matching configuration."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.errors import BadCapture, Hopeless
from storage.readers import Reader, open_capture, response
from storage.store import atomic, publish

Image = NDArray[np.float32]


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


class PsfFile:
    """A FITS cube of PSFs (frame, y, x) that grows block by block, and where each frame pointed."""

    def __init__(self, path: Path, n_frames: int) -> None:
        self.path, self.n_frames = path, n_frames
        self.stream: Any = None
        self.pointing: list[NDArray[np.float64]] = []

    def add(self, psfs: Image, shifts: NDArray[np.float64]) -> None:
        """Append PSFs (frame, y, x) and pointing (frame, 2) dy, dx px."""
        from astropy.io import fits

        if self.stream is None:
            header = fits.Header([("SIMPLE", True), ("BITPIX", -32), ("NAXIS", 3)])
            for axis, size in enumerate((psfs.shape[2], psfs.shape[1], self.n_frames), start=1):
                header[f"NAXIS{axis}"] = size
            header["EXTEND"], header["EXTNAME"] = True, "PSF"
            header["COMMENT"] = "sum 1, centred on [size // 2, size // 2]; frame k shows the truth moved by POINTING[k]"
            self.stream = fits.StreamingHDU(str(self.path), header)
        self.stream.write(np.ascontiguousarray(psfs, np.float32))
        self.pointing.append(shifts)

    def close(self) -> None:
        """Finish the cube and append the pointing."""
        from astropy.io import fits

        if self.stream is not None:
            self.stream.close()
            header = fits.Header([("EXTNAME", "POINTING"), ("BUNIT", "pixel", "dy, dx")])
            fits.append(self.path, np.concatenate(self.pointing).astype(np.float32), header, verify=False)


@contextmanager
def psf_file(path: Path, n_frames: int) -> Iterator[PsfFile]:
    """Lend a growing PSF file that appears under its name when the block ends without an exception."""
    with atomic(path) as temporary:
        file = PsfFile(temporary, n_frames)
        yield file
        file.close()


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
