"""`stillsky gallery`: says what it wrote, or why it could not."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli.main import main
from tests.storage.results.test_gallery import report, result


def test_one_page_over_all_nights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for night in ("18", "19"):
        result(tmp_path / night / "restored" / "a_ser", report())
    ended = CliRunner().invoke(main, ["gallery", str(tmp_path)])
    assert (ended.exit_code, ended.output) == (0, f"2 results; {tmp_path / 'index.html'}\n")
    monkeypatch.chdir(tmp_path / "18")
    assert CliRunner().invoke(main, ["gallery"]).output == "1 result; index.html\n"


def test_a_folder_without_results_is_said(tmp_path: Path) -> None:
    ended = CliRunner().invoke(main, ["gallery", str(tmp_path)])
    assert ended.exit_code == 1
    assert f"{tmp_path}: no results (report.json) here or below" in ended.output
    assert not list(tmp_path.iterdir())
