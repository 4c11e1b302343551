"""What every reader promises, held against all of them: one writer row per format."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import run
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from storage.captures import readers
from storage.captures.readers import READERS, fingerprint, format_of, open_capture
from storage.captures.readers.ser import write_ser
from storage.errors import BadCapture, StillskyError

FRAMES = np.random.default_rng(1).integers(0, 4096, (11, 18, 22)).astype(np.uint16)


def ser(folder: Path) -> Path:
    write_ser(folder / "capture.ser", FRAMES, 12)
    return folder / "capture.ser"


def fits(folder: Path) -> Path:
    from astropy.io import fits

    fits.PrimaryHDU(FRAMES).writeto(folder / "capture.fits")
    return folder / "capture.fits"


def video(folder: Path) -> Path:
    import av

    with av.open(str(folder / "capture.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 18, 22, "gray16le"
        for frame in FRAMES:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray16le")))
        container.mux(stream.encode())
    return folder / "capture.mkv"


def images(folder: Path) -> Path:
    from PIL import Image

    (folder / "capture").mkdir()
    for k, frame in enumerate(FRAMES, start=1):
        Image.fromarray(frame).save(folder / "capture" / f"{k}.png")
    return folder / "capture"


def hdf5(folder: Path) -> Path:
    import h5py

    with h5py.File(folder / "capture.h5", "w") as file:
        file["frames"] = FRAMES
    return folder / "capture.h5"


WRITERS: dict[str, Callable[[Path], Path]] = {
    "ser": ser,
    "fits": fits,
    "video": video,
    "images": images,
    "hdf5": hdf5,
}


@pytest.fixture(params=READERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def path(name: str, tmp_path: Path) -> Path:
    return WRITERS[name](tmp_path)


def everything(path: Path, size: int = 4) -> NDArray[Any]:
    with open_capture(path) as capture:
        return np.concatenate(list(capture.blocks(size)))


def test_every_reader_has_a_writer_here() -> None:
    assert WRITERS.keys() == READERS.keys()


def test_the_format_is_recognised(name: str, path: Path) -> None:
    assert format_of(path).name == name


def test_the_format_is_recognised_without_its_suffix(name: str, path: Path) -> None:
    bare = path.rename(path.parent / "nameless")
    assert format_of(bare).name == name
    assert np.array_equal(everything(bare)[:, 0], FRAMES)


def test_header_tells_what_the_blocks_are(path: Path) -> None:
    with open_capture(path) as capture:
        header, blocks = capture.header, list(capture.blocks(4))
    assert header.frames in (None, 11)
    assert header.shape == (1, 18, 22)
    assert header.full_scale in (4095.0, 65535.0)
    assert (header.bayer, header.gamma) == (None, False)
    assert [block.shape for block in blocks] == [(4, 1, 18, 22), (4, 1, 18, 22), (3, 1, 18, 22)]
    assert all(block.dtype == header.dtype == np.uint16 and block.dtype.isnative for block in blocks)
    assert all(isinstance(value, str) for value in header.meta.values())


def test_codes_and_orientation_are_the_cameras_own(path: Path) -> None:
    assert np.array_equal(everything(path)[:, 0], FRAMES)


def test_frames_can_be_asked_for_again_in_other_blocks(path: Path) -> None:
    with open_capture(path) as capture:
        once, again = list(capture.blocks(3)), list(capture.blocks(100))
    assert len(again) == 1
    assert np.array_equal(np.concatenate(once), again[0])


def test_blocks_of_nothing_are_refused(path: Path) -> None:
    with open_capture(path) as capture, pytest.raises(ValueError, match="at least 1"):
        next(capture.blocks(0))


def test_fingerprint_is_of_the_content_not_the_name(path: Path) -> None:
    mark = fingerprint(path)
    moved = path.rename(path.with_stem("moved"))
    assert fingerprint(moved) == mark
    victim = sorted(moved.iterdir())[0] if moved.is_dir() else moved
    data = bytearray(victim.read_bytes())
    data[-1] ^= 1
    victim.write_bytes(data)
    assert fingerprint(moved) != mark


def test_missing_capture_says_so(name: str, tmp_path: Path) -> None:
    for attempt in (fingerprint, format_of, everything):
        with pytest.raises(BadCapture, match=r"nowhere.*check the name"):
            attempt(tmp_path / "nowhere.ser")
    with pytest.raises(FileNotFoundError), READERS[name].open(tmp_path / "nowhere"):
        pass


def test_unreadable_file_says_how_to_open_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *args: Any, **kwargs: Any) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    for attempt in (fingerprint, everything):
        with pytest.raises(BadCapture, match=r"not allowed to read it; grant reading"):
            attempt(path)


def test_failing_disk_is_worth_another_try(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, *args: Any, **kwargs: Any) -> None:
        raise OSError(5, "Input/output error", str(self))

    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(StillskyError, match="check its disk") as caught:
        fingerprint(path)
    assert not isinstance(caught.value, BadCapture)


def test_garbage_with_the_right_suffix_is_a_bad_capture(name: str, path: Path) -> None:
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        file.write_bytes(b"not at all what the name says " * 20)
    with pytest.raises(BadCapture):
        everything(path)


def test_file_cut_short_never_passes_for_whole(path: Path) -> None:
    file = sorted(path.iterdir())[-1] if path.is_dir() else path
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 6 // 10])
    try:
        with open_capture(path) as capture:
            found = len(np.concatenate(list(capture.blocks(4))))
            promised = capture.header.frames
            missing = int(capture.header.meta.get("truncated", 0))
    except BadCapture:
        return
    assert found < 11
    assert found == promised or promised is None
    assert missing == 11 - found or promised is None


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_neither_file_nor_folder_is_refused_before_it_is_opened(path: Path, kind: str) -> None:
    odd = path.with_name(f"odd{path.suffix}")
    if kind == "pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to("/dev/zero")
    for attempt in (fingerprint, format_of, everything):
        with pytest.raises(BadCapture, match="neither a file nor a folder"):
            attempt(odd)


def test_blocks_are_no_larger_than_memory_allows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MAX_BLOCK_BYTES", 2 * FRAMES[0].nbytes)
    with open_capture(path) as capture:
        assert [len(block) for block in capture.blocks(10)] == [2] * 5 + [1]


def test_errors_of_the_user_of_a_capture_pass_through(path: Path) -> None:
    with pytest.raises(OSError, match="disk full"), open_capture(path):
        raise OSError("disk full")


def test_empty_file_and_strange_file_name_what_is_supported(tmp_path: Path) -> None:
    empty, strange = tmp_path / "a.ser", tmp_path / "notes.txt"
    empty.touch()
    strange.write_text("seeing was poor")
    with pytest.raises(BadCapture, match="0 bytes"):
        format_of(empty)
    with pytest.raises(BadCapture, match=r"notes\.txt.*SER.*FITS.*AVI.*PNG.*HDF5"):
        format_of(strange)


def test_importing_readers_loads_no_format_library() -> None:
    heavy = "{'h5py', 'astropy', 'av', 'tifffile', 'PIL'}"
    code = f"import sys, storage.captures.readers; print(sorted({heavy} & set(sys.modules)))"
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
