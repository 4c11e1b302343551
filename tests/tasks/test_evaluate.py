"""evaluate publishes the sky only where unseen frames prefer it to the stack."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tasks.evaluate
from configs.load import load_config
from storage.product import Product
from tasks.numerics.judging.heldout import fit_frames
from tasks.numerics.judging.unexplained import unexplained_frames
from tasks.products.contents import Evaluated, Sky
from tasks.reporting.report import describe
from tasks.running.step import Work, step


def channels(filmed: Any, result: Product) -> list[dict[str, Any]]:
    """The figures of every channel."""
    with filmed.store.view(Evaluated, result) as judged:
        found: list[dict[str, Any]] = judged.figures["channels"]
    return found


@step(version="sabotage")
def solve_sky(work: Work, sky: Product, stack: Product, only: str) -> None:
    """A solve that went wrong: the sky of the last round, its negative where it is judged or turned over where published."""
    with work.open(Sky, sky) as good:
        if only == "sky":
            work.save(replace(good, sky=good.sky[:][..., ::-1]))
        else:
            spectrum = -good.spectrum[:]
            spectrum[:, 0, 0] *= -1
            work.save(replace(good, spectrum=spectrum))


def test_a_good_sky_is_published(planet: Any) -> None:
    result = planet.result
    assert planet.note(result, "verdict") == "sky"
    np.testing.assert_array_equal(planet.read(result, "published"), planet.read(planet.sky, "sky"))
    np.testing.assert_array_equal(planet.read(result, "sky"), planet.read(planet.sky, "sky"))
    np.testing.assert_array_equal(planet.read(result, "stack"), planet.read(planet.stack, "stack"))
    np.testing.assert_array_equal(planet.read(result, "lucky_stack"), planet.read(planet.stack, "lucky_stack"))
    (row,) = channels(planet, result)
    assert row["heldout_frames"] == len(planet.read(planet.stack, "held"))
    assert row["heldout_chi2_sky"] < 0.5 * row["heldout_chi2_stack"]
    assert row["flux_sky_over_stack"] == pytest.approx(1, abs=0.005)


def test_the_word_of_every_frame_that_judged_is_kept(planet: Any) -> None:
    (row,) = channels(planet, planet.result)
    np.testing.assert_array_equal(planet.read(planet.result, "heldout_frames"), planet.read(planet.stack, "held"))
    for name in ("sky", "stack"):
        each = planet.read(planet.result, f"chi2_{name}")
        assert each.shape == (1, row["heldout_frames"])
        assert np.median(each) == pytest.approx(row[f"heldout_chi2_{name}"])


@pytest.mark.parametrize("only", ["sky", "spectrum"])
def test_a_sabotaged_sky_is_not_published(planet: Any, only: str) -> None:
    bad = solve_sky(planet.run, planet.sky, planet.stack, only)
    result = planet.judged(bad)
    assert planet.note(result, "verdict") == "stack"
    np.testing.assert_array_equal(planet.read(result, "published"), planet.read(planet.stack, "stack"))
    np.testing.assert_array_equal(planet.read(result, "sky"), planet.read(bad, "sky"))
    words = describe(planet.store, result, {}, None)["verdict"]
    assert words[0].startswith("The STACK is published instead of the sky: 5 held-out frames")
    assert {"sky": "extended field", "spectrum": "they prefer the stack"}[only] in words[0]


def test_a_solve_at_a_nonsense_rate_is_no_better_than_it_says(planet: Any) -> None:
    """One step of 50 rad leaves random PSFs: whatever is published, unseen frames were worse explained than by a good solve."""
    words = ("psfs.modes=28", "rounds.0.psfs.steps=1", "rounds.0.psfs.rate_rad=50")
    turn = load_config(overrides=words).rounds[0]
    sky = planet.sky_of(planet.psfs_of(planet.stack, turn.psfs), planet.stack, turn.sky)
    result = planet.judged(sky)
    (row,), (good,) = channels(planet, result), channels(planet, planet.result)
    assert row["heldout_chi2_sky"] > 3 * good["heldout_chi2_sky"]
    better = row["heldout_chi2_sky"] < row["heldout_chi2_stack"]
    assert planet.note(result, "verdict") == ("sky" if better else "stack")
    assert not better


def test_every_channel_is_judged(coloured: Any) -> None:
    rows = channels(coloured, coloured.result)
    assert len(rows) == 3
    assert coloured.read(coloured.result, "published").shape == (3, 48, 64)
    assert all(np.isfinite(value).all() for row in rows for value in row.values())


def test_held_out_frames_that_do_not_fit_into_memory_are_fitted_in_parts(
    planet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planet.result  # noqa: B018  made while there is room
    shutil.copytree(planet.store.root, tmp_path / "store")
    filmed = planet.elsewhere(tmp_path / "store")
    filmed.store.remove(planet.result)
    sizes: list[int] = []

    def cramped(pupil: Any, spectra: torch.Tensor, *given: Any) -> Any:
        sizes.append(len(spectra))
        if len(spectra) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return fit_frames(pupil, spectra, *given)

    monkeypatch.setattr(tasks.evaluate, "fit_frames", cramped)
    assert filmed.result == planet.result
    assert sizes == [5, 3, 2, 1, 1, 1, 2, 1, 1]
    with filmed.store.view(Evaluated, filmed.result) as parts, planet.store.view(Evaluated, planet.result) as whole:
        assert parts.verdict == whole.verdict == "sky"
        np.testing.assert_array_equal(parts.heldout_frames[:], whole.heldout_frames[:])
        # The rounding of other blocks decides the first of so few steps from flat phases; test_heldout adds up exactly.
        np.testing.assert_allclose(parts.chi2_sky[:], whole.chi2_sky[:], rtol=0.5)
        np.testing.assert_allclose(parts.chi2_stack[:], whole.chi2_stack[:], rtol=0.5)
        judged = ("heldout_chi2_sky", "heldout_chi2_stack", "residual_whiteness")
        (row,), (wanted,) = (
            [{k: v for k, v in row.items() if k not in judged} for row in each.figures["channels"]]
            for each in (parts, whole)
        )
        assert row == wanted, "what does not depend on the fits is the same"
        assert parts.notes == [
            "5 frames together ran out of memory; done as 3 and 2",
            "3 frames together ran out of memory; done as 2 and 1",
            "2 frames together ran out of memory; done as 1 and 1",
            "2 frames together ran out of memory; done as 1 and 1",
        ]
        assert whole.notes == []


def test_the_report_names_frames_that_the_sky_does_not_explain(planet: Any) -> None:
    report = describe(planet.store, planet.result, {}, None)
    named = unexplained_frames(planet.read(planet.sky, "frames"), planet.read(planet.sky, "misfits")[0])
    assert report["channels"][0]["unexplained_frames"] == named
