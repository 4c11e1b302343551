"""What goes out with a release agrees: version and changelog, commands in documents and the command line, systemd units."""

import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from configs.load import load_config
from flows.cli.main import main

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "deploy").rglob("*.service"))]
COMMAND = re.compile(r"(?:^ {4}|^|`|=|&& |bin/)stillsky ((?:[a-z]+)(?: [^`#\n]*)?)", re.MULTILINE)
"""A command in a document: at the beginning of a line, in a code span, in a unit."""


def version() -> str:
    """As pyproject.toml has it, the one place where it stands."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def test_the_changelog_knows_the_version() -> None:
    headings = re.findall(r"^## \[([\d.]+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert version() in headings[:2], "the newest section, or the one under a section that is still unreleased"
    assert headings == sorted(headings, key=lambda text: tuple(map(int, text.split("."))), reverse=True)


def commands() -> Iterator[tuple[str, list[str]]]:
    """(file, words after `stillsky`) of every command in the documents that begins with the name of one."""
    for path in DOCUMENTS:
        for found in COMMAND.finditer(path.read_text(encoding="utf-8")):
            line = found[1].replace("…", "").replace("[", "").replace("]", "")
            words = shlex.split(line)
            if words[0] in main.commands:
                yield path.name, words


def test_documents_have_commands() -> None:
    assert len(list(commands())) > 40
    assert {words[0] for _, words in commands()} == set(main.commands), "every command is shown somewhere"


@pytest.mark.parametrize(("where", "words"), [(where, words) for where, words in commands()])
def test_commands_in_documents_are_understood(where: str, words: list[str]) -> None:
    command: click.Command = main.commands[words[0]]
    rest = words[1:]
    if isinstance(command, click.Group):
        if not rest or rest[0] not in command.commands:
            return  # prose: `stillsky store` lists, shows and removes
        command, rest = command.commands[rest[0]], rest[1:]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for number, word in enumerate(rest):
        if word.startswith("--"):
            for option in word.partition("=")[0].split("/"):
                assert option in known | {"--help"}, f"{where}: stillsky {' '.join(words)}"
        if word == "--set" and number + 1 < len(rest) and rest[number + 1] not in ("section.key=value",):
            load_config(overrides=(rest[number + 1].strip(".,;()"),))


@pytest.mark.parametrize("unit", sorted((ROOT / "deploy" / "systemd").iterdir()), ids=lambda unit: unit.name)
def test_systemd_understands_the_units(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for each in unit.parent.iterdir():
        text = each.read_text(encoding="utf-8").replace("%h/.local/bin/stillsky", "/bin/true")
        (tmp_path / each.name).write_text(text, encoding="utf-8")
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit.name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stderr) == (0, "")
