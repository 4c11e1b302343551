"""fill: missing pixels come back; what is not missing, and the sky, stay bit by bit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from configs.finishing import Burst, Fill
from storage.captures.readers.ser import write_ser
from storage.models import register, set_stage
from storage.product import Product
from storage.results.truth import beside
from tasks.burst import burst
from tasks.fill import fill
from tasks.learning.registry import new_net, weights_in
from tasks.products.clean_frames import open_clean_frames
from tasks.products.contents import Stack
from tasks.products.finished_contents import Filled, Movie
from tasks.products.registered import open_filled, whole_frame
from tasks.running.step import Work
from tests.tasks.conftest import Filmed

BLOCK = (slice(28, 36), slice(30, 37))


@pytest.fixture(scope="module")
def torn(planet: Any, tmp_path_factory: pytest.TempPathFactory) -> Filmed:
    """The planet; a block of every fourth frame was lost in transfer, and a column of the sensor is dead."""
    folder, codes = tmp_path_factory.mktemp("torn"), planet.raw[:, 0].copy()
    codes[:, :, 33] = 0
    codes[::4, *BLOCK] = 0
    write_ser(folder / "torn.ser", codes, 12)
    return Filmed(folder / "torn.ser", folder / "store", optics=beside(planet.path)["config"])


def filled_of(filmed: Any, model: str = "", **changed: Any) -> Product:
    settings = Fill(**{"mode": "auto", "strength": 1.0, **changed})
    return fill(filmed.run, filmed.frames, filmed.clean, filmed.mean, filmed.stack, settings, model)


def frame_of(filmed: Any, number: int, product: Product | None = None) -> Any:
    work = Work(filmed.run, filmed.stack, {}, "test")
    with (
        open_clean_frames(work, filmed.clean) as clean,
        open_filled(work, product or filmed.stack) as pixels,
    ):
        return whole_frame(clean, number, pixels)[0]


def torn_frame(filmed: Any) -> int:
    """A usable frame with a lost block."""
    with filmed.store.view(Stack, filmed.stack) as stack:
        return int(next(k for k in range(0, 32, 4) if not stack.flags[k]))


def test_off_passes_the_stack(planet: Any) -> None:
    assert filled_of(planet, mode="off") == planet.stack


def test_a_lost_block_comes_back(torn: Filmed, planet: Any) -> None:
    number = torn_frame(torn)
    whole, holed, true = frame_of(torn, number, filled_of(torn)), frame_of(torn, number), frame_of(planet, number)
    contrast = float(np.ptp(true))
    assert np.sqrt(np.mean((whole - true)[BLOCK] ** 2)) < 0.12 * contrast
    assert np.sqrt(np.mean((holed - true)[BLOCK] ** 2)) > 0.3 * contrast
    outside = np.ones(whole.shape, bool)
    outside[BLOCK] = outside[:, 33] = False
    assert whole[outside].tobytes() == holed[outside].tobytes()


def test_hidden_good_pixels_say_how_well(torn: Filmed) -> None:
    with torn.store.view(Filled, filled_of(torn)) as found:
        assert found.used == "classical"
        assert found.figures["rms_error_classical"] < found.figures["rms_error_surface"]
        assert found.figures["hole_px"] >= 1


def test_strength_zero_leaves_the_frames(torn: Filmed) -> None:
    number = torn_frame(torn)
    assert frame_of(torn, number, filled_of(torn, strength=0.0)).tobytes() == frame_of(torn, number).tobytes()


def test_a_mosaic_and_a_perfect_capture_are_left_alone(planet: Any) -> None:
    with planet.store.view(Filled, filled_of(planet)) as found:
        assert found.used == "none" or len(found.pixels) > 0


def test_the_movie_is_made_of_whole_frames(torn: Filmed) -> None:
    settings = Burst(mode="classical", frames=8, strength=0.0)
    pairs = []
    for pixels in (torn.stack, filled_of(torn)):
        product = burst(torn.run, torn.clean, torn.stack, pixels, settings)
        with torn.store.view(Movie, product) as movie:
            pairs.append(movie.movie[:])
    assert not np.array_equal(*pairs)


@pytest.mark.parametrize("bias", [0.0, 2.0])
def test_hidden_good_pixels_judge_a_model(
    torn: Filmed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bias: float
) -> None:
    monkeypatch.setenv("STILLSKY_MODELS", str(tmp_path))
    net = new_net("fill", 4)
    with torch.no_grad():
        list(net.parameters())[-1].fill_(bias)
    card = {"width": 4, "gate": {"passed": True}, "domain": {"hole_px": [0, 99]}}
    name = set_stage(register("fill", weights_in(net), card, tmp_path), "promoted", tmp_path).hash
    with torn.store.view(Filled, filled_of(torn, name)) as found:
        assert found.learned is not None
        assert (
            found.used == "classical"
            if bias
            else found.figures["rms_error_learned"] == pytest.approx(found.figures["rms_error_classical"], rel=1e-3)
        )
        if bias:
            assert "hidden" in found.reason
