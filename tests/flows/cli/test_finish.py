"""`stillsky finish` as it is typed."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli.main import main
from tests.storage.results.test_finished import result_in


def test_finish_writes_pictures_and_settings(tmp_path: Path) -> None:
    folder = result_in(tmp_path / "result", 3)
    said = CliRunner().invoke(main, ["finish", str(folder), "--wavelets", "1.5,1.2", "--tiff", "--white", "1.2,1,1.1"])
    assert said.exit_code == 0, said.output
    record = json.loads((folder / "finished.json").read_text())
    assert record["wavelets"] == [1.5, 1.2]
    assert record["white"] == [1.2, 1.0, 1.1]
    assert record["stretch"] == "linear", "as the result was made"
    assert (folder / "finished.tif").is_file()
    assert (folder / "finished.png").is_file()


@pytest.mark.parametrize("words", [["--wavelets", "much"], ["--blend", "2"], ["--white", "1,2"], ["--scale", "9"]])
def test_wrong_values_are_refused_with_their_limits(tmp_path: Path, words: list[str]) -> None:
    said = CliRunner().invoke(main, ["finish", str(result_in(tmp_path)), *words])
    assert said.exit_code == 2
    assert "range" in said.output or "numbers from 0 to 20" in said.output


def test_a_folder_without_a_result_is_a_sentence(tmp_path: Path) -> None:
    said = CliRunner().invoke(main, ["finish", str(tmp_path)])
    assert said.exit_code == 1
    assert "holds no result" in said.output
