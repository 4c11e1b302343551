"""`stillsky serve` as real processes: on demand, on schedule, from the inbox; killed anywhere, it goes on."""

import json
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from configs.request import ServeRequest
from storage.errors import Hopeless
from tests.flows.served import PATIENCE_S


@pytest.fixture(scope="module")
def served(
    serving: Any, tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str], quick: list[str]
) -> Iterator[Any]:
    one = serving(tmp_path_factory.mktemp("served"), tuple(quick[1::2]), environment).start()
    yield one
    one.stop()


def test_it_says_where_it_serves_and_when_the_night_runs(served: Any) -> None:
    assert served.lines[0].startswith("UI       http://127.0.0.1:")
    assert f"inbox    {served.inbox}" in served.lines
    assert re.fullmatch(r"night    next run \d{4}-\d\d-\d\d 08:00 Europe/Berlin", served.lines[-1])


def test_it_listens_on_this_machine_only(served: Any) -> None:
    """By the kernel's table: local address, state 0A is listening."""
    port = f"{int(served.api.rsplit(':', 1)[1]):04X}"
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    listening = [row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{port}")]
    assert listening == [f"0100007F:{port}"]


def test_the_night_gets_scheduled_runs(served: Any) -> None:
    """The pinned versions of Prefect's own libraries matter here: with others the scheduler silently does nothing."""
    night = served.deployment("night")
    assert night["schedules"][0]["schedule"]["cron"] == "0 8 * * *"
    assert night["parameters"]["request"]["folder"] == str(served.inbox)

    def scheduled() -> Any:
        return served.ask("flow_runs/filter", flow_runs={"deployment_id": {"any_": [night["id"]]}})

    served.until(scheduled, "no run was scheduled")
    assert {run["state_name"] for run in scheduled()} == {"Scheduled"}


def test_the_form_is_typed(served: Any) -> None:
    deployment = served.deployment("capture")
    form = deployment["parameter_openapi_schema"]["definitions"]["CaptureRequest"]["properties"]
    assert form["device"]["enum"] == ["auto", "cpu", "cuda"]
    assert all(field["description"] for field in form.values())
    assert form["profile"]["enum"] == ["planet", "moon", "sun", "stars", "satellite"]
    assert "null" not in json.dumps(form)
    assert "out" not in deployment["parameters"]["request"]  # no default that two requests would share
    wrong = {"capture": "a.ser", "out": "out", "device": "abacus"}
    with pytest.raises(urllib.error.HTTPError) as refused:
        served.ask(f"deployments/{deployment['id']}/create_flow_run", parameters={"request": wrong})
    assert refused.value.code in (409, 422)


def test_a_capture_in_the_inbox_is_restored(served: Any, film: Path) -> None:
    shutil.copy(film, served.inbox / "film.part")
    (served.inbox / "film.part").rename(served.inbox / "film.ser")
    out = served.inbox / "restored" / "film_ser"
    served.until((out / "report.json").exists, "no result")
    capture = {"any_": [served.deployment("capture")["id"]]}

    def states() -> list[str]:
        return [run["state_name"] for run in served.ask("flow_runs/filter", flow_runs={"deployment_id": capture})]

    served.until(lambda: states() == ["Completed"], "the run does not end")
    told = served.ask("artifacts/filter", artifacts={"key": {"like_": "-result"}})
    (page,) = re.findall(r"\[Open the whole report\]\((.+?)\)", told[0]["data"])
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(page, timeout=600)
    assert refused.value.code == 401
    with served.open(urllib.request.Request(page)) as answer:
        assert answer.read() == (out / "report.html").read_bytes()
    limits = served.ask("v2/concurrency_limits/filter")
    (cpu,) = [limit for limit in limits if limit["name"] == "stillsky-cpu"]
    assert (cpu["limit"], cpu["active_slots"]) == (1, 0)


def test_nobody_without_the_password_and_no_foreign_page_gets_in(served: Any) -> None:
    url = f"{served.api}/api/flows/filter"

    def code(with_password: bool, **headers: str) -> int:
        request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json", **headers})
        try:
            with served.open(request) if with_password else urllib.request.urlopen(request, timeout=600) as answer:
                assert answer.headers["access-control-allow-origin"] in (None, served.api)
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    assert code(True) == 200
    assert code(False) == 401
    assert code(True, Origin="http://evil.example") == 403
    assert code(True, Host="evil.example") == 421
    assert code(True, Origin=served.api) == 200
    password = served.folder / "store" / "prefect" / "password"
    assert password.stat().st_mode & 0o077 == 0
    assert sum(password.read_text().strip() in line for line in served.lines) == 1


def test_requests_run_no_commands(served: Any, film: Path) -> None:
    """Job variables, settings and deployments of somebody who has the password."""
    touched = served.folder / "touched"
    deployment = served.deployment("capture")
    path = shutil.copy(film, served.folder / "film.ser")
    request = {"capture": str(path), "out": str(served.folder / "attack"), "overrides": list(served.settings)}
    shell = f"sh -c 'touch {touched}'"
    start = f"deployments/{deployment['id']}/create_flow_run"
    notify = [*served.settings, f"night.notify='touch {touched}'"]
    evil = served.ask(
        "deployments/", name="evil", flow_id=deployment["flow_id"], work_pool_name="stillsky", entrypoint="evil.py:flow",
        pull_steps=[{"prefect.deployments.steps.run_shell_script": {"script": f"touch {touched}"}}],
        job_variables={"command": shell, "env": {"PREFECT__FLOW_ENTRYPOINT": "this.this"}},
    )  # fmt: skip
    runs = {
        "job variables are not taken": served.ask(start, parameters={"request": request}, job_variables={"command": shell}),
        "night.notify is not taken": served.ask(start, parameters={"request": {**request, "overrides": notify}}),
        "capture = /etc/passwd": served.ask(start, parameters={"request": {**request, "capture": "/etc/passwd"}}),
        "out = /elsewhere": served.ask(
            f"deployments/{evil['id']}/create_flow_run",
            parameters={"request": {**request, "capture": str(served.inbox), "out": "/elsewhere"}},
        ),
    }  # fmt: skip
    for reason, run in runs.items():
        served.until(lambda run=run: served.state(run["id"]) == "Refused", f"not refused: {reason}")
        assert reason in served.ask(f"flow_runs/{run['id']}")["state"]["message"]
    assert not touched.exists()
    assert not (served.folder / "attack").exists()


@pytest.mark.slow
def test_a_hopeless_capture_fails_once_with_the_reason(served: Any, tmp_path: Path) -> None:
    path = tmp_path / "broken.ser"
    path.write_bytes(b"no capture at all")
    run = served.begin(path)
    served.until(lambda: served.state(run) == "Failed", "it does not fail")
    told = served.ask(f"flow_runs/{run}")
    assert "not a SER capture" in told["state"]["message"]
    assert told["run_count"] == 1


@pytest.mark.slow
def test_a_command_on_the_same_store_joins_the_server(served: Any, film: Path, quick: list[str]) -> None:
    words = [sys.executable, "-m", "flows.cli", "restore", str(film), "--out", str(served.folder / "by hand"), *quick]
    words += ["--store", str(served.folder / "store")]
    subprocess.run(words, env=served.environment, check=True, capture_output=True, timeout=PATIENCE_S)
    runs = served.ask("flow_runs/filter", flow_runs={"deployment_id": {"is_null_": True}})
    assert [(run["name"], run["state_name"]) for run in runs] == [("film.ser", "Completed")]


def test_a_cron_comes_due_and_its_night_runs(
    serving: Any, tmp_path: Path, environment: dict[str, str], quick: list[str], film: Path
) -> None:
    """Every fifteen seconds: the sixth field of a cron is its seconds."""
    one = serving(tmp_path, tuple(quick[1::2]), environment, ("--cron", "* * * * * */15"))
    (tmp_path / "inbox").mkdir()
    shutil.copy(film, tmp_path / "inbox" / "film.ser")
    one.start()
    try:
        nights = {"any_": [one.deployment("night")["id"]]}

        def ended() -> Any:
            runs = one.ask("flow_runs/filter", flow_runs={"deployment_id": nights})
            return [run for run in runs if run["state_name"] == "Completed"]

        one.until(lambda: len(ended()) >= 2, "no two nights have come due")
        assert all(run["auto_scheduled"] for run in ended())
    finally:
        one.stop()
    assert (tmp_path / "inbox" / "restored" / "film_ser" / "report.json").exists()
    assert list((tmp_path / "store").glob("**/.*.tmp")) == []


def test_two_on_one_store_are_refused(served: Any) -> None:
    done = subprocess.run(served.words, env=served.environment, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 1
    assert "is served already, by process" in done.stderr
    assert str(served.process and served.process.pid) in done.stderr


def test_an_inbox_that_cannot_be_read_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that was unplugged ends nothing; when it is there again it is read again."""
    from flows.service.serve import Service
    from flows.service.settings import ServerChoice

    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    said: list[str] = []
    service = Service(ServeRequest(), tmp_path, said.append, ServerChoice(own=True))
    outcomes: list[Any] = [Hopeless("no such folder"), Hopeless("no such folder"), ["a.ser"], OSError("gone")]

    def send(*given: Any) -> list[str]:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return list(outcome)

    for _ in range(4):
        service._send_inbox(SimpleNamespace(send=send), None, SimpleNamespace(capture=None))  # type: ignore[arg-type]
    assert [line.split(" ", 1)[1] for line in said] == ["no such folder", "a.ser: found in the inbox", "gone"]
    assert all(re.match(r"\d\d:\d\d ", line) for line in said), "with the time"


@pytest.mark.slow
def test_a_server_that_cannot_start_is_told_at_once(tmp_path: Path, environment: dict[str, str]) -> None:
    words = [sys.executable, "-m", "flows.cli", "serve", "--store", str(tmp_path), "--port", "0"]
    words += ["--database", "postgresql+asyncpg://nobody@127.0.0.1:1/none"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 1
    assert "the Prefect server ended as it started" in done.stderr
