"""The embedded Prefect server: it answers, it is somebody else's where there is one, and it dies with its parent."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from flows.server import embedded, home
from flows.server.python_command import python_command
from storage.errors import StillskyError, StoreError

PARENT = """
import time
from pathlib import Path
from flows.server import embedded
with embedded.server(Path.cwd()):
    embedded.wait_for_server()
    import os
    print(os.environ["PREFECT_API_URL"], flush=True)
    time.sleep(600)
"""


LOGGING = """
import logging
from pathlib import Path
from flows.server import embedded
with embedded.server(Path.cwd()):
    from prefect import flow, get_client, task
    embedded.wait_for_server()

    @task
    def wait() -> None:
        logging.getLogger("stillsky").info("waiting for another process")

    @flow
    def run() -> None:
        wait()

    logging.getLogger("stillsky").info("nobody's")
    run()
    embedded.send_logs()
    with get_client(sync_client=True) as client:
        print([line.message for line in client.read_logs() if line.name == "stillsky"])
"""


def test_what_we_log_reaches_the_runs_logs(tmp_path: Path, environment: dict[str, str]) -> None:
    """And what is logged outside a run disturbs nobody."""
    told = subprocess.run(
        [sys.executable, "-c", LOGGING], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
    )
    assert told.stdout.strip() == "['waiting for another process']", told.stderr
    assert "nobody" not in told.stderr


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5):
            return True
    except OSError:
        return False


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGINT])
def test_server_ends_with_its_parent(tmp_path: Path, environment: dict[str, str], blow: signal.Signals) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True,
        stderr=subprocess.DEVNULL, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )  # fmt: skip
    assert parent.stdout is not None
    url = parent.stdout.readline().strip()
    assert _answers(url)
    os.killpg(parent.pid, blow)
    parent.wait(600)
    parent.stdout.close()
    end = time.monotonic() + 30
    while _answers(url) and time.monotonic() < end:
        time.sleep(0.05)
    assert not _answers(url)
    assert (tmp_path / "prefect" / "prefect.db").exists()
    assert "Fatal Python error" not in (tmp_path / "prefect" / "server.log").read_text()


def test_server_of_the_user_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(os, "environ", {**os.environ, "PREFECT_API_URL": "http://prefect.example/api"})
    with embedded.server(tmp_path):
        assert os.environ["PREFECT_API_URL"] == "http://prefect.example/api"
    assert os.environ["PREFECT_API_URL"] == "http://prefect.example/api"
    assert list(tmp_path.iterdir()) == []


def test_server_that_does_not_answer_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.setattr(embedded, "MAX_START_S", 0.1)
    with pytest.raises(Exception, match=r"did not answer within .* see .*server\.log"):
        embedded.wait_for_server()


def test_nothing_in_the_working_directory_runs_or_counts(tmp_path: Path, environment: dict[str, str]) -> None:
    """Neither modules nor settings files of Prefect's, which may name a logging file that runs code."""
    night, touched = tmp_path / "night", tmp_path / "touched"
    night.mkdir()
    (night / "a.ser").write_bytes(b"no capture")
    for name in ("uvicorn", "fastapi", "prefect", "storage", "sitecustomize"):
        (night / f"{name}.py").write_text(f"from pathlib import Path; Path({str(touched)!r}).touch()")
    (night / "log.yml").write_text(f"version: 1\nfilters: {{f: {{(): os.mkdir, path: {touched}}}}}\n")
    (night / ".env").write_text("PREFECT_LOGGING_SETTINGS_PATH=log.yml\n")
    (night / "prefect.toml").write_text(
        "[logging]\nsettings_path = 'log.yml'\n[api]\nurl = 'http://evil.example/api'\n"
    )
    words = ["restore", "a.ser", "--out", "out", "--store", str(tmp_path / "store")]
    program = [str(Path(sys.executable).with_name("stillsky")), *words]
    done = subprocess.run(program, cwd=night, env=environment, capture_output=True, text=True, timeout=600)
    assert (done.returncode, "not a SER capture" in done.stderr) == (1, True), done.stderr
    assert not touched.exists()


def test_a_server_whose_parent_is_gone_does_not_start(tmp_path: Path, environment: dict[str, str]) -> None:
    """It ends at once, by itself, not after its start."""
    done = subprocess.run(
        python_command("flows.server.embedded_app", "0"), stdin=subprocess.DEVNULL, cwd=tmp_path, timeout=600,
        env={**environment, "PREFECT_HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 1


def test_a_server_that_ended_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    with pytest.raises(StillskyError, match=r"ended as it started; .*server\.log says why"):
        embedded.wait_for_server(lambda: True)


def test_a_full_store_is_said_before_a_server_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")})
    monkeypatch.setattr(home, "MIN_FREE_BYTES", 1 << 80)
    with pytest.raises(StoreError, match="Prefect's records need"), embedded.server(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []
