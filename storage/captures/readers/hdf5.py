"""HDF5: a dataset named 'frames', or the only one with three or four axes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.captures.readers.base import Format, Header, Raw, plain, plain_dtype, saturation
from storage.errors import BadCapture


@dataclass(frozen=True)
class _Hdf5:
    """An open HDF5 file."""

    header: Header
    timestamps: NDArray[np.float64] | None
    data: Any

    def blocks(self, size: int) -> Iterator[Raw]:
        for start in range(0, self.data.shape[0], size):
            raw = plain(self.data[start : start + size])
            yield raw[:, None] if raw.ndim == 3 else raw


@contextmanager
def open_hdf5(path: Path) -> Iterator[_Hdf5]:
    """(frame, y, x) or (frame, channel, y, x); its attributes are the meta, `full_scale` and `bayer` among them."""
    import h5py

    with path.open("rb"):  # says plainly what is wrong with the file; h5py would not
        pass
    with h5py.File(path, "r") as file:
        data = _frames_of(path, file)
        frames, *channels, height, width = data.shape
        attributes = {**file.attrs, **data.attrs}
        meta = {str(k): str(v) for k, v in attributes.items() if np.ndim(v) == 0}
        dtype = plain_dtype(data.dtype)
        full_scale = float(meta["full_scale"]) if "full_scale" in meta else None
        if full_scale is None and dtype.kind == "u":
            full_scale = saturation(plain(data[0]), 8 * dtype.itemsize)
        count = channels[0] if channels else 1
        bayer = meta.get("bayer") if count == 1 else None
        header = Header(frames, count, height, width, dtype, full_scale, bayer or None, False, meta)
        yield _Hdf5(header, _timestamps(data), data)


def _frames_of(path: Path, file: Any) -> Any:
    """The dataset that holds the frames."""
    found: dict[str, Any] = {}

    def note(name: str, item: Any) -> None:
        if hasattr(item, "shape"):
            found[name] = item

    file.visititems(note)
    stacks = [name for name, item in found.items() if len(item.shape) in (3, 4) and item.dtype.kind in "biuf"]
    chosen = "frames" if "frames" in stacks else stacks[0] if len(stacks) == 1 else None
    if chosen is None:
        content = ", ".join(f"{name} {item.shape}" for name, item in found.items()) or "no dataset"
        raise BadCapture(
            f"{path}: no dataset 'frames' and no single one of (frame, y, x) or (frame, channel, y, x); "
            f"found: {content}. Name the right one 'frames'."
        )
    data = found[chosen]
    if 0 in data.shape or (len(data.shape) == 4 and data.shape[1] not in (1, 3)):
        raise BadCapture(f"{path}: '{chosen}' is {data.shape}; needed are frames of 1 or 3 channels: write it again.")
    return data


def _timestamps(data: Any) -> NDArray[np.float64] | None:
    """The dataset 'timestamps' beside the frames: Unix seconds, one per frame."""
    times = data.parent.get("timestamps")
    if times is None or times.shape != data.shape[:1]:
        return None
    return np.asarray(times[:], np.float64)


HDF5 = Format(
    "hdf5", "HDF5 with a dataset 'frames'", ((".h5", ".hdf5", ".hdf"),), ((0, b"\x89HDF\r\n\x1a\n"),), open_hdf5
)
