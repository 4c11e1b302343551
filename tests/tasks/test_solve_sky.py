"""solve_sky: nearer to the truth than any average, with the stack's light and no false darkness."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tasks.products.extended_canvas
import tasks.solve_psfs
from tasks.numerics.judging.metrics import psnr
from tasks.products.contents import Sky


@pytest.mark.parametrize("name", ["planet", "rough"])
def test_sky_is_nearer_to_the_truth_than_the_lucky_stack(name: str, request: pytest.FixtureRequest) -> None:
    filmed = request.getfixturevalue(name)
    lucky, sky = filmed.read(filmed.stack, "lucky_stack")[0], filmed.read(filmed.sky, "sky")[0]
    assert psnr(filmed.truth, sky) > psnr(filmed.truth, lucky) + 3


@pytest.mark.parametrize(("name", "share"), [("planet", 0.04), ("rough", 0.1)])
def test_light_is_neither_lost_nor_made(name: str, share: float, request: pytest.FixtureRequest) -> None:
    """Strong air throws light over the frame's border, from where the sky gets some of it back."""
    filmed = request.getfixturevalue(name)
    stack = filmed.read(filmed.stack, "stack")
    for _, sky in filmed.rounds:
        assert filmed.read(sky, "sky").sum() == pytest.approx(stack.sum(), rel=share)


def test_light_is_the_stacks(planet: Any) -> None:
    stack, sky = planet.read(planet.stack, "stack"), planet.read(planet.sky, "sky")
    assert sky.sum() == pytest.approx(stack.sum(), rel=0.005)


def dark_sky(filmed: Any, margin: int) -> np.ndarray:
    """(y, x) where the truth is dark, away from the frame's border by a margin."""
    dark = filmed.truth < 0.005 * filmed.truth.max()
    inner = np.zeros_like(dark)
    inner[margin : len(dark) - margin, margin : len(dark) - margin] = True
    return dark & inner


def test_background_does_not_brighten_and_has_no_dark_lobes(planet: Any) -> None:
    stack, sky = planet.read(planet.stack, "stack")[0], planet.read(planet.sky, "sky")[0]
    dark = dark_sky(planet, 8)
    assert dark.sum() > 30
    span = float(sky.max() - 8)
    assert sky[dark].mean() <= stack[dark].mean() + 0.002 * span
    assert sky[dark].mean() == pytest.approx(8, abs=0.02 * span)
    assert sky[8:-8, 8:-8].min() > 8 - 0.06 * span


def test_no_lobes_at_the_border_either(planet: Any) -> None:
    sky, dark = planet.read(planet.sky, "sky")[0], dark_sky(planet, 0)
    span = float(sky.max() - 8)
    assert np.abs(sky[dark] - 8).max() < 0.06 * span


def test_every_round_beats_the_lucky_stack(planet: Any) -> None:
    lucky = psnr(planet.truth, planet.read(planet.stack, "lucky_stack")[0])
    for _, sky in planet.rounds:
        assert psnr(planet.truth, planet.read(sky, "sky")[0]) > lucky + 3


@pytest.mark.parametrize(("batch", "starts", "shared"), [(8, 1, 0.0), (16, 2, 1.0), (16, 1, 0.0)])
def test_halves_are_solved_apart(planet: Any, tmp_path: Path, batch: int, starts: int, shared: float) -> None:
    """Every second batch, or every second start of the only one; a lone solve has no other half."""
    filmed, (one, two) = planet.elsewhere(tmp_path), planet.config.rounds
    psfs = {"steps": 5, "batch_frames": batch, "starts": starts}
    found = filmed.psfs_of(filmed.stack, one.psfs.model_copy(update=psfs))
    turn = one.sky.model_copy(update={"cg_iterations": 0})
    sky = filmed.sky_of(found, filmed.stack, turn)
    lone = (batch, starts) == (16, 1)
    power, half = filmed.read(sky, "A/0"), filmed.read(sky, "A_half/0")
    assert (half <= power * 1.001 + 1e-3).all()
    assert half[0, 0] == pytest.approx(16 if lone else 8, rel=1e-3)
    assert filmed.read(sky, "shared_noise_fraction")[0] == shared
    later = filmed.psfs_of(sky, two.psfs.model_copy(update={"steps": 5, "batch_frames": 64}))
    assert filmed.read(later, "half").tolist() == ([0] if lone else [0, 1])  # every half learns something
    last = filmed.sky_of(later, sky, turn)
    frames, kept = filmed.read(last, "A/0")[0, 0], filmed.read(last, "A_half/0")[0, 0]
    assert frames == pytest.approx(len(filmed.read(filmed.stack, "order")), rel=1e-3)
    assert kept == pytest.approx(frames if lone else 8 + (frames - 16) / 2, abs=0.51)
    assert filmed.read(last, "shared_noise_fraction")[0] == pytest.approx(shared * 16 / frames, rel=1e-3)
    noise = [filmed.read(product, "noise")[0] for product in (found, later)]
    assert filmed.read(last, "noise")[0] == pytest.approx(np.average(noise, weights=[16, frames - 16]), rel=1e-3)
    assert len(filmed.read(last, "misfits")[0]) == len(filmed.read(last, "frames"))


def test_a_half_never_learns_of_the_other(planet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filmed, (one, two) = planet.elsewhere(tmp_path), planet.config.rounds
    found = filmed.psfs_of(filmed.stack, one.psfs.model_copy(update={"steps": 5, "batch_frames": 8}))
    sky = filmed.sky_of(found, filmed.stack, one.sky)
    held: list[np.ndarray] = []
    begin = tasks.solve_psfs.PSF_MODELS["pupil"].begin

    def noted(batch: Any, plan: Any) -> Any:
        held.append(batch.others.cross.numpy())
        return begin(batch, plan)

    row = tasks.solve_psfs.PSF_MODELS["pupil"]._replace(begin=noted)
    monkeypatch.setitem(tasks.solve_psfs.PSF_MODELS, "pupil", row)
    filmed.psfs_of(sky, two.psfs.model_copy(update={"steps": 5, "batch_frames": 6}))
    whole, half = filmed.read(sky, "B/0"), filmed.read(sky, "B_half/0")
    np.testing.assert_allclose(held[0], half)
    np.testing.assert_allclose(held[1], whole - half)


def test_colour_capture_gives_a_sky_per_channel_on_its_own_grid(coloured: Any) -> None:
    sky, stack = coloured.read(coloured.sky, "sky"), coloured.read(coloured.stack, "stack")
    assert sky.shape == stack.shape == (3, 48, 64)
    np.testing.assert_allclose(sky.sum((1, 2)), stack.sum((1, 2)), rtol=0.05)
    likeness = np.corrcoef(sky.reshape(3, -1))
    assert likeness.min() > 0.9


def test_a_round_without_frames_of_its_own_keeps_the_sky(planet: Any) -> None:
    """Every frame was taken in the rounds before: nothing is left, and the sums stay."""
    psfs = planet.psfs_of(planet.sky, planet.config.rounds[1].psfs)
    assert not len(planet.read(psfs, "frames"))
    again = planet.sky_of(psfs, planet.sky, planet.config.rounds[1].sky)
    np.testing.assert_allclose(planet.read(again, "sky"), planet.read(planet.sky, "sky"), rtol=1e-4, atol=0.1)


def test_a_wide_canvas_that_does_not_fit_is_done_in_smaller_blocks(
    planet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (psfs, sky), turn = planet.rounds[0], planet.config.rounds[0].sky
    wanted = planet.read(sky, "sky")
    filmed = planet.elsewhere(tmp_path)
    (psfs, _), paste = filmed.rounds[0], tasks.products.extended_canvas.paste

    def cramped(frames: Any, *others: Any) -> Any:
        if len(frames) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return paste(frames, *others)

    filmed.store.remove(sky)
    monkeypatch.setattr(tasks.products.extended_canvas, "paste", cramped)
    assert filmed.sky_of(psfs, filmed.stack, turn) == sky
    np.testing.assert_allclose(filmed.read(sky, "sky"), wanted, rtol=1e-3, atol=1e-3 * wanted.max())
    with filmed.store.view(Sky, sky) as found:
        assert found.notes[-1] == "blocks of 4 frames ran out of memory; done in blocks of 2"


def test_psfs_of_all_rounds_are_kept(planet: Any) -> None:
    (first, one), (psfs, two) = planet.rounds
    kept, new = planet.read(one, "psfs/0"), planet.read(psfs, "psfs/0")
    assert len(new)
    np.testing.assert_array_equal(kept, planet.read(first, "psfs/0"))
    np.testing.assert_array_equal(planet.read(two, "psfs/0"), np.concatenate([kept, new]))
    frames = [planet.read(product, "frames") for product in (first, psfs)]
    np.testing.assert_array_equal(planet.read(two, "frames"), np.concatenate(frames))
