"""stillsky train: wrong requests are refused in words before anything starts."""

from pathlib import Path

from click.testing import CliRunner

from flows.cli.main import main


def test_a_misspelt_setting_is_named(tmp_path: Path) -> None:
    answer = CliRunner().invoke(main, ["train", "enhance", "--set", "stepz=5", "--store", str(tmp_path)])
    assert answer.exit_code == 2
    assert "stepz" in answer.output
    assert "Traceback" not in answer.output


def test_an_unknown_step_is_refused() -> None:
    answer = CliRunner().invoke(main, ["train", "align"])
    assert answer.exit_code == 2
    assert "'align' is not one of" in answer.output
