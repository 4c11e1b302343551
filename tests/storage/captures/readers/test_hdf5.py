"""HDF5: which dataset is the capture."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from storage.captures.readers import Header, open_capture
from storage.errors import BadCapture


def written(path: Path, **datasets: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, data in datasets.items():
            file[name] = data
    return path


def read(path: Path) -> tuple[Header, Any, Any]:
    with open_capture(path) as capture:
        return capture.header, np.concatenate(list(capture.blocks(2))), capture.timestamps


def test_frames_by_name_among_others_with_times_and_attributes(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.h5", frames=np.ones((3, 3, 5, 6), np.uint8), other=np.ones((2, 5, 6)), timestamps=np.arange(3.0)
    )
    with h5py.File(path, "a") as file:
        file["frames"].attrs.update({"full_scale": 200, "camera": "IMX"})
    header, raw, times = read(path)
    assert raw.shape == (3, 3, 5, 6)
    assert (header.channels, header.full_scale, header.meta["camera"]) == (3, 200.0, "IMX")
    assert times.tolist() == [0, 1, 2]


def test_the_only_stack_under_any_name(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", **{"run/data": np.full((3, 5, 6), 7.5), "mean": np.ones((5, 6))})
    header, raw, times = read(path)
    assert raw.dtype == np.float32
    assert np.all(raw == 7.5)
    assert (raw.shape, header.full_scale, times) == ((3, 1, 5, 6), None, None)


@pytest.mark.parametrize(
    ("datasets", "message"),
    [
        ({}, "found: no dataset"),
        ({"mean": np.ones((5, 6))}, r"found: mean \(5, 6\)"),
        ({"a": np.ones((2, 5, 6)), "b": np.ones((2, 5, 6))}, r"found: a \(2, 5, 6\), b \(2, 5, 6\)"),
        ({"frames": np.ones((2, 4, 5, 6))}, "1 or 3 channels"),
        ({"frames": np.ones((0, 5, 6))}, r"\(0, 5, 6\)"),
    ],
)
def test_anything_else_is_refused_listing_what_is_there(tmp_path: Path, datasets: Any, message: str) -> None:
    with pytest.raises(BadCapture, match=message):
        read(written(tmp_path / "a.h5", **datasets))


def external(file: Any, folder: Path) -> None:
    (folder / "secret.bin").write_bytes(bytes(range(120)))
    file.create_dataset("frames", (4, 5, 6), np.uint8, external=[(str(folder / "secret.bin"), 0, 120)])


def virtual(file: Any, folder: Path) -> None:
    written(folder / "other.h5", x=np.ones((4, 5, 6)))
    layout = h5py.VirtualLayout((4, 5, 6), float)
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "x", (4, 5, 6))
    file.create_virtual_dataset("frames", layout)


def linked(file: Any, folder: Path) -> None:
    written(folder / "other.h5", x=np.ones((4, 5, 6)))
    file["frames"] = h5py.ExternalLink(str(folder / "other.h5"), "x")


def claimed(file: Any, folder: Path) -> None:
    file.create_dataset("frames", (10**6, 400, 400), np.uint16, chunks=(1, 400, 400), compression="gzip")


def nested(file: Any, folder: Path) -> None:
    for _ in range(100):
        file = file.create_group("g")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (external, "other files"),
        (virtual, "other files"),
        (linked, "found: no dataset"),
        (claimed, "claims 1000000 frames"),
        (nested, "nested more than"),
    ],
)
def test_only_plain_data_inside_the_file_is_read(tmp_path: Path, make: Any, message: str) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        make(file, tmp_path)
    with pytest.raises(BadCapture, match=message):
        read(tmp_path / "a.h5")


def test_times_that_lie_elsewhere_are_left_out(tmp_path: Path) -> None:
    written(tmp_path / "other.h5", x=np.arange(3.0))
    with h5py.File(written(tmp_path / "a.h5", frames=np.ones((3, 5, 6))), "a") as file:
        file["timestamps"] = h5py.ExternalLink("other.h5", "x")
    assert read(tmp_path / "a.h5")[2] is None
