"""HDF5: a dataset named 'frames', or the only one with three or four axes."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.captures.readers.base import Format, Header, Raw, check_claim, plain, plain_dtype, saturation
from storage.errors import BadCapture

MAX_OBJECTS, MAX_DEPTH = 10_000, 32
"""Limits of the search for frames in a file: groups and datasets looked at, and how deep they are nested."""
MAX_CHUNK_BYTES = 1 << 30
"""HDF5 takes memory for one whole chunk."""


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
        meta = {**_texts(file), **_texts(data)}
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
    found = _datasets(path, file)
    stacks = [name for name, item in found.items() if len(item.shape) in (3, 4) and item.dtype.kind in "biuf"]
    chosen = "frames" if "frames" in stacks else stacks[0] if len(stacks) == 1 else None
    if chosen is None:
        content = ", ".join(f"{name} {item.shape}" for name, item in [*found.items()][:10]) or "no dataset"
        raise BadCapture(
            f"{path}: no dataset 'frames' and no single one of (frame, y, x) or (frame, channel, y, x); "
            f"found: {content}. Name the right one 'frames'."
        )
    data = found[chosen]
    if 0 in data.shape or (len(data.shape) == 4 and data.shape[1] not in (1, 3)):
        raise BadCapture(f"{path}: '{chosen}' is {data.shape}; needed are frames of 1 or 3 channels: write it again.")
    _check_plain(path, chosen, data)
    return data


def _datasets(path: Path, file: Any) -> dict[str, Any]:
    """The datasets inside the file by name; links are not followed, for they may lead to other files."""
    import h5py

    found: dict[str, Any] = {}
    seen = 0
    groups = [("", file)]
    while groups:
        parent, group = groups.pop()
        for name in group:
            seen += 1
            if seen > MAX_OBJECTS or parent.count("/") > MAX_DEPTH:
                raise BadCapture(
                    f"{path}: more than {MAX_OBJECTS} objects, or groups nested more than {MAX_DEPTH} deep; write the "
                    f"frames into a file of their own."
                )
            if isinstance(group.get(name, getlink=True), h5py.HardLink):
                item = group[name]
                if isinstance(item, h5py.Group):
                    groups.append((f"{parent}{name}/", item))
                elif isinstance(item, h5py.Dataset) and item.shape is not None:
                    found[f"{parent}{name}"] = item
    return found


def _check_plain(path: Path, name: str, data: Any) -> None:
    """Refuse frames that lie in other files, and sizes that the stored bytes cannot hold."""
    if data.external or data.is_virtual:
        raise BadCapture(f"{path}: '{name}' lies in other files; copy the frames into one file, e.g. with h5repack.")
    frames, *shape = data.shape
    stored = data.id.get_storage_size()
    check_claim(path, frames, tuple(shape), data.dtype.itemsize, stored)
    if data.chunks is not None and math.prod(data.chunks) * data.dtype.itemsize > MAX_CHUNK_BYTES:
        raise BadCapture(
            f"{path}: '{name}' is stored in chunks of {data.chunks}, more than {MAX_CHUNK_BYTES} bytes each; write it "
            f"in chunks of one frame."
        )


def _texts(item: Any) -> dict[str, str]:
    """The attributes that are single numbers or texts."""
    names = [name for name in item.attrs if item.attrs.get_id(name).shape == ()]
    return {str(name): str(item.attrs[name]) for name in names}


def _timestamps(data: Any) -> NDArray[np.float64] | None:
    """The dataset 'timestamps' beside the frames: Unix seconds, one per frame."""
    import h5py

    parent = data.parent
    if not isinstance(parent.get("timestamps", getlink=True), h5py.HardLink):
        return None
    times = parent["timestamps"]
    if not isinstance(times, h5py.Dataset) or times.shape != data.shape[:1] or times.dtype.kind not in "iuf":
        return None
    return None if times.external or times.is_virtual else np.asarray(times[:], np.float64)


HDF5 = Format(
    "hdf5", "HDF5 with a dataset 'frames'", ((".h5", ".hdf5", ".hdf"),), ((0, b"\x89HDF\r\n\x1a\n"),), open_hdf5
)
