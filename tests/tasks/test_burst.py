"""burst: frames cleaned from the others, with errors that are true; the sky knows nothing of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from configs.finishing import Burst
from storage.models import register, set_stage
from storage.product import Product
from tasks.burst import burst
from tasks.learning.registry import new_net, weights_in
from tasks.products.clean_frames import open_clean_frames
from tasks.products.contents import Stack
from tasks.products.finished_contents import Movie
from tasks.products.registered import Registered, around_the_sharpest
from tasks.running.step import Work


def movie_of(filmed: Any, model: str = "", **changed: Any) -> Product:
    settings = Burst(**{"mode": "auto", "frames": 12, "strength": 1.0, **changed})
    return burst(filmed.run, filmed.clean, filmed.stack, filmed.stack, settings, model)


def test_off_passes_the_stack(planet: Any) -> None:
    assert movie_of(planet, mode="off") == planet.stack


def test_less_noise_and_all_that_is_known_of_it(planet: Any) -> None:
    with planet.store.view(Movie, movie_of(planet)) as movie:
        (row,) = movie.figures
        assert movie.movie.shape == movie.sigma.shape == (12, 1, 64, 64)
        assert row["rms_error_classical"] < row["noise"]
        assert float(np.median(movie.sigma[:])) < row["noise"]
        assert movie.used == "classical"
        assert len(movie.methods) == 12


def test_strength_zero_is_the_registered_frames(planet: Any) -> None:
    with planet.store.view(Movie, movie_of(planet, strength=0.0)) as movie:
        work = Work(planet.run, planet.stack, {}, "test")
        with (
            open_clean_frames(work, planet.clean) as clean,
            planet.store.view(Stack, planet.stack) as stack,
        ):
            numbers = around_the_sharpest(stack, 12)
            frames = Registered(clean, stack).frames(numbers)
        assert movie.movie[:].tobytes() == frames.tobytes()
        assert np.array_equal(movie.numbers[:], numbers)


@pytest.mark.parametrize("bias", [0.0, 0.4])
def test_frames_that_a_model_has_not_seen_judge_it(
    planet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bias: float
) -> None:
    monkeypatch.setenv("STILLSKY_MODELS", str(tmp_path))
    net = new_net("burst", 4)
    with torch.no_grad():
        list(net.parameters())[-1].fill_(bias)
    card = {"width": 4, "gate": {"passed": True}, "domain": {"relative_sigma": [0.0, 1.0]}}
    name = set_stage(register("burst", weights_in(net), card, tmp_path), "promoted", tmp_path).hash
    with planet.store.view(Movie, movie_of(planet, name)) as movie:
        (row,) = movie.figures
        # In independent turbulence no frame follows from the others: non-local means of each frame is better, and shown.
        assert "of the noise in the frames" in movie.reason
        assert (movie.used, movie.model) == ("classical", "")
        assert row["rms_error_learned"] > row["rms_error_classical"]
        assert movie.learned is not None


def test_every_colour(coloured: Any) -> None:
    with coloured.store.view(Movie, movie_of(coloured, frames=5)) as movie:
        assert movie.movie.shape[:2] == (5, 3)
        assert np.isfinite(movie.sigma[:]).all()
