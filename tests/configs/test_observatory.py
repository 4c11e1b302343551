"""Where the observatory file is looked for, and when its telescope does not count."""

from pathlib import Path

import pytest

from configs.observatory import another_telescope, observatory_file, observatory_in_use


def test_the_variable_names_the_file_or_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STILLSKY_OBSERVATORY", str(tmp_path / "mine.toml"))
    assert observatory_file() == observatory_in_use() == tmp_path / "mine.toml"
    monkeypatch.setenv("STILLSKY_OBSERVATORY", " ")
    assert observatory_file() is None
    monkeypatch.delenv("STILLSKY_OBSERVATORY")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert observatory_file() == tmp_path / "stillsky" / "observatory.toml"
    assert observatory_in_use() is None


def test_a_nearer_aperture_is_another_telescope() -> None:
    own = {"aperture_m": 0.25}
    assert not another_telescope(own, [{"telescope": {"aperture_m": 0.25}}, {}], ["telescope.obstruction=0.1"])
    assert another_telescope(own, [{"telescope": {"aperture_m": 0.2}}], [])
    assert another_telescope(own, [], ["telescope.aperture_m=0.2"])
    assert another_telescope(own, [], ["telescope.aperture_m=wide"])
