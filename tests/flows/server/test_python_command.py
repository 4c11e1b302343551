"""Processes of ours: nothing in the working directory can be imported by them, PYTHONPATH is honoured."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.server.python_command import python_command, safe_environment, shell_command


def test_a_module_in_the_working_directory_does_not_run(tmp_path: Path) -> None:
    (tmp_path / "uvicorn.py").write_text("from pathlib import Path; Path('ran').touch()")
    (tmp_path / "this.py").write_text("raise SystemExit('mine')")
    done = subprocess.run(python_command("this"), cwd=tmp_path, env=safe_environment(), capture_output=True, text=True)
    assert "Beautiful is better than ugly" in done.stdout, done.stderr
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import uvicorn'])"
    subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, env=safe_environment(), check=True)
    assert not (tmp_path / "ran").exists(), "nor in a process that such a process starts"


def test_the_interpreter_is_named_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Path(python_command("x")[0]).is_absolute()
    assert shell_command("x", "a b").endswith("-P -m x 'a b'")


def test_the_users_module_path_counts_wherever_the_process_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("library", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "library" / "mine_only.py").write_text("print('found')")
    (tmp_path / "elsewhere" / "colorsys.py").write_text("print('hostile')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"library{os.pathsep}")
    for module, output in (("mine_only", "found\n"), ("colorsys", "")):
        done = subprocess.run(
            python_command(module), cwd=tmp_path / "elsewhere", env=safe_environment(), capture_output=True, text=True
        )
        assert done.stdout == output, done.stderr
