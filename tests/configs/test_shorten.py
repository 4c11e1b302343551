"""Shortened settings: fewer frames in every round, and a preview that shares all steps up to the seeing."""

from configs.load import load_config
from configs.shorten import limited, preview


def test_no_round_solves_more_frames_than_the_limit() -> None:
    config = load_config()
    assert [each.psfs.frames for each in limited(config, 128).rounds] == [128, 128]
    assert [each.psfs.frames for each in limited(config, 512).rounds] == [256, 512], "0 means all, 256 stays"


def test_a_preview_is_one_short_round() -> None:
    config = load_config()
    short = preview(config)
    [only] = short.rounds
    assert (only.psfs.frames, only.psfs.starts, only.sky.cg_iterations) == (64, 1, 0)
    full = config.rounds[0].psfs
    assert only.psfs.frames * only.psfs.steps <= 0.1 * full.frames * full.steps * full.starts
    for shared in ("ingest", "average", "align", "shift_average", "telescope"):
        assert getattr(short, shared) == getattr(config, shared), "its products serve the full run"
    assert {short.enhance.mode, short.dewarp.mode, short.burst.mode} == {"off"}
