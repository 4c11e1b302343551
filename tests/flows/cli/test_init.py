"""init: the observatory file is written whole, checked first, and found by every command; nearer settings win."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from configs.load import BadConfig, Sidecars, load_config
from flows.cli.doctor import examine
from flows.cli.main import main

OPTIONS = ["--aperture-m", "0.28", "--obstruction", "0.34", "--focal-length-mm", "5600", "--pixel-size-um", "2.9"]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "home" / "observatory.toml"
    monkeypatch.setenv("STILLSKY_OBSERVATORY", str(place))
    return place


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["init", *words])
    return result.exit_code, result.output


def test_what_init_writes_every_command_finds(file: Path, tmp_path: Path) -> None:
    code, output = run(*OPTIONS, "--latitude-deg", "-30.2")
    assert (code, output.strip()) == (0, str(file))
    config = load_config()
    assert (config.telescope.aperture_m, config.telescope.obstruction) == (0.28, 0.34)
    assert config.telescope.scale_arcsec == pytest.approx(206.265 * 2.9 / 5600, rel=1e-4)
    assert (config.site.latitude_deg, config.observatory) == (-30.2, file)
    finding = next(f for f in examine(tmp_path / "store", "cpu") if f.name == "observatory")
    assert finding.ok
    assert f"{file} (0.28 m, obstruction 0.34, 0.107 arcsec/px)" in finding.value


def test_usual_place_is_read_if_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STILLSKY_OBSERVATORY")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert load_config().observatory is None
    assert run(*OPTIONS)[0] == 0
    assert load_config().observatory == tmp_path / "stillsky" / "observatory.toml"
    monkeypatch.setenv("STILLSKY_OBSERVATORY", "")
    assert load_config().telescope.aperture_m is None


def test_nearer_settings_win(file: Path, tmp_path: Path) -> None:
    run(*OPTIONS)
    scaled = load_config(sidecars=Sidecars({"telescope": {"pixel_scale_arcsec": 0.2}}))
    assert (scaled.telescope.aperture_m, scaled.telescope.scale_arcsec) == (0.28, 0.2)
    reduced = load_config(sidecars=Sidecars({"telescope": {"focal_length_mm": 2800.0}}))
    assert reduced.telescope.scale_arcsec == pytest.approx(2 * 206.265 * 2.9 / 5600, rel=1e-4)
    other = tmp_path / "other.toml"
    other.write_text("[telescope]\naperture_m = 0.1\npixel_scale_arcsec = 1.0\n", encoding="utf-8")
    config = load_config(other)
    assert (config.telescope.obstruction, config.observatory) == (0.0, None), (
        "another telescope has its own obstruction"
    )
    assert load_config(overrides=["telescope.obstruction=0.2"]).telescope.obstruction == 0.2
    with pytest.raises(BadConfig, match="needs the pixel scale"):
        load_config(overrides=["telescope.aperture_m=0.1"])


def test_scale_of_the_file_stays_where_the_log_has_half_of_one(file: Path) -> None:
    run("--aperture-m", "0.2", "--pixel-scale-arcsec", "0.3")
    config = load_config(sidecars=Sidecars({"telescope": {"focal_length_mm": 2000.0}}))
    assert config.telescope.scale_arcsec == 0.3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--aperture-m", "200", "--pixel-scale-arcsec", "0.2"], "telescope.aperture_m = 200"),
        (["--aperture-m", "0.2"], "needs the pixel scale"),
        (["--latitude-deg", "95"], "site.latitude_deg = 95"),
        (["--focal-length-mm", "2000"], "go together"),
        ([], "no terminal to ask at"),
    ],
)
def test_what_cannot_be_used_is_not_written(file: Path, words: list[str], message: str) -> None:
    code, output = run(*words)
    assert code == 2
    assert message in output
    assert not file.exists()


def test_a_file_that_is_there_is_kept(file: Path) -> None:
    run(*OPTIONS)
    code, output = run("--aperture-m", "0.1", "--pixel-scale-arcsec", "1")
    assert code == 2
    assert "--force" in output
    assert load_config().telescope.aperture_m == 0.28
    assert run("--aperture-m", "0.1", "--pixel-scale-arcsec", "1", "--force")[0] == 0
    assert load_config().telescope.aperture_m == 0.1


def test_a_terminal_is_asked(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.cli import init

    answers = iter(["0,25", "0.3", "", "", "", "", ""])
    monkeypatch.setattr(init.click, "prompt", lambda *_, **__: next(answers))
    monkeypatch.setattr(init.sys, "stdin", type("Terminal", (), {"isatty": staticmethod(lambda: True)}))
    assert init._typed_answers() == {"aperture_m": 0.25, "obstruction": 0.3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[night]\nnotify = 'rm'\n", r"\[night\] is no table"),
        ("telescope = 3\n", "as tables"),
        (None, "no such config"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(file: Path, text: str | None, message: str) -> None:
    if text is not None:
        file.parent.mkdir()
        file.write_text(text, encoding="utf-8")
    with pytest.raises(BadConfig, match=message):
        load_config()
    finding = next(f for f in examine(file.parent / "store", "cpu") if f.name == "observatory")
    assert not finding.ok
    assert str(file) in finding.line
