"""Processes under serve end with the one that started them, however that ended."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from flows.server.home import living_runs, run_lock
from storage.locks import take

PARENT = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())], stdout=subprocess.PIPE, text=True)
print(child.stdout.readline().strip(), flush=True)
sys.stdin.read()
"""
CHILD = """
import os, sys
from flows.service.child_process import _end_with
_end_with(int(sys.argv[1]))
print(os.getpid(), flush=True)
while True:
    os.read(os.pipe()[0], 1)
"""


def test_a_child_ends_when_its_parent_is_killed() -> None:
    words = [sys.executable, "-c", PARENT, CHILD]
    parent = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    watch = os.pidfd_open(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    import select

    ended, _, _ = select.select([watch], [], [], 30)
    os.close(watch)
    assert ended, "the child outlives its parent"


def test_a_child_whose_parent_was_gone_at_its_start_ends(tmp_path: Path) -> None:
    """The parent's number is handed down, not asked for: a child may start when it is an orphan already."""
    done = subprocess.run([sys.executable, "-c", CHILD, "1"], stdout=subprocess.DEVNULL, timeout=60)
    assert done.returncode == -signal.SIGTERM


def test_a_run_is_alive_while_its_lock_is_held(tmp_path: Path) -> None:
    assert living_runs(tmp_path) == []
    descriptor = take(run_lock(tmp_path, "1234"), "1234")
    assert descriptor is not None
    assert living_runs(tmp_path) == [tmp_path / "runs" / "1234.lock"]
    os.close(descriptor)
    assert living_runs(tmp_path) == []


def test_a_run_that_another_process_is_at_is_left_to_it(tmp_path: Path) -> None:
    descriptor = take(run_lock(tmp_path, "1234"), "1234")
    assert descriptor is not None
    environment = {
        **os.environ,
        "PREFECT_HOME": str(tmp_path),
        "PREFECT__FLOW_RUN_ID": "1234",
        "STILLSKY_PARENT": str(os.getpid()),
    }
    done = subprocess.run([sys.executable, "-m", "flows.service.child_process", "run"], env=environment, timeout=60)
    os.close(descriptor)
    assert done.returncode == 0
