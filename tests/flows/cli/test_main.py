"""The command line: every refusal is a sentence with a remedy and an exit code, and leaves nothing broken behind."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from astropy.io import fits

from storage.captures.readers import open_capture
from storage.captures.readers.ser import write_ser
from storage.results.published import FILES


def _frames(film: Path) -> Any:
    with open_capture(film) as reader:
        return np.concatenate(list(reader.blocks(16)))[:, 0]


def _whole(folder: Path) -> list[str]:
    """Names of files under a folder; Prefect's own, and what is remembered of captures that were read, left out."""
    found = (p for p in folder.rglob("*") if p.is_file() and not {"prefect", "fingerprints"} & set(p.parts))
    return sorted(str(p.relative_to(folder)) for p in found)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--set", "telescope.aperture_m=250"), ("telescope.aperture_m = 250", "60", "metres")),
        (("--set", "telescope.apperture_m=0.25"), ("telescope.apperture_m", "did you mean 'aperture_m'")),
        (("--set", "rounds.7.psfs.steps=3"), ("rounds.7.psfs.steps=3", "2 rounds")),
        (("--set", "evaluate.steps"), ("write section.key=value",)),
        (("--config", "no.toml"), ("no.toml", "check the path")),
    ],
)
def test_settings_that_make_no_sense_are_bad_use(
    desk: Any, film: Path, tmp_path: Path, words: tuple[str, ...], told: tuple[str, ...]
) -> None:
    answer = desk.ask("restore", film, "--out", tmp_path / "out", "--store", tmp_path / "store", *words)
    assert answer.code == 2
    assert all(word in answer.err for word in told), answer.err
    assert "Traceback" not in answer.err
    assert _whole(tmp_path) == []


def test_what_is_asked_wrongly_is_bad_use(desk: Any, film: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    answer = desk.ask("restore", film, "--out", tmp_path / "out", "--store", tmp_path / "store")
    assert (answer.code, "is a file" in answer.err) == (2, True)
    assert (tmp_path / "out").read_text() == "mine"
    assert desk.ask("restore", film).code == 2
    nameless = desk.ask("restore", film, "--out", "", "--store", tmp_path / "store")
    assert (nameless.code, "the name is empty" in nameless.err) == (2, True)
    assert desk.ask("restore", film, "--out", tmp_path / "o", "--profile", "pluto").code == 2
    assert _whole(tmp_path) == ["out"]


def test_absent_capture(desk: Any, tmp_path: Path) -> None:
    answer = desk.ask("restore", tmp_path / "no.ser", "--out", tmp_path / "out", "--store", tmp_path / "store")
    assert answer.code == 1
    assert answer.err.startswith("stillsky: ")
    assert "no.ser" in answer.err
    assert "check the name" in answer.err
    assert answer.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="a graphics card is here")
def test_cuda_that_is_not_there_is_no_silent_cpu(desk: Any, film: Path, tmp_path: Path) -> None:
    answer = desk.ask(
        "restore", film, "--out", tmp_path / "out", "--store", tmp_path / "store", "--device", "cuda"
    )  # fmt: skip
    assert answer.code == 1
    assert "or use --device cpu" in answer.err
    assert _whole(tmp_path) == []


@pytest.mark.parametrize("kind", ["stub", "nonsense", "mosaic", "few", "dark"])
def test_captures_that_cannot_be_restored(desk: Any, film: Path, tmp_path: Path, kind: str) -> None:
    path, frames = tmp_path / "bad.ser", _frames(film)
    config = tmp_path / "bad.toml"
    config.write_text("")
    told = {
        "stub": "no whole frame",
        "nonsense": "not a SER capture",
        "mosaic": "a colour mosaic CYYM",
        "few": "at least 4 are needed",
        "dark": "give a dark of the same camera settings",
    }[kind]
    write_ser(path, frames[:3] if kind == "few" else frames, 12, bayer="CYYM" if kind == "mosaic" else None)
    if kind == "stub":
        path.write_bytes(film.read_bytes()[:300])
    elif kind == "nonsense":
        path.write_bytes(b"no capture at all" * 50)
    elif kind == "dark":
        fits.writeto(tmp_path / "dark.fits", np.zeros((32, 32), np.float32))
        config.write_text('[camera]\ndark = "dark.fits"\n')
    before = _whole(tmp_path)
    words = ("--out", tmp_path / "out", "--store", tmp_path / "store", "--config", config)
    answer = desk.ask("restore", path, *words)
    assert answer.code == 1
    *forecast, reason = answer.err.splitlines()
    assert reason.startswith("stillsky: ")
    assert told in reason
    assert all("roughly" in line for line in forecast)
    assert answer.out == ""
    assert _whole(tmp_path) == before, "nothing is left in --out or half-made in the store"
    run = desk.last_run()
    assert (run.name, run.state) == (f"bad.ser, {tmp_path.name}", "Failed")
    assert run.tasks == {"ingest": "Failed"}, "hopeless inputs are not tried again"


def test_capture_cut_short_is_restored_with_what_is_there(
    desk: Any, film: Path, tmp_path: Path, quick: list[str]
) -> None:
    path = tmp_path / "cut.ser"
    path.write_bytes(film.read_bytes()[: 178 + 30 * 64 * 64 * 2 + 500])
    words = ("--out", tmp_path / "out", "--store", tmp_path / "store", "--device", "cpu")
    answer = desk.ask("restore", path, *words, *quick, "--config", film.with_suffix(".toml"))
    assert answer.code == 0, answer.err
    assert "of 30 frames used" in answer.out
    assert '"truncated": "10"' in (tmp_path / "out" / "report.json").read_text()
    assert desk.last_run().state == "Completed"


def test_full_disk_then_room_again(desk: Any, film: Path, tmp_path: Path, quick: list[str]) -> None:
    words = ("restore", film, "--out", tmp_path / "out", "--store", tmp_path / "store", "--device", "cpu", *quick)
    full = desk.ask(*words, largest_file_bytes=100_000)
    assert full.code == 1, full.err
    _forecast, reason = full.err.splitlines()
    assert "cannot be written (File too large" in reason
    assert "make room" in reason
    assert _whole(tmp_path) == []
    # The frames fit, but not what more modes of more frames need: what is done stays, and the reason is the disk again.
    words = (
        *words,
        "--set",
        "rounds.0.psfs.frames=36",
        "--set",
        "rounds.0.psfs.batch_frames=2",
        "--set",
        "shift_average.heldout_share=0.1",
    )
    kept = desk.ask(*words, largest_file_bytes=400_000)
    assert kept.code == 1, kept.err
    assert kept.err.count("stillsky: ") == 1
    assert "cannot be written (File too large" in kept.err
    done = [name for name in _whole(tmp_path / "store") if ".parts" not in name]
    assert any(name.startswith("measure_seeing") for name in done)
    assert not [name for name in done if name.endswith(".tmp")]
    assert not (tmp_path / "out").exists()
    assert desk.ask(*words).code == 0
    assert set(done) <= set(_whole(tmp_path / "store"))
    assert set(FILES) <= set(_whole(tmp_path / "out"))


def test_store_that_cannot_be_made_or_written(desk: Any, film: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    stores = [tmp_path / "file" / "store", *([] if os.geteuid() == 0 else [closed])]
    for store in stores:
        answer = desk.ask("restore", film, "--out", tmp_path / "out", "--store", store)
        assert answer.code == 1
        assert "--store" in answer.err
        assert answer.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_help_and_version_of_every_command_answer_at_once(environment: dict[str, str]) -> None:
    heavy = ["torch", "prefect", "h5py", "astropy", "dask", "numpy", "scipy", "av", "pydantic", "rich"]
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom flows.cli.main import main\n"
        "for words in [['--help'], ['--version'], *[[name, '--help'] for name in main.commands]]:\n"
        "    answer = CliRunner().invoke(main, words)\n"
        "    assert answer.exit_code == 0, (words, answer.output)\n"
        "    assert len(answer.output) > 10, words\n"
        f"print([m for m in {heavy!r} if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=600)
    assert (told.returncode, told.stdout.strip()) == (0, "[]"), told.stdout + told.stderr
