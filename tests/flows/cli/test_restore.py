"""`stillsky restore` as a user runs it: killed, run again, recorded by Prefect to the last task, published whole."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from flows.server.embedded import default_store
from storage.results.published import ENHANCED, FILES, UNBELIEVED

TASKS = [
    "ingest", "average", "calibrate", "align", "shift average", "measure seeing", "solve psfs round 1", "solve sky round 1",
    "solve psfs round 2", "solve sky round 2", "evaluate", "enhance",
]  # fmt: skip
WAIT_S = 600.0


def _products(store: Path) -> dict[str, int]:
    """Every whole product: file and when it was written, ns."""
    found = (p for p in store.glob("*/*.h5") if not p.name.startswith("."))
    return {str(p.relative_to(store)): p.stat().st_mtime_ns for p in found}


def _children(parent: int) -> list[int]:
    """Processes started by a process (Linux)."""
    return [int(p) for p in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def _gone(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def _until(what: Callable[[], bool]) -> bool:
    end = time.monotonic() + WAIT_S
    while not what() and time.monotonic() < end:
        time.sleep(0.02)
    return what()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for child processes in /proc")
def test_killed_and_run_again(
    film: Path, tmp_path: Path, quick: list[str], environment: dict[str, str], record: Callable[[Path], list[Any]]
) -> None:
    """The program itself with a server of its own: SIGKILL in the middle, the same command, a deleted product."""
    store, out = tmp_path / "store", tmp_path / "out"
    program = [str(Path(sys.executable).with_name("stillsky")), "restore", str(film), "--out", str(out)]
    program += ["--store", str(store), "--device", "cpu", "--config", str(film.with_suffix(".toml")), *quick]
    first = subprocess.Popen(program, env=environment, cwd=tmp_path)
    assert _until(lambda: any(store.glob("align/*.h5")) or first.poll() is not None)
    servers = _children(first.pid)
    first.kill()
    assert first.wait(600) == -signal.SIGKILL
    assert len(servers) >= 1
    assert _until(lambda: all(_gone(s) for s in servers)), "the server outlived the program"
    before = _products(store)
    assert not (out / "sky.fits").exists()

    second = subprocess.run(program, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=WAIT_S)
    assert second.returncode == 0, second.stderr
    said = second.stderr.splitlines()
    assert "40 frames of 64 x 64: " in said[0], "how long it will take, before anything is done"
    assert any(re.match(r"evaluate: 4 held-out frames in \d+\.\d s; about \d+ s left", line) for line in said), said
    between = _products(store)
    assert {name: between[name] for name in before} == before
    assert len(between) == len(TASKS)
    run = record(store / "prefect")[-1]
    assert (run.name, run.state, sorted(run.tasks)) == (f"film.ser, {film.parent.name}", "Completed", sorted(TASKS))
    assert set(run.tasks.values()) <= {"Completed", "Cached"}
    assert list(run.tasks.values()).count("Cached") <= len(before)

    sky = fits.getdata(out / "sky.fits").tobytes()
    victim = next(name for name in between if name.startswith("measure_seeing"))
    (store / victim).unlink()
    third = subprocess.run(program, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=WAIT_S)
    assert third.returncode == 0, third.stderr
    after = _products(store)
    assert after.pop(victim) > between.pop(victim)
    assert after == between
    states = record(store / "prefect")[-1].tasks
    assert {name for name, state in states.items() if state != "Cached"} == {"measure seeing"}
    assert fits.getdata(out / "sky.fits").tobytes() == sky
    assert not [p for p in tmp_path.rglob("*.tmp") if "prefect" not in p.parts]


def test_second_run_is_cached_and_a_changed_setting_redoes_what_follows(
    desk: Any, film: Path, tmp_path: Path, quick: list[str]
) -> None:
    store, out = tmp_path / "store", tmp_path / "out"
    words = ["restore", film, "--out", out, "--store", store, "--device", "cpu", *quick]
    assert desk.ask(*words).code == 0
    made, run = _products(store), desk.last_run()
    assert (run.state, run.tasks) == ("Completed", dict.fromkeys(TASKS, "Completed"))
    assert {p.name for p in out.iterdir()} - {UNBELIEVED, "index.html"} == {*FILES, *ENHANCED}

    again = desk.ask(*words)
    assert (again.code, again.err) == (0, "")
    assert _products(store) == made
    run = desk.last_run()
    assert (run.state, run.tasks) == ("Completed", dict.fromkeys(TASKS, "Cached"))

    assert desk.ask(*words, "--set", "rounds.1.sky.air_share=0.5").code == 0
    states = desk.last_run().tasks
    assert {name for name, state in states.items() if state == "Completed"} == {
        "solve sky round 2",
        "evaluate",
        "enhance",
    }
    now = _products(store)
    assert {name: now[name] for name in made} == made
    assert len(now) == len(made) + 3

    report = json.loads((out / "report.json").read_text())
    assert report["settings"]["rounds"][1]["sky"]["air_share"] == 0.5

    assert desk.ask(*words, "--fresh").code == 0
    fresh = _products(store)
    assert set(fresh) == set(now)
    assert {name for name in now if fresh[name] == now[name]} == set(now) - set(made), (
        "the other settings' products stay"
    )
    assert set(desk.last_run().tasks.values()) == {"Completed"}


def test_interrupted_by_the_keyboard(film: Path, tmp_path: Path, quick: list[str], environment: dict[str, str]) -> None:
    """Ctrl-C reaches the program and its server alike; the program says that nothing is lost."""
    store = tmp_path / "store"
    program = [str(Path(sys.executable).with_name("stillsky")), "restore", str(film), "--out", str(tmp_path / "out")]
    program += ["--store", str(store), "--device", "cpu", *quick, "--set", "rounds.0.psfs.steps=100000"]
    run = subprocess.Popen(
        program, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )  # fmt: skip
    assert _until(lambda: any(store.glob("solve_psfs/*.parts/*.h5")) or run.poll() is not None)
    os.killpg(run.pid, signal.SIGINT)
    _, told = run.communicate(timeout=WAIT_S)
    assert run.returncode == 130
    assert told.endswith("\nstillsky: stopped; the same command goes on from here\n")
    assert not [p for p in store.rglob("*.tmp") if "prefect" not in p.parts]


def test_store_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STILLSKY_STORE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_store() == tmp_path / "stillsky"
    monkeypatch.setenv("STILLSKY_STORE", "~/mine")
    assert default_store() == Path.home() / "mine"
