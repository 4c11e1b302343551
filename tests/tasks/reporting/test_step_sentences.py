"""What logs say of a finished step: figures of its product, whatever was left out or could not be judged."""

from typing import Any

import numpy as np
import pytest

from storage.product import Product
from tasks.products.contents import STEPS
from tasks.products.frames import flag
from tasks.reporting.step_sentences import SENTENCES, left_out, of_noise, step_sentence


def test_every_step_says_what_it_found() -> None:
    assert {name: kind for name, (kind, _) in SENTENCES.items()} == {kind.step: kind for kind in STEPS}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("frames", "32 frames of 64 x 64"),
        ("mean", "adu per pixel, 0 bad pixels"),
        ("clean", "no pixel had to be filled"),
        ("shifts", "px rms"),
        ("stack", " of 32 frames kept, "),
        ("seeing", "D/r0 "),
        ("psfs", "PSFs of 10 frames; the sky of a batch explains them to "),
        ("sky", "sky of 26 frames, explained to "),
        ("result", "held-out frames: the sky explains them to "),
    ],
)
def test_the_sentence_has_the_figures_of_the_product(planet: Any, name: str, said: str) -> None:
    product = planet.rounds[-1][0] if name == "psfs" else getattr(planet, name)
    assert said in step_sentence(planet.store, product)


def test_the_seeing_is_that_of_the_product(planet: Any) -> None:
    strength = planet.read(planet.seeing, "d_over_r0")[0]
    assert step_sentence(planet.store, planet.seeing).startswith(f"D/r0 {strength:.1f} ± ")


def test_nothing_is_said_of_what_is_no_step_of_the_recipe(planet: Any) -> None:
    assert step_sentence(planet.store, Product("known_psfs", "0" * 32)) == ""


def test_frames_left_out_are_counted_by_reason() -> None:
    flags = np.array([0, flag("black"), flag("black") | flag("streak"), 0], np.uint8)
    assert left_out(flags) == "; left out: 2 black, 1 streak"
    assert left_out(np.zeros(3, np.uint8)) == ""


def test_misfits_of_frames_that_could_not_be_judged_do_not_count() -> None:
    assert of_noise(np.array([[1.0, np.nan, 3.0]])) == "2.00 of their noise"
    assert of_noise(np.full((1, 2), np.nan)) == "an unknown multiple of their noise"
