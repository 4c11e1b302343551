"""The settings of a run that is to take less time: fewer frames, the luckiest, and for a preview fewer steps, too."""

from typing import Any

from configs.schema import Config

PREVIEW_FRAMES, PREVIEW_STEPS, PREVIEW_JUDGES = 64, 150, 6
"""A preview solves so many frames in so many steps, once, and is judged by so many held-out frames."""
PREVIEW_JUDGE_STEPS = 50
"""Gradient steps that fit a held-out frame to a preview."""
MADE_BESIDE = ("enhance", "dewarp", "burst")
"""Sections of pictures that a preview goes without."""


def limited(config: Config, frames: int) -> Config:
    """The settings with no round solving more than so many frames, the luckiest."""
    rounds = []
    for each in config.rounds:
        few = min(each.psfs.frames or frames, frames)
        rounds.append(_changed(each, psfs=_changed(each.psfs, frames=few)))
    return _changed(config, rounds=tuple(rounds))


def preview(config: Config) -> Config:
    """The settings of a first picture: the same steps up to the seeing, then one short round of the luckiest frames."""
    first = config.rounds[0]
    psfs = _changed(
        first.psfs,
        frames=min(first.psfs.frames or PREVIEW_FRAMES, PREVIEW_FRAMES),
        steps=min(first.psfs.steps, PREVIEW_STEPS),
        starts=1,
    )
    short = _changed(first, psfs=psfs, sky=_changed(first.sky, cg_iterations=0))
    judged = _changed(
        config.evaluate,
        frames=min(config.evaluate.frames, PREVIEW_JUDGES),
        steps=min(config.evaluate.steps, PREVIEW_JUDGE_STEPS),
    )
    off = {name: _changed(getattr(config, name), mode="off") for name in MADE_BESIDE}
    return _changed(config, rounds=(short,), evaluate=judged, **off)


def _changed(section: Any, **values: Any) -> Any:
    return section.model_copy(update=values)
