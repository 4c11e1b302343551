"""The embedded Prefect server: it answers, it is somebody else's where there is one, and it dies with its parent."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from flows.server import embedded

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
        [sys.executable, "-c", LOGGING], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
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
    )  # fmt: skip
    assert parent.stdout is not None
    url = parent.stdout.readline().strip()
    assert _answers(url)
    os.killpg(parent.pid, blow)
    parent.wait(30)
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
