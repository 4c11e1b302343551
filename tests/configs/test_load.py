"""Which word wins, and what is said about a word that cannot be meant."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from configs.load import HERE, BadConfig, Sidecars, load_config
from configs.profiles import PROFILES
from configs.schema import Config


def written(folder: Path, text: str) -> Path:
    path = folder / "my.toml"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(*words: str, file: Path | None = None) -> str:
    with pytest.raises(BadConfig) as caught:
        load_config(file, overrides=words)
    return str(caught.value)


def test_later_layers_win(tmp_path: Path) -> None:
    file = written(tmp_path, "[evaluate]\nstretch = 'linear'\nsteps = 7\n")
    assert load_config().evaluate.stretch == "gamma"
    assert load_config(profile="stars").evaluate.stretch == "asinh"
    assert load_config(file, "stars").evaluate.stretch == "linear"
    both = load_config(file, "stars", ["evaluate.steps=9"])
    assert (both.evaluate.stretch, both.evaluate.steps) == ("linear", 9)
    assert both.ingest == load_config().ingest, "what nobody names keeps its default"


def test_the_last_word_wins() -> None:
    assert load_config(overrides=["align.rounds=2", "align.rounds=3"]).align.rounds == 3


@pytest.mark.parametrize("profile", [None, *PROFILES])
def test_every_profile_loads(profile: str | None) -> None:
    assert isinstance(load_config(profile=profile), Config)


def test_every_toml_beside_the_loader_is_a_profile() -> None:
    assert {p.stem for p in HERE.glob("*.toml")} == {"default", *PROFILES}


@pytest.mark.parametrize(
    ("word", "where", "nearest"),
    [
        ("telescope.apperture_m=0.2", "telescope.apperture_m", "aperture_m"),
        ("ingest.black_shares=0.2", "ingest.black_shares", "black_share"),
        ("rounds.0.psfs.step=10", "rounds.0.psfs.step", "steps"),
        ("psfs.step=10", "  psfs.step", "steps"),
        ("pfss.steps=10", "  pfss", "psfs"),
        ("rounds.1.skye.prior=wiener", "rounds.1.skye", "sky"),
        ("telescop.aperture_m=0.2", "telescop", "telescope"),
    ],
)
def test_a_misspelt_setting_names_the_nearest(word: str, where: str, nearest: str) -> None:
    assert f"{where}: there is no such setting; did you mean {nearest!r}?" in complaint(word)


def test_a_setting_like_nothing_lists_what_is_known() -> None:
    told = complaint("evaluate.zzzzzz=1")
    assert "evaluate.zzzzzz" in told
    assert "known here: steps, " in told


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["telescope.aperture_m=280", "telescope.pixel_scale_arcsec=0.2"], ["aperture_m = 280", "60", "metres"]),
        (
            ["telescope.focal_length_mm=2.8", "telescope.pixel_size_um=3"],
            ["focal_length_mm = 2.8", "10", "millimetres"],
        ),
        (["telescope.pixel_scale_arcsec=-1"], ["pixel_scale_arcsec = -1", "0.0001", "arc seconds"]),
        (["telescope.wavelength_nm=0.55"], ["wavelength_nm", "0.55", "200", "nanometres"]),
        (["telescope.obstruction=34"], ["obstruction = 34", "0.95"]),
        (["psfs.modes=0"], ["  psfs.modes = 0", "3"]),
        (["rounds.1.psfs.steps=0"], ["  rounds.1.psfs.steps = 0", "1"]),
        (["ingest.block_frames=many"], ["ingest.block_frames = 'many'", "integer"]),
        (["evaluate.stretch=log"], ["evaluate.stretch = 'log'", "'linear'", "'asinh'"]),
        (["align.settle_px=nan"], ["align.settle_px = nan", "greater than 0"]),
    ],
)
def test_a_wrong_value_is_told_with_its_limit_and_unit(words: list[str], parts: list[str]) -> None:
    told = complaint(*words)
    assert [p for p in parts if p not in told] == [], told


def test_every_fault_is_told_at_once() -> None:
    told = complaint("align.rounds=0", "evaluate.steps=-2")
    assert "align.rounds = 0" in told
    assert "evaluate.steps = -2" in told


def test_a_file_is_named_in_its_complaint(tmp_path: Path) -> None:
    file = written(tmp_path, "[align]\nrounds = 0\n")
    assert str(file) in complaint(file=file)


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["telescope.aperture_m=0.2"], "needs the pixel scale"),
        (["telescope.focal_length_mm=2000"], "go together"),
        (
            ["telescope.focal_length_mm=2000", "telescope.pixel_size_um=3", "telescope.pixel_scale_arcsec=0.3"],
            "said twice",
        ),
    ],
)
def test_half_said_and_twice_said_optics(words: list[str], remedy: str) -> None:
    assert remedy in complaint(*words)


def test_calibration_paths_belong_to_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "night").mkdir()
    config = load_config(written(tmp_path / "night", "[camera]\ndark = '../dark.fits'\nflat = '/flats/flat.fits'\n"))
    assert config.camera.dark == (tmp_path / "dark.fits").resolve()
    assert config.camera.flat == Path("/flats/flat.fits")


def test_rounds_are_addressed_by_number() -> None:
    plain, changed = load_config(), load_config(overrides=["rounds.1.psfs.steps=5"])
    assert changed.rounds[1].psfs.steps == 5
    assert changed.rounds[0] == plain.rounds[0]
    assert changed.rounds[1].psfs.seed == plain.rounds[1].psfs.seed


@pytest.mark.parametrize("name", ["9", "first"])
def test_a_round_that_is_not_there(name: str) -> None:
    told = complaint(f"rounds.{name}.psfs.steps=5")
    assert repr(name) in told
    assert "rounds" in told


@pytest.mark.parametrize(
    "word", ["evaluate.steps", "=3", "rounds.0=3", "evaluate.steps.more=3", "evaluate.steps.a.b=3"]
)
def test_a_word_that_is_no_setting(word: str) -> None:
    assert repr(word) in complaint(word)


def test_words_are_toml_or_plain_text() -> None:
    config = load_config(overrides=["telescope.wavelength_nm=[620, 530, 460]", "evaluate.stretch=linear"])
    assert config.telescope.wavelength_nm == (620.0, 530.0, 460.0)
    assert config.evaluate.stretch == "linear"


def test_an_absent_file(tmp_path: Path) -> None:
    told = complaint(file=tmp_path / "gone.toml")
    assert "gone.toml" in told
    assert "--config" in told


@pytest.mark.parametrize("content", [b"[align\nrounds = 3", b"rounds = ", b"\xff\xfe\x00"])
def test_a_file_that_is_not_toml(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "my.toml").write_bytes(content)
    assert "not TOML" in complaint(file=tmp_path / "my.toml")


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    assert f"{tmp_path} cannot be read" in complaint(file=tmp_path)


def test_loading_leaves_nothing_behind() -> None:
    """A word of one run must not reach the next."""
    load_config(overrides=["rounds.0.psfs.steps=5"])
    assert load_config().rounds[0].psfs.steps != 5


def test_a_configuration_is_frozen() -> None:
    config = load_config()
    with pytest.raises(ValidationError, match="frozen"):
        config.align.rounds = 3  # type: ignore[misc]


def test_a_file_beside_the_capture_wins_over_the_users_and_a_word_over_both(tmp_path: Path) -> None:
    outer, inner = tmp_path / "stillsky.toml", tmp_path / "deep" / "stillsky.toml"
    inner.parent.mkdir()
    outer.write_text("[evaluate]\nsteps = 11\nframes = 11\n")
    inner.write_text("[evaluate]\nsteps = 12\n")
    mine = written(tmp_path, "[evaluate]\nsteps = 10\nframes = 10\nstretch = 'asinh'\n")
    found = Sidecars({"camera": {"exposure_s": 0.01}}, (outer, inner), tmp_path)
    config = load_config(mine, "sun", ["evaluate.frames=9"], found)
    assert (config.evaluate.steps, config.evaluate.frames, config.evaluate.stretch) == (12, 9, "asinh")
    assert config.camera.exposure_s == 0.01


LOG = {"telescope": {"focal_length_mm": 5000.0, "pixel_scale_arcsec": 0.12}}


@pytest.mark.parametrize(
    ("mine", "scale"),
    [
        ("aperture_m = 0.3", 0.12),
        ("pixel_scale_arcsec = 0.2", 0.2),
        ("pixel_size_um = 2.9", 206.264806 * 2.9 / 5000),
        ("pixel_size_um = 2.9\nfocal_length_mm = 6000", 206.264806 * 2.9 / 6000),
    ],
)
def test_the_scale_of_the_log_gives_way_to_the_users(tmp_path: Path, mine: str, scale: float) -> None:
    file = written(tmp_path, f"[telescope]\n{mine}\n")
    assert load_config(file, sidecars=Sidecars(LOG)).telescope.scale_arcsec == pytest.approx(scale)


def test_a_focal_length_of_the_log_alone_says_nothing() -> None:
    assert load_config(sidecars=Sidecars({"telescope": {"focal_length_mm": 5000.0}})).telescope.scale_arcsec is None
    words = ["telescope.pixel_size_um=2.9"]
    assert load_config(
        overrides=words, sidecars=Sidecars({"telescope": {"focal_length_mm": 5000.0}})
    ).telescope.scale_arcsec


@pytest.mark.parametrize("text", ["[night]\nnotify = 'touch x'", "[store]\nkeep_days = 1"])
def test_a_file_among_captures_runs_and_removes_nothing(tmp_path: Path, text: str) -> None:
    file = written(tmp_path, text)
    assert load_config(file), "in a file of the user's own it is fine"
    with pytest.raises(BadConfig, match="--config"):
        load_config(sidecars=Sidecars(files=(file,), folder=tmp_path))


def test_calibration_named_among_captures_stays_among_them(tmp_path: Path) -> None:
    night = tmp_path / "night"
    night.mkdir()
    (night / "link.fits").symlink_to(tmp_path / "secret.fits")
    for name in ("../secret.fits", "/etc/passwd", "link.fits"):
        file = written(night, f"[camera]\ndark = '{name}'\n")
        with pytest.raises(BadConfig, match="outside the night's folder"):
            load_config(sidecars=Sidecars(files=(file,), folder=night))
    file = written(night, "[camera]\ndark = 'dark.fits'\n")
    assert load_config(sidecars=Sidecars(files=(file,), folder=night)).camera.dark == (night / "dark.fits").resolve()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = " + "[" * 3000 + "]" * 3000, "nested too deep"),
        ("a = '" + "x" * 70_000 + "'", "larger than 65536 bytes"),
        ("x = " + "9" * 9000, "not TOML"),
        (".".join("a" * 30_000) + " = 1", "not TOML: a line with more than 200 dots"),
        ('[camera]\ndark = "a\\u0000b"', "cannot be a file"),
    ],
)
def test_settings_no_parser_can_take_are_told(tmp_path: Path, text: str, words: str) -> None:
    told = complaint(file=written(tmp_path, text))
    assert "my.toml" in told
    assert words in told


def test_a_word_nested_too_deep_is_text() -> None:
    assert "evaluate.steps" in complaint("evaluate.steps=" + "[" * 5000)


@pytest.mark.parametrize(
    ("override", "hint"),
    [
        ("telescope.obstruction=33", "; a fraction, 0.33?"),
        ("shift_average.heldout_share=10", "; a fraction, 0.1?"),
        ("telescope.obstruction=-1", ""),
        ("telescope.obstruction=1e9", ""),
    ],
)
def test_per_cent_in_place_of_a_fraction_is_met_with_a_question(override: str, hint: str) -> None:
    with pytest.raises(BadConfig) as refused:
        load_config(overrides=[override])
    assert str(refused.value).endswith(hint) if hint else "a fraction," not in str(refused.value)
