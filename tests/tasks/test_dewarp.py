"""dewarp: parts that move differently are registered by themselves; a small target is left alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage

from configs.finishing import Dewarp
from storage.captures.readers.ser import write_ser
from storage.models import register, set_stage
from storage.product import Product
from storage.results.truth import beside
from tasks.dewarp import dewarp
from tasks.learning.registry import new_net, weights_in
from tasks.numerics.finishing.local_shifts import warped
from tasks.numerics.judging.metrics import match
from tasks.numerics.simulator.targets import TARGETS
from tasks.products.contents import Stack
from tasks.products.finished_contents import Dewarped
from tests.tasks.conftest import Filmed


def moon() -> NDArray[np.float32]:
    return np.asarray(ndimage.gaussian_filter(TARGETS["moon"](96, np.random.default_rng(7)), 1.2), np.float32)


@pytest.fixture(scope="module")
def shimmering(planet: Any, tmp_path_factory: pytest.TempPathFactory) -> Filmed:
    """The moon, its parts moved by 1.5 px rms in every frame."""
    folder, dice, frames = tmp_path_factory.mktemp("moon"), np.random.default_rng(1), []
    for _ in range(24):
        waves = np.stack([ndimage.gaussian_filter(dice.normal(size=(96, 96)), 14, mode="wrap") for _ in range(2)])
        light = 3000 * warped(moon(), np.asarray(1.5 * waves / waves.std(), np.float32))[:80, :80]
        frames.append(light + 40 + dice.normal(0, 30, light.shape))
    write_ser(folder / "moon.ser", np.clip(np.rint(np.stack(frames)), 0, 4095).astype(np.uint16), 12)
    return Filmed(folder / "moon.ser", folder / "store", optics=beside(planet.path)["config"])


def dewarped_of(filmed: Any, model: str = "", **changed: Any) -> Product:
    settings = Dewarp(**{"mode": "auto", "frames": 16, "patch_px": 16, "step_px": 8, "strength": 1.0, **changed})
    return dewarp(filmed.run, filmed.clean, filmed.stack, filmed.stack, settings, model)


def test_off_passes_the_stack(planet: Any) -> None:
    assert dewarped_of(planet, mode="off") == planet.stack


def test_nearer_to_the_truth_than_the_stack(shimmering: Filmed) -> None:
    with shimmering.store.view(Dewarped, dewarped_of(shimmering)) as found:
        truth = moon()[:80, :80]
        assert match(truth, found.dewarped[0]).psnr_db > match(truth, found.plain[0]).psnr_db + 2
        assert found.figures["detail_classical"] > found.figures["detail_plain"]
        assert found.figures["missed_px_classical"] < 0.4
        assert found.figures["shift_rms_px_classical"] == pytest.approx(1.5, rel=0.3)
        assert len(found.fields) == len(found.numbers) == 16


def test_a_planet_is_left_alone(planet: Any) -> None:
    with planet.store.view(Dewarped, dewarped_of(planet)) as found, planet.store.view(Stack, planet.stack) as stack:
        assert found.used == "none"
        assert "does not fill the field" in found.reason
        assert found.dewarped[:].tobytes() == stack.stack[:].tobytes()


def test_strength_zero_is_the_stack(shimmering: Filmed) -> None:
    with (
        shimmering.store.view(Dewarped, dewarped_of(shimmering, strength=0.0, frames=3)) as found,
        shimmering.store.view(Stack, shimmering.stack) as stack,
    ):
        assert found.dewarped[:].tobytes() == stack.stack[:].tobytes()


@pytest.mark.parametrize("bias", [0.0, 3.0])
def test_held_out_frames_judge_a_model(
    shimmering: Filmed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bias: float
) -> None:
    """One that adds nothing is no worse than the grid; one that moves everything by 3 px blurs nothing, but never returns."""
    monkeypatch.setenv("STILLSKY_MODELS", str(tmp_path))
    net = new_net("dewarp", 4)
    with torch.no_grad():
        list(net.parameters())[-1].fill_(bias)
    card = {"width": 4, "gate": {"passed": True}, "domain": {"relative_sigma": [0, 9], "rms_px": [0, 9]}}
    name = set_stage(register("dewarp", weights_in(net), card, tmp_path), "promoted", tmp_path).hash
    with shimmering.store.view(Dewarped, dewarped_of(shimmering, name, frames=6)) as found:
        assert found.used == ("classical" if bias else "learned"), found.reason
        assert ("there and back" in found.reason or "detail" in found.reason) == bool(bias)
        assert found.learned is not None
