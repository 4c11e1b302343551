"""What requests by API or form may ask for: own flows, open settings, configured folders."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from configs.request import ServeRequest
from flows.service.request_limits import RequestLimits, hand_down, handed_down, limits_of
from storage.errors import Hopeless
from storage.results.published import FILES


@pytest.fixture
def limits(tmp_path: Path) -> RequestLimits:
    for name in ("inbox", "more"):
        (tmp_path / name).mkdir()
    request = ServeRequest(
        inbox=tmp_path / "inbox",
        out=tmp_path / "results",
        allow=(tmp_path / "more",),
        config=tmp_path / "mine.toml",
        overrides=("night.settle_s=1", "evaluate.steps=9"),
    )
    return limits_of(request, tmp_path / "store")


def capture(tmp_path: Path, **more: Any) -> dict[str, Any]:
    request = {"capture": str(tmp_path / "inbox" / "a.ser"), "out": str(tmp_path / "results" / "a")}
    return {"request": {**request, **{k: str(v) if isinstance(v, Path) else v for k, v in more.items()}}}


def test_what_serve_itself_asks_for_is_taken(limits: RequestLimits, tmp_path: Path) -> None:
    own = {"store": tmp_path / "store", "config": tmp_path / "mine.toml", "night": tmp_path / "inbox"}
    taken = [
        ("capture", capture(tmp_path, **own, overrides=["night.settle_s=1", "evaluate.steps=3"]), {}),
        ("capture", capture(tmp_path, capture=tmp_path / "more" / "a.ser", out=tmp_path / "more" / "o"), None),
        ("night", {"request": {"folder": str(tmp_path / "inbox"), "out": str(tmp_path / "results")}}, None),
    ]
    for flow, parameters, job_variables in taken:
        limits.check(flow, parameters, job_variables)
        elsewhere = {"request": {**parameters["request"], "out": "/elsewhere"}}
        with pytest.raises(Hopeless, match="outside the folders"):
            limits.check(flow, elsewhere, job_variables)


@pytest.mark.parametrize(
    "override",
    [
        "night.notify=touch x", " night.notify=x", "night={notify='x'}", "store.keep_days=1", "night.settle_s=2",
        "camera.dark=/etc/passwd", "camera.flat='/etc/passwd'", "camera={dark='/etc/passwd'}", "camera.dark=relative",
    ],
)  # fmt: skip
def test_closed_settings_are_refused(limits: RequestLimits, tmp_path: Path, override: str) -> None:
    with pytest.raises(Hopeless, match=r"is not taken from a request|outside the folders|is relative"):
        limits.check("capture", capture(tmp_path, overrides=[override]), None)


def test_paths_elsewhere_are_refused(limits: RequestLimits, tmp_path: Path) -> None:
    (tmp_path / "inbox" / "link").symlink_to("/etc")
    requests = [
        capture(tmp_path, capture="/etc/passwd"),
        capture(tmp_path, capture=tmp_path / "inbox" / ".." / "x.ser"),
        capture(tmp_path, capture=tmp_path / "inbox" / "link" / "passwd"),
        capture(tmp_path, capture="a.ser"),
        capture(tmp_path, out=tmp_path),
        capture(tmp_path, out=tmp_path / "inbox"),
        capture(tmp_path, night="/"),
    ]
    for request in requests:
        with pytest.raises(Hopeless, match=r"outside the folders|is relative"):
            limits.check("capture", request, None)
    for request in ({"folder": "/"}, {"folder": str(tmp_path / "inbox")}):  # whose results would be in the inbox
        with pytest.raises(Hopeless, match="outside the folders"):
            limits.check("night", {"request": request}, None)


@pytest.mark.parametrize("name", ["store", "config", "dask"])
def test_stores_settings_files_and_clusters_are_serves_own(limits: RequestLimits, tmp_path: Path, name: str) -> None:
    with pytest.raises(Hopeless, match=f"--{name}"):
        limits.check("capture", capture(tmp_path, **{name: str(tmp_path / "inbox" / "other")}), None)


@pytest.mark.parametrize("budget_s", ["nan", "inf", -1, 0, "soon"])
def test_budgets_that_are_no_time_are_refused(limits: RequestLimits, tmp_path: Path, budget_s: Any) -> None:
    with pytest.raises(Hopeless, match="budget_s"):
        limits.check("capture", capture(tmp_path, budget_s=budget_s), None)


def test_previews_and_short_nights_can_be_asked_for(limits: RequestLimits, tmp_path: Path) -> None:
    limits.check("capture", capture(tmp_path, quick=True, budget_s=1200), None)
    folders = {"folder": str(tmp_path / "inbox"), "out": str(tmp_path / "results")}
    limits.check("night", {"request": {**folders, "by": "08:00", "quick": False}}, None)
    with pytest.raises(Hopeless, match="cannot be understood"):
        limits.check("night", {"request": {**folders, "by": "eight"}}, None)


@pytest.mark.parametrize(("there", "ok"), [("preview", True), ("sky", False), ("stack", False), (None, True)])
def test_a_preview_never_replaces_a_full_result(
    limits: RequestLimits, tmp_path: Path, there: str | None, ok: bool
) -> None:
    folder = tmp_path / "results" / "a"
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / name).write_text("{}")
    if there is not None:
        (folder / "report.json").write_text(json.dumps({"published": there}))
    limits.check("capture", capture(tmp_path), None)
    with nullcontext() if ok else pytest.raises(Hopeless, match="holds a full result"):
        limits.check("capture", capture(tmp_path, quick=True), None)


def test_other_flows_job_variables_and_nonsense_are_refused(limits: RequestLimits, tmp_path: Path) -> None:
    with pytest.raises(Hopeless, match="none of stillsky's"):
        limits.check("shell", {}, None)
    with pytest.raises(Hopeless, match=r"job variables are not taken \(command\)"):
        limits.check("capture", capture(tmp_path), {"command": "touch x"})
    with pytest.raises(Hopeless, match="cannot be understood"):
        limits.check("capture", {"request": {"capture": 3}}, None)


def test_the_limits_reach_the_processes_of_runs(limits: RequestLimits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLSKY_REQUEST_LIMITS", "")
    hand_down(limits)
    assert handed_down() == limits
