"""ingest keeps every code, says what is wrong with a frame, and refuses in words what cannot be solved."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import tasks.ingest
from configs.load import load_config
from storage.captures.capture import capture_at
from storage.captures.readers import Header, open_capture
from storage.captures.readers.ser import write_ser
from storage.errors import BadCapture, Unsettled
from storage.product import Product
from storage.store import Store
from tasks.ingest import ingest
from tasks.products.contents import Frames
from tasks.products.frames import CalibratedFrames, reasons
from tasks.running.step import Run

Codes = NDArray[np.uint16]


@pytest.fixture
def codes() -> Codes:
    """Twelve different frames (frame, y, x) of 12 bits: a blob on a dark sky."""
    y, x = np.indices((20, 24))
    blob = 1500 * np.exp(-((y - 9) ** 2 + (x - 12) ** 2) / 18)
    noise = np.random.default_rng(0).normal(40, 4, (12, 20, 24))
    return np.rint(blob + noise).astype(np.uint16)


def taken(store: Store, path: Path, dark: Path | None = None, flat: Path | None = None, block: int = 5) -> Product:
    settings = load_config(overrides=[f"ingest.block_frames={block}"]).ingest
    return ingest(Run(store), capture_at(path, dark, flat), settings)


def filmed(path: Path, codes: Codes) -> Path:
    write_ser(path, codes, 12)
    return path


def test_raw_is_lossless(store: Store, tmp_path: Path, codes: Codes) -> None:
    with store.open(taken(store, filmed(tmp_path / "a.ser", codes))) as file:
        assert file["raw"].dtype == np.uint16
        np.testing.assert_array_equal(file["raw"][:, 0], codes)
        assert not file["flags"][:].any()
        assert file.attrs["capture"] == "a.ser"


def test_spoiled_frames_are_marked_with_reasons(spoiled: Any) -> None:
    flags = spoiled.read(spoiled.frames, "flags")
    found = {k: reasons(int(flags[k])) for k in np.flatnonzero(flags)}
    assert found == {5: ["black"], 9: ["duplicate"], 13: ["saturated"]}


def test_truncated_ser_keeps_whole_frames_and_says_so(store: Store, tmp_path: Path, codes: Codes) -> None:
    path = filmed(tmp_path / "cut.ser", codes)
    path.write_bytes(path.read_bytes()[: 178 + 9 * codes[0].nbytes + 100])
    with store.open(taken(store, path)) as file:
        np.testing.assert_array_equal(file["raw"][:, 0], codes[:9])
        assert json.loads(file.attrs["facts"])["truncated"] == "3"


def test_dark_and_flat_are_applied(store: Store, tmp_path: Path, codes: Codes) -> None:
    shade = np.linspace(0.5, 1.0, 24)[None, :]
    pattern = np.random.default_rng(2).integers(20, 30, (20, 24))
    seen = np.rint(codes * shade + pattern).astype(np.uint16)
    dark = filmed(tmp_path / "dark.ser", np.repeat(pattern[None], 3, 0).astype(np.uint16))
    flat = filmed(tmp_path / "flat.ser", np.rint(np.full((2, 20, 24), 2000.0) * shade).astype(np.uint16))
    product = taken(store, filmed(tmp_path / "a.ser", seen), dark, flat)
    with store.view(Frames, product) as frames:
        np.testing.assert_array_equal(frames.raw[:, 0], seen)  # calibrated when read, never on disk
        light = CalibratedFrames(frames).read(0, 12)[:, 0]
    ratio = light / codes
    np.testing.assert_allclose(ratio / np.median(ratio), 1, atol=0.06)
    assert abs(np.median(ratio[..., :4]) / np.median(ratio[..., -4:]) - 1) < 0.01


def test_calibration_is_part_of_the_products_name(store: Store, tmp_path: Path, codes: Codes) -> None:
    path, dark = filmed(tmp_path / "a.ser", codes), filmed(tmp_path / "dark.ser", codes[:2] // 50)
    assert taken(store, path) != taken(store, path, dark)


@pytest.mark.parametrize("name", ["dark", "flat"])
def test_calibration_of_another_shape_is_refused_with_both(
    name: str, store: Store, tmp_path: Path, codes: Codes
) -> None:
    other = filmed(tmp_path / "other.ser", codes[:, :16])
    with pytest.raises(BadCapture, match=r"\(1, 16, 24\).*\(1, 20, 24\)") as caught:
        taken(store, filmed(tmp_path / "a.ser", codes), **{name: other})
    assert name in str(caught.value)
    assert not store.entries()


def test_a_flat_without_light_is_refused(store: Store, tmp_path: Path, codes: Codes) -> None:
    black = filmed(tmp_path / "flat.ser", np.zeros_like(codes[:2]))
    with pytest.raises(BadCapture, match="no light"):
        taken(store, filmed(tmp_path / "a.ser", codes), flat=black)


def test_a_mosaic_keeps_its_pattern(store: Store, tmp_path: Path, codes: Codes) -> None:
    write_ser(tmp_path / "bayer.ser", codes, 12, bayer="GBRG")
    with store.view(Frames, taken(store, tmp_path / "bayer.ser")) as frames:
        assert frames.mosaic == "GBRG"
        np.testing.assert_array_equal(frames.raw[:, 0], codes)


def test_a_file_that_does_not_say_is_told_its_mosaic(store: Store, tmp_path: Path, codes: Codes) -> None:
    capture = capture_at(filmed(tmp_path / "raw.ser", codes), mosaic="RGGB")
    with store.view(Frames, ingest(Run(store), capture, load_config().ingest)) as frames:
        assert frames.mosaic == "RGGB"
    assert capture.identity != capture_at(tmp_path / "raw.ser").identity


def test_other_mosaics_are_refused_in_words(store: Store, tmp_path: Path, codes: Codes) -> None:
    write_ser(tmp_path / "cmyg.ser", codes, 12, bayer="CYYM")
    with pytest.raises(BadCapture, match=r"mosaic CYYM.*convert"):
        taken(store, tmp_path / "cmyg.ser")
    write_ser(tmp_path / "rgb.ser", np.repeat(codes[:, None], 3, axis=1), 12)
    with pytest.raises(BadCapture, match=r"3 channels have no mosaic"):
        ingest(Run(store), capture_at(tmp_path / "rgb.ser", mosaic="RGGB"), load_config().ingest)


def test_png_frames_are_read_as_linear_light(store: Store, tmp_path: Path, codes: Codes) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    pictures = np.clip(codes / 8, 0, 255).astype(np.uint8)
    for k, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{k}.png")
    with store.view(Frames, taken(store, folder)) as frames:
        assert frames.response is not None
        table = frames.response[:]
        np.testing.assert_array_equal(frames.raw[:, 0], pictures)
        np.testing.assert_array_equal(CalibratedFrames(frames).read(0, 12)[:, 0], table[pictures])
    assert table.shape == (256,)
    assert (np.diff(table) > 0).all()
    assert table[[0, 255]] == pytest.approx([0, 255])
    assert table[128] == pytest.approx(255 * 0.2159, rel=0.01)  # sRGB: half the code is a fifth of the light


def test_fewer_than_four_usable_frames_are_refused(store: Store, tmp_path: Path, codes: Codes) -> None:
    repeated = np.concatenate([codes[:3], codes[:3], codes[:2]])
    with pytest.raises(BadCapture, match=r"3 usable frames of 8 .*at least 4"):
        taken(store, filmed(tmp_path / "few.ser", repeated))
    assert not store.entries()
    taken(store, filmed(tmp_path / "enough.ser", codes[:4]))


@dataclass
class Watched:
    """A reader that notes how it is asked."""

    reader: Any
    sizes: list[int] = field(default_factory=list)
    largest: int = 0

    @property
    def header(self) -> Header:
        return self.reader.header

    @property
    def timestamps(self) -> None:
        return None

    def blocks(self, size: int) -> Iterator[NDArray[Any]]:
        self.sizes.append(size)
        for block in self.reader.blocks(size):
            self.largest = max(self.largest, len(block))
            yield block


def test_frames_stream_through_memory_block_by_block(
    store: Store, tmp_path: Path, codes: Codes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = filmed(tmp_path / "a.ser", codes)
    with open_capture(path) as reader:
        watched = Watched(reader)

        class Lent:
            def __enter__(self) -> Watched:
                return watched

            def __exit__(self, *error: object) -> None:
                return None

        monkeypatch.setattr(tasks.ingest, "open_capture", lambda path: Lent())
        product = taken(store, path, block=5)
    assert watched.sizes == [5]
    assert watched.largest == 5
    with store.open(product) as file:
        assert file["raw"].shape[0] == 12
        assert file["raw"].chunks[0] == 1


def test_block_size_is_no_part_of_the_result(tmp_path: Path, codes: Codes) -> None:
    path = filmed(tmp_path / "a.ser", np.concatenate([codes, codes[:2]]))
    found = []
    for block in (1, 32):
        store = Store(tmp_path / f"store{block}")
        product = taken(store, path, block=block)
        with store.open(product) as file:
            found.append((product, file["raw"][:], file["flags"][:], file["flux"][:]))
    assert found[0][0] == found[1][0]
    for one, two in zip(found[0][1:], found[1][1:], strict=True):
        np.testing.assert_array_equal(one, two)
    assert found[0][2][-2:].all()  # a repetition is seen across blocks


def test_a_capture_that_changes_while_it_is_read_leaves_nothing(store: Store, tmp_path: Path, codes: Codes) -> None:
    """Frames of one file must not pass for those of another."""
    capture = capture_at(filmed(tmp_path / "a.ser", codes))
    filmed(tmp_path / "a.ser", codes + 1)
    with pytest.raises(Unsettled, match="changed while it was read"):
        ingest(Run(store), capture, load_config().ingest)
    assert store.entries() == []


def test_an_exposure_told_by_others_is_that_of_the_frames(store: Store, tmp_path: Path, codes: Codes) -> None:
    path = filmed(tmp_path / "a.ser", codes)
    plain, told = (ingest(Run(store), capture_at(path, exposure_s=e), load_config().ingest) for e in (None, 0.005))
    assert plain != told
    with store.view(Frames, told) as frames, store.view(Frames, plain) as other:
        assert float(frames.facts["exposure"]) == 0.005
        assert "exposure" not in other.facts
