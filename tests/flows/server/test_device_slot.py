"""One device is one slot: who is late waits, says for whom, and goes on; what the UI shows is what is held."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from configs.load import load_config
from configs.schema import Limits
from flows.server import device_slot as module
from flows.server.device_slot import show_slots, slot

HOLD = """
import sys
from pathlib import Path
from storage.locks import take
assert take(Path(sys.argv[1]), "mars.ser") is not None
print("held", flush=True)
sys.stdin.read()
"""


class Server:
    """Stands for the API: what the limits say, and the run's states."""

    def __init__(self) -> None:
        self.limits: dict[str, tuple[int, int]] = {}
        self.states: list[tuple[str, str]] = []
        self.running = True

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *trouble: object) -> None:
        pass

    def upsert_global_concurrency_limit_by_name(self, name: str, limit: int) -> None:
        self.limits[name] = limit, 0

    def update_global_concurrency_limit(self, name: str, update: Any) -> None:
        self.limits[name] = self.limits[name][0], update.active_slots

    def read_flow_run(self, run: Any) -> Any:
        return SimpleNamespace(id=run, state=SimpleNamespace(is_running=lambda: self.running))

    def set_flow_run_state(self, run: Any, state: Any, force: bool) -> None:
        self.states.append((state.name, state.message))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    told = Server()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(module, "get_client", lambda sync_client: told)
    monkeypatch.setattr(module, "get_run_logger", lambda: SimpleNamespace(info=lambda message: None))
    run = SimpleNamespace(id="00000000-0000-0000-0000-000000000001", name="jupiter.ser")
    monkeypatch.setattr(module, "flow_run", run)
    return told


def test_the_limit_shows_what_is_held(server: Server, tmp_path: Path) -> None:
    limits = Limits(cpu_captures=2)
    with slot("cpu", tmp_path, limits):
        assert server.limits == {"stillsky-cpu": (2, 1)}
        with slot("cpu", tmp_path, limits):
            assert server.limits == {"stillsky-cpu": (2, 2)}
    assert server.limits == {"stillsky-cpu": (2, 0)}
    assert server.states == []


@pytest.mark.parametrize("cancelled", [False, True])
def test_who_comes_second_waits_and_says_for_whom(server: Server, tmp_path: Path, cancelled: bool) -> None:
    """The holder is killed: its slot is free at once. A run that is being cancelled keeps that state."""
    lock = tmp_path / "prefect" / "locks" / "cpu-0.lock"
    words = [sys.executable, "-c", HOLD, str(lock)]
    other = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    server.running = not cancelled
    original = server.read_flow_run

    def look(run: Any) -> Any:
        other.kill()
        other.wait()
        return original(run)

    server.read_flow_run = look  # type: ignore[method-assign]
    with slot("cpu", tmp_path, load_config().limits):
        pass
    held = f"waits for stillsky-cpu, held by process {other.pid} (mars.ser)"
    states = [(name, message.partition(", since")[0]) for name, message in server.states]
    expected = [("Waiting", held), ("Running", "has stillsky-cpu for itself")]
    assert states == ([] if cancelled else expected)


def test_a_card_is_the_users_whatever_the_store(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two stores share a card; two cards do not share a slot."""
    limits = load_config().limits
    for root in (tmp_path / "a", tmp_path / "b"):
        with slot("cuda", root, limits):
            pass
    assert len(server.limits) == 1
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    show_slots(tmp_path, limits)
    assert sorted(name.rpartition("cuda")[2] for name in server.limits if "cuda" in name) == ["", "-1"]


def test_an_exception_frees_the_slot(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bad"), slot("cpu", tmp_path, load_config().limits):
        raise ValueError("bad")
    assert server.limits == {"stillsky-cpu": (1, 0)}
