"""The defaults of all rounds, what a round may change, and how a user's rounds meet the default ones."""

import tomllib
from pathlib import Path

import pytest

from configs.load import HERE, BadConfig, load_config
from configs.schema import Config

DEFAULT = load_config()


def from_file(folder: Path, text: str, *words: str) -> Config:
    (folder / "my.toml").write_text(text, encoding="utf-8")
    return load_config(folder / "my.toml", overrides=words)


def complaint(*words: str) -> str:
    with pytest.raises(BadConfig) as caught:
        load_config(overrides=words)
    return str(caught.value)


def test_the_default_rounds() -> None:
    one, two = DEFAULT.rounds
    assert (one.psfs.frames, one.psfs.steps, one.psfs.starts, one.psfs.seed, one.sky.cg_iterations) == (
        256,
        240,
        2,
        0,
        0,
    )
    assert (two.psfs.frames, two.psfs.steps, two.psfs.starts, two.psfs.seed, two.sky.cg_iterations) == (0, 60, 1, 1, 2)


def test_every_default_of_all_rounds_is_in_effect_in_one_of_them() -> None:
    tree = tomllib.loads((HERE / "default.toml").read_text(encoding="utf-8"))
    for table in ("psfs", "sky"):
        for key in tree[table]:
            assert any(key not in settings.get(table, {}) for settings in tree["rounds"]), f"{table}.{key}"


def test_a_default_reaches_every_round_that_does_not_differ() -> None:
    config = load_config(overrides=["psfs.modes=40", "psfs.steps=7", "sky.prior=positive"])
    assert [r.psfs.modes for r in config.rounds] == [40, 40]
    assert [r.psfs.steps for r in config.rounds] == [240, 7], "the first round says itself how many steps it takes"
    assert [r.sky.prior for r in config.rounds] == ["positive", "positive"]


def test_a_round_wins_over_the_defaults() -> None:
    one, two = load_config(overrides=["rounds.0.psfs.steps=500", "psfs.steps=7"]).rounds
    assert (one.psfs.steps, two.psfs.steps) == (500, 7)


def test_one_key_of_one_round_in_a_file(tmp_path: Path) -> None:
    config = from_file(tmp_path, "[[rounds]]\nsky = { cg_iterations = 3 }\n")
    assert config.rounds[0].sky.cg_iterations == 3
    assert config.rounds[0].psfs == DEFAULT.rounds[0].psfs
    assert config.rounds[1] == DEFAULT.rounds[1]


def test_rounds_beyond_the_default_ones_are_added(tmp_path: Path) -> None:
    config = from_file(
        tmp_path, "[[rounds]]\n[[rounds]]\n[[rounds]]\n[rounds.psfs]\nseed = 2\n", "rounds.2.psfs.steps=9"
    )
    assert config.rounds[:2] == DEFAULT.rounds
    added = config.rounds[2]
    assert (added.psfs.seed, added.psfs.steps, added.psfs.frames, added.sky) == (2, 9, 0, DEFAULT.rounds[1].sky)


def test_the_list_of_rounds_can_be_replaced() -> None:
    [only] = load_config(overrides=["rounds=[{}]", "psfs.steps=5"]).rounds
    assert (only.psfs.steps, only.psfs.starts) == (5, 1)
    assert "rounds" in complaint("rounds=[]")


@pytest.mark.parametrize("key", ["model", "modes"])
def test_what_all_rounds_share_is_refused_in_a_round(key: str) -> None:
    value = {"model": "freeform", "modes": 40}[key]
    assert f"rounds.1.psfs.{key}: {key} is the same in all rounds; set psfs.{key} instead" in complaint(
        f"rounds.1.psfs.{key}={value}"
    )


def test_a_wrong_default_is_told_once_and_where_it_was_written() -> None:
    lines = complaint("psfs.temperature=0", "rounds.0.psfs.steps=0").splitlines()
    assert [line.split(" = ")[0] for line in lines[1:]] == ["  rounds.0.psfs.steps", "  psfs.temperature"]


@pytest.mark.parametrize(
    "word", ["rounds=3", "rounds=[3]", "rounds=[{psfs=3}]", "psfs=3", "sky=[1]", "rounds=[{sky=[]}]"]
)
def test_what_is_no_table_is_told(word: str) -> None:
    path = {"rounds=[{psfs=3}]": "rounds.0.psfs", "rounds=[{sky=[]}]": "rounds.0.sky"}.get(word, word.partition("=")[0])
    assert f"  {path}" in complaint(word)
