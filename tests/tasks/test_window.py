"""A small target on a large black frame: only a window is kept, and every later step finds what it finds in whole frames."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

import tasks.calibrate
from configs.load import load_config
from storage.captures.capture import capture_at
from storage.captures.readers.ser import write_ser
from storage.store import Store
from tasks.align import align
from tasks.average import average
from tasks.calibrate import calibrate
from tasks.ingest import ingest
from tasks.products.clean_frames import box_of, clean_frames
from tasks.products.contents import Clean, Stack
from tasks.products.cutout import cutout_of
from tasks.products.registered import placed_frame
from tasks.running.step import Run
from tasks.shift_average import shift_average

HEIGHT, WIDTH, COUNT = 340, 520, 14
Found = tuple[Stack, Clean]


def film() -> np.ndarray:  # type: ignore[type-arg]
    """(frame, y, x) a spotted disc that drifts, and a star beside it."""
    dice = np.random.default_rng(0)
    y, x = np.indices((HEIGHT, WIDTH))
    frames = []
    for k in range(COUNT):
        a, b = 150.3 + 0.7 * k, 200 + 1.1 * k
        light = 150 * (np.hypot(y - a, x - b) < 22) * (1 + 0.3 * np.sin((y - a) / 2) * np.sin((x - b) / 3))
        light = ndimage.gaussian_filter(light + 3000 * ((y == round(a) + 40) & (x == round(b))), 1.5)
        frames.append(np.clip(np.rint(20 + light + dice.normal(0, 1.5, light.shape)), 0, 255))
    return np.array(frames, np.uint8)


def stacked(run: Run, path: Path, mosaic: str) -> tuple[Store, Stack, Clean]:
    """The stack and the clean frames of a capture."""
    config = load_config(overrides=["telescope.wavelength_nm=550"])
    frames = ingest(run, capture_at(path, mosaic=mosaic), config.ingest)
    mean = average(run, frames, config.average)
    clean = calibrate(run, frames, mean)
    shifts = align(run, clean, config.align)
    return clean, shift_average(run, clean, mean, shifts, config.telescope, config.shift_average)


@pytest.fixture(scope="module", params=["", "RGGB"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Found]]:
    """The open products of whole frames, and of the window."""
    folder = tmp_path_factory.mktemp("window")
    write_ser(folder / "planet.ser", film(), 8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks.calibrate, "lit_window", lambda mean, *_: (slice(0, HEIGHT), slice(0, WIDTH)))
        whole = Run(Store(folder / "whole"))
        first = stacked(whole, folder / "planet.ser", request.param)
    cut = Run(Store(folder / "cut"))
    second = stacked(cut, folder / "planet.ser", request.param)
    with (
        whole.store.view(Clean, first[0]) as a,
        whole.store.view(Stack, first[1]) as b,
        cut.store.view(Clean, second[0]) as c,
        cut.store.view(Stack, second[1]) as d,
    ):
        yield [(b, a), (d, c)]


def test_only_the_window_is_kept(both: list[Found]) -> None:
    (_, whole), (stack, cut) = both
    assert whole.beyond is None
    assert cut.codes.shape[2] == cut.codes.shape[3] == 256
    assert stack.window == cut.window
    seen, frames = clean_frames(cut), clean_frames(whole).read(0, COUNT)
    assert seen.shape == (COUNT, 1, HEIGHT, WIDTH)
    box = seen.window
    np.testing.assert_array_equal(seen.inside.read(0, COUNT), frames[:, :, *box])
    found = seen.read(3, 5)
    np.testing.assert_array_equal(found[:, :, *box], frames[3:5, :, *box])
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[box] = False
    assert np.abs(found[:, 0, outside] - 20).max() < 3, "the mean frame stands outside"


def test_shifts_and_ranks_are_those_of_whole_frames(both: list[Found]) -> None:
    (whole, _), (cut, _) = both
    change = cut.shifts[:] - whole.shifts[:]
    assert np.abs(change - change.mean(axis=0)).max() < 0.05
    assert len(set(cut.order[:5]) & set(whole.order[:5])) >= 3


def test_stack_and_frames_are_those_of_whole_frames(both: list[Found]) -> None:
    (whole, all_frames), (cut, some) = both
    assert cut.stack.shape == whole.stack.shape
    box = box_of(cut.window or [])
    scale = np.ptp(whole.stack[:])
    assert np.abs(cut.stack[:, *box] - whole.stack[:, *box]).max() < 0.02 * scale
    assert np.abs(cut.stack[:] - whole.stack[:]).max() < 0.05 * scale
    one, other = (cutout_of(stack, 0) for stack in (whole, cut))
    assert one.box == other.box
    numbers = np.array([2, 9, 5])
    pictures = [c.frames(clean_frames(f), numbers) for c, f in ((one, all_frames), (other, some))]
    np.testing.assert_allclose(pictures[1], pictures[0], atol=0.03 * scale)


def test_a_registered_frame_is_whole(both: list[Found]) -> None:
    (whole, all_frames), (cut, some) = both
    moved = [placed_frame(clean_frames(f), s, 4) for s, f in ((whole, all_frames), (cut, some))]
    assert moved[0].shape == moved[1].shape
    part = (slice(None), slice(120, 220), slice(160, 260))
    assert np.abs(moved[1][part] - moved[0][part]).max() < 0.05 * np.ptp(moved[0])
