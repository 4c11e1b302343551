"""solve_psfs: every frame of a round has its PSF once, the sums fit them, a killed solve goes on where it was."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from configs.load import load_config
from tasks.numerics.judging.metrics import psnr
from tasks.numerics.psf_models.table import PSF_MODELS
from tasks.products.contents import Psfs
from tasks.solve_psfs import SEGMENT


def test_rounds_share_the_frames_luckiest_first(planet: Any) -> None:
    order = planet.read(planet.stack, "order")
    (one, _), (two, sky) = planet.rounds
    np.testing.assert_array_equal(planet.read(one, "frames"), order[:16])
    np.testing.assert_array_equal(planet.read(two, "frames"), order[16:])
    assert set(planet.read(sky, "frames")) == set(order)
    assert planet.read(two, "psfs/0").shape == (len(order) - 16, 28)


def test_sums_hold_the_light_of_every_frame(planet: Any) -> None:
    for psfs, _ in planet.rounds:
        count = len(planet.read(psfs, "frames"))
        power = planet.read(psfs, "A/0").sum(0)
        assert power[0, 0] == pytest.approx(count, rel=1e-3)  # every PSF sums to one
        assert power.max() <= count * 1.001  # and none amplifies
        assert (planet.read(psfs, "frame_power") > 0).all()


@pytest.mark.parametrize("starts", [1, 2])
def test_batches_and_segments_are_put_together(planet: Any, tmp_path: Path, starts: int) -> None:
    filmed = planet.elsewhere(tmp_path)
    store = filmed.store
    words = (
        "psfs.modes=6",
        "rounds.0.psfs.frames=7",  # two whole batches; the last one waits
        "rounds.0.psfs.steps=3",
        "rounds.0.psfs.batch_frames=3",
        f"rounds.0.psfs.starts={starts}",
    )
    settings = load_config(overrides=words).rounds[0]
    found = filmed.psfs_of(filmed.stack, settings.psfs)
    with store.open(found) as file:
        assert sorted(file["frames"][:]) == sorted([*filmed.read(filmed.stack, "order")[:6]] * starts)
        assert file["psfs/0"].shape == (6 * starts, 6)
        assert len(np.unique(file["psfs/0"][:], axis=0)) == 6 * starts
        assert file["A/0"].shape[0] == 2 * starts
        assert file["A/0"][:].sum(0)[0, 0] == pytest.approx(6 * starts, rel=1e-3)
        assert np.isfinite(file["psfs/0"][:]).all()
    with store.open(filmed.sky_of(found, filmed.stack, settings.sky)) as file:  # every frame counts once
        assert file["A/0"][0, 0] == pytest.approx(6, rel=1e-3)
        assert file["weights"][:].sum() == pytest.approx(6)


def test_calm_air_needs_fewer_frames_to_find_a_sky(planet: Any, tmp_path: Path) -> None:
    filmed, few = planet.elsewhere(tmp_path), ("steps=2", "batch_frames=3", "starts=1")
    words = ("psfs.modes=6", *(f"rounds.0.psfs.{word}" for word in few))
    strength, frames = float(planet.read(planet.seeing, "d_over_r0")[0]), len(planet.read(planet.stack, "order"))
    counts = []
    for limit in (0.0, 9 / strength, 0.1):
        settings = load_config(overrides=(*words, f"psfs.frames_per_d_over_r0={limit}")).rounds[0].psfs
        counts.append(len(filmed.read(filmed.psfs_of(filmed.stack, settings), "frames")))
    assert counts[0] >= frames - 1
    assert counts[1:] == [9, 6], "D/r0 times the limit; no fewer than two batches"


def test_a_killed_solve_goes_on_and_ends_the_same(planet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filmed = planet.elsewhere(tmp_path)
    store = filmed.store
    words = (
        "psfs.modes=6",
        "rounds.0.psfs.frames=6",
        f"rounds.0.psfs.steps={2 * SEGMENT}",
        "rounds.0.psfs.starts=1",
    )
    settings = load_config(overrides=words).rounds[0].psfs
    whole = filmed.psfs_of(filmed.stack, settings)
    with store.open(whole) as file:
        wanted = file["psfs/0"][:], file["B/0"][:]
    store.remove(whole)
    model = PSF_MODELS["pupil"]
    turns: list[int] = []

    def dying(batch: Any, plan: Any, memory: Any, steps: int) -> Any:
        if turns:
            raise KeyboardInterrupt
        turns.append(steps)
        return model.advance(batch, plan, memory, steps)

    monkeypatch.setitem(PSF_MODELS, "pupil", model._replace(advance=dying))
    with pytest.raises(KeyboardInterrupt):
        filmed.psfs_of(filmed.stack, settings)
    assert not store.has(whole)
    assert [part.stem for part in store.parts(whole).glob("*.h5")] == ["batch0000-step00050"]

    def counted(batch: Any, plan: Any, memory: Any, steps: int) -> Any:
        turns.append(steps)
        return model.advance(batch, plan, memory, steps)

    monkeypatch.setitem(PSF_MODELS, "pupil", model._replace(advance=counted))
    assert filmed.psfs_of(filmed.stack, settings) == whole
    assert turns == [SEGMENT, SEGMENT]  # the first segment was not repeated
    with store.open(whole) as file:
        np.testing.assert_array_equal(file["psfs/0"][:], wanted[0])
        np.testing.assert_array_equal(file["B/0"][:], wanted[1])
    assert not store.parts(whole).exists()


SMALL = (
    "psfs.modes=6",
    "rounds.0.psfs.frames=14",
    "rounds.0.psfs.steps=60",
    "rounds.0.psfs.batch_frames=7",
    "rounds.0.psfs.starts=1",
)


def cramped(monkeypatch: pytest.MonkeyPatch, most: int) -> list[Any]:
    """A device whose memory holds so many frames; what was solved there."""
    model = PSF_MODELS["pupil"]
    solved: list[Any] = []

    def advance(batch: Any, plan: Any, memory: Any, steps: int) -> Any:
        if len(batch.spectra) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        solved.append(batch)
        return model.advance(batch, plan, memory, steps)

    monkeypatch.setitem(PSF_MODELS, "pupil", model._replace(advance=advance))
    return solved


@pytest.mark.parametrize("most", [4, 2])
def test_a_batch_that_does_not_fit_into_memory_is_solved_in_halves(
    planet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    wanted = planet.elsewhere(tmp_path / "roomy")
    turn = load_config(overrides=SMALL).rounds[0]
    whole = wanted.psfs_of(wanted.stack, turn.psfs)
    filmed = planet.elsewhere(tmp_path / "cramped")
    filmed.stack  # noqa: B018  made while there is room
    solved = cramped(monkeypatch, most)
    assert filmed.psfs_of(filmed.stack, turn.psfs) == whole
    np.testing.assert_array_equal(filmed.read(whole, "frames"), wanted.read(whole, "frames"))
    assert filmed.read(whole, "psfs/0").shape == (14, 6)
    assert filmed.read(whole, "A/0")[:, 0, 0] == pytest.approx([7, 7], rel=1e-3)
    with filmed.store.view(Psfs, whole) as found:
        notes = found.notes
    assert notes[0] == "7 frames together ran out of memory; done as 4 and 3"
    assert len(notes) == {4: 2, 2: 6}[most]
    beside = [0 if batch.others is None else batch.others.frames for batch in solved[::2]]  # two segments each
    assert beside == {4: [0, 4, 0, 4], 2: [0, 2, 4, 6, 0, 2, 4, 6]}[most]
    cross, sky = filmed.read(whole, "B/0"), wanted.read(whole, "B/0")
    for one, other in zip(cross, sky, strict=True):
        likeness = np.vdot(one[:8, :8], other[:8, :8]) / np.linalg.norm(one[:8, :8]) / np.linalg.norm(other[:8, :8])
        assert likeness.real > 0.95
    picture = filmed.sky_of(whole, filmed.stack, turn.sky)
    assert psnr(planet.truth, filmed.read(picture, "sky")[0]) > psnr(
        planet.truth, filmed.read(filmed.stack, "stack")[0]
    )


def test_a_killed_half_goes_on(planet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its segments have names of their own, whichever batches fit this time."""
    filmed = planet.elsewhere(tmp_path)
    settings = load_config(overrides=SMALL).rounds[0].psfs
    filmed.stack  # noqa: B018
    solved = cramped(monkeypatch, 4)
    advance = PSF_MODELS["pupil"].advance

    def dying(batch: Any, plan: Any, memory: Any, steps: int) -> Any:
        if len(solved) == 3:
            raise KeyboardInterrupt
        return advance(batch, plan, memory, steps)

    model = PSF_MODELS["pupil"]
    monkeypatch.setitem(PSF_MODELS, "pupil", model._replace(advance=dying))
    with pytest.raises(KeyboardInterrupt):
        filmed.psfs_of(filmed.stack, settings)
    monkeypatch.setitem(PSF_MODELS, "pupil", model)
    found = filmed.psfs_of(filmed.stack, settings)
    assert len(solved) == 8, "two batches of two halves of two segments, none twice"
    assert np.isfinite(filmed.read(found, "psfs/0")).all()


def starts(filmed: Any, most: int) -> list[np.ndarray]:
    """The starting phases (frame, mode) of every batch, or part of one, on a device whose memory holds so many frames."""
    filmed.stack  # noqa: B018  made while there is room
    begin, found = PSF_MODELS["pupil"].begin, []

    def noted(batch: Any, plan: Any) -> Any:
        memory = begin(batch, plan)
        if len(batch.spectra) <= most:
            found.append(memory["phases"].numpy())
        return memory

    with pytest.MonkeyPatch.context() as patch:
        cramped(patch, most)
        patch.setitem(PSF_MODELS, "pupil", PSF_MODELS["pupil"]._replace(begin=noted))
        filmed.psfs_of(filmed.stack, load_config(overrides=SMALL).rounds[0].psfs)
    return found


@pytest.mark.parametrize(("most", "sizes"), [(4, [4, 3, 4, 3]), (2, [2, 2, 2, 1, 2, 2, 2, 1])])
def test_a_split_batch_starts_where_the_whole_would(planet: Any, tmp_path: Path, most: int, sizes: list[int]) -> None:
    """Every frame keeps the starting phases of the undivided batch: running out of memory changes no seed."""
    whole, parts = starts(planet.elsewhere(tmp_path / "roomy"), 7), starts(planet.elsewhere(tmp_path / "cramped"), most)
    assert ([len(part) for part in whole], [len(part) for part in parts]) == ([7, 7], sizes)
    np.testing.assert_array_equal(np.concatenate(parts), np.concatenate(whole))
    assert len(np.unique(np.concatenate(whole), axis=0)) == 14, "no two frames start alike"


def test_the_loss_falls_from_segment_to_segment(planet: Any) -> None:
    losses = []
    for psfs, _ in planet.rounds:
        found = planet.read(psfs, "loss")
        assert found.shape == (len(planet.read(psfs, "A/0")), {True: 2, False: 1}[not losses])
        assert planet.read(psfs, "loss_steps").tolist() == {True: [50, 100], False: [30]}[not losses]
        assert np.isfinite(found).all()
        losses.append(found)
    assert (losses[0][:, 1] < losses[0][:, 0]).all()


def test_the_sharpest_psfs_belong_to_the_luckiest_frames(planet: Any) -> None:
    """Residual wavefront (tip and tilt left out) against the measured sharpness of the frames."""
    sharp = planet.read(planet.stack, "sharpness")
    rows, frames = [], []
    for psfs, _ in planet.rounds:
        rows.append(planet.read(psfs, "psfs/0"))
        frames.append(planet.read(psfs, "frames"))
    wave = np.sqrt((np.concatenate(rows)[:, 2:] ** 2).sum(1))
    order = torch.tensor(np.stack([wave, sharp[np.concatenate(frames)]])).argsort(1).argsort(1).double()
    assert float(torch.corrcoef(order)[0, 1]) < -0.4
