"""doctor: what is missing is found, and comes with a remedy."""

import http.server
import threading
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

from flows.cli import doctor
from flows.cli.doctor import Finding, examine
from tasks.running import devices


def found(findings: list[Finding], name: str) -> Finding:
    return next(f for f in findings if f.name == name)


def test_whole_installation_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.delenv("PREFECT_HOME", raising=False)
    findings = examine(tmp_path / "store", "cpu")
    names = [f.name for f in findings]
    assert {"python", "stillsky", "prefect", "torch", "numpy", "h5py", "dask", "astropy", "av"} <= set(names)
    assert {"fastapi", "sqlalchemy", "cpu", "device", "store", "free space", "prefect home", "prefect api"} <= set(
        names
    )
    assert found(findings, "prefect home").value == str(tmp_path / "store" / "prefect")
    assert all(f.ok or f.remedy for f in findings)
    assert found(findings, "store").ok


@pytest.mark.parametrize(("text", "ok"), [("numpy>=1.0", True), ("numpy<1.0", False), ("no-such-package-x>=1", False)])
def test_versions_are_held_against_their_limits(text: str, ok: bool) -> None:
    finding = doctor._version(Requirement(text))
    assert finding.ok is ok
    assert ok or "pip install" in finding.remedy
    assert ok or "->" in finding.line


def test_store_that_cannot_be_made_is_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    finding = found(examine(tmp_path / "file", "cpu"), "store")
    assert not finding.ok
    assert "--store" in finding.remedy
    monkeypatch.setattr(doctor, "MIN_FREE_BYTES", 1 << 80)
    assert "prune" in found(examine(tmp_path, "cpu"), "free space").remedy


def test_cuda_that_is_not_there_is_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cuda_trouble", lambda: "torch finds no card; install a driver")
    finding = found(examine(tmp_path, "cuda"), "device")
    assert not finding.ok
    assert "install a driver" in finding.remedy
    assert found(examine(tmp_path, "auto"), "device").value.startswith("cpu")


def test_prefect_api_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Healthy(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/api/health" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{server.server_port}/api")
    assert found(examine(tmp_path, "cpu"), "prefect api").ok
    server.shutdown()
    server.server_close()
    silent = found(examine(tmp_path, "cpu"), "prefect api")
    assert not silent.ok
    assert "unset PREFECT_API_URL" in silent.remedy


def test_packages_that_hide_its_own_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (finding,) = doctor._packages()
    assert (finding.ok, finding.remedy) == (True, "")
    other = SimpleNamespace(submodule_search_locations=[str(tmp_path / "tasks")])
    monkeypatch.setattr(doctor, "find_spec", lambda name: other if name == "tasks" else find_spec(name))
    (finding,) = doctor._packages()
    assert not finding.ok
    assert f"tasks from {tmp_path / 'tasks'}" in finding.value
    assert "pipx install" in finding.remedy
