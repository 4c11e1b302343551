"""What the Prefect UI is told of a run, as its database holds it and as a browser shows it."""

import base64
import io
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from configs.load import load_config
from configs.request import printable
from flows.server import embedded
from flows.ui import artifacts as ui
from flows.ui.markdown import picture, table
from storage.captures.capture import Capture
from storage.results.export import THUMB_BYTES
from storage.results.truth import beside

NAME = '{a} <img src=x onerror=document.title="owned"> | `x` ](y) **b**\n# c.ser'
"""Somebody's idea of a file name."""

RUNS = """
import sys
from pathlib import Path
from flows.server import embedded
words = sys.argv[1:]
def run(*more):
    from flows.cli.main import main
    main([*words, *more], standalone_mode=False)
with embedded.server(Path.cwd()):
    embedded.wait_for_server()
    from prefect.client.orchestration import SyncPrefectClient
    from flows.ui import artifacts as ui
    ui.MIN_STEP_S, ui.UPDATE_S = 0.0, 0.05
    run()
    run()
    ui._client = lambda: SyncPrefectClient("http://127.0.0.1:9/api")
    run("--set", "rounds.1.sky.air_share=0.5")
"""
"""Three runs: all is to do, nothing is to do, and the last round is to do while nobody takes artifacts."""

HANG_S = 900.0
"""Longest wait for another process; it only ends a hang."""

Colours = list[list[tuple[int, int, int]]]
COLOURS: Colours = [[(201, 23, 87), (19, 167, 71)], [(37, 53, 211), (229, 181, 13)]]
"""Of the quadrants of a picture, as they lie."""
EDGE_PX = 2
"""By so much the edges of an area may be off where the page scales the picture."""

FILLED = 0.995
"""Share of an area that has its colour: a page may round the corners of a picture."""

BROWSER = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--force-color-profile=srgb", "--virtual-time-budget=20000",
    "--window-size=1400,1800",
)  # fmt: skip

PNG = re.compile(r"!\[([^\]]*)\]\(data:image/png;base64,([A-Za-z0-9+/=]+)\)")


@dataclass(frozen=True)
class Told:
    """One artifact."""

    id: str
    key: str
    type: str
    data: Any
    description: str
    task: str | None

    @property
    def pictures(self) -> list[bytes]:
        return [base64.b64decode(code) for _, code in PNG.findall(self.data)]


@dataclass(frozen=True)
class Runs:
    """The three runs: the home of the server, and per run its state, its artifacts, and what it logged."""

    home: Path
    names: list[str]
    states: list[str]
    told: list[list[Told]]
    logs: list[str]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, film: Path, quick: list[str], environment: dict[str, str]) -> Runs:
    folder = tmp_path_factory.mktemp("artifacts")
    shutil.copy(film, folder / NAME)
    shutil.copy(beside(film)["truth"], beside(folder / NAME)["truth"])
    shutil.copy(beside(film)["config"], folder / "film.toml")
    words = ["restore", str(folder / NAME), "--out", "out `1`", "--store", "store", "--config", "film.toml", *quick]
    words += ["--set", "rounds.1.psfs.batch_frames=12", "--set", "rounds.1.psfs.steps=20"]  # several bars, a good sky
    ended = subprocess.run(
        [sys.executable, "-c", RUNS, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    assert ended.returncode == 0, ended.stderr
    with sqlite3.connect(f"file:{folder / 'prefect' / 'prefect.db'}?mode=ro", uri=True) as data:
        flows = data.execute("select id, name, state_name from flow_run order by created").fetchall()
        artifacts = data.execute(
            """select a.flow_run_id, a.id, a.key, a.type, a.data, a.description, t.name
            from artifact a left join task_run t on t.id = a.task_run_id order by a.created"""
        ).fetchall()
        lines = data.execute("select flow_run_id, message from log").fetchall()
    told = [
        [Told(i, k, t, json.loads(str(d)), w, n) for of, i, k, t, d, w, n in artifacts if of == run]
        for run, _, _ in flows
    ]
    logs = ["\n".join(line for of, line in lines if of == run) for run, _, _ in flows]
    return Runs(folder / "prefect", [n for _, n, _ in flows], [s for _, _, s in flows], told, logs)


def _image(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as opened:
        assert opened.format == "PNG"
        return np.asarray(opened)


def test_every_round_shows_its_sky_and_its_figures(runs: Runs) -> None:
    rounds = [a for a in runs.told[0] if "-round-" in a.key and a.type == "markdown"]
    assert [(a.key[-8:], a.task) for a in rounds] == [
        ("-round-1", "solve sky round 1"),
        ("-round-2", "solve sky round 2"),
    ]
    for number, artifact in enumerate(rounds, start=1):
        (png,) = artifact.pictures
        assert _image(png).std() > 20, "a planet is no even grey"
        assert len(png) <= THUMB_BYTES
        rows = [line for line in artifact.data.splitlines() if line.startswith("| ")]
        assert rows[0].startswith("| round | frames |")
        assert rows[0].endswith("| D/r0 | seconds |")
        assert len(rows) == 2 + number


def test_the_end_shows_before_and_after_in_one_scale(runs: Runs) -> None:
    result = runs.told[0][-1]
    assert result.key.endswith("-result")
    before, after = (_image(png) for png in result.pictures)
    assert before.shape == after.shape
    assert after.max() > before.max(), "the same white: the sharper one is brighter at its peak"
    assert "The sky is published" in result.data
    assert "| left unexplained by the sky, × noise |" in result.data
    assert "| resolved detail, arcsec |" in result.data
    assert "| against the truth | PSNR, dB |" in result.data
    assert f"The whole report: `` {runs.home.parent}/out `1`/report.html ``" in result.data


def test_bars_of_steps_belong_to_them_and_end_full(runs: Runs) -> None:
    bars = [a for a in runs.told[0] if a.type == "progress"]
    assert {a.task for a in bars} >= {"align", "measure seeing", "solve psfs round 2"}
    for bar in bars:
        assert bar.data == 100
        assert re.fullmatch(rf"{bar.task}: done in \d+\.\d s", bar.description)
        assert bar.key.endswith(ui.slug(bar.task))


def test_keys_are_those_of_the_capture(runs: Runs) -> None:
    keys = [a.key for a in runs.told[0]]
    assert all(re.fullmatch(r"a-img-src-x-onerror-document-title-owned-[0-9a-f]{8}-[a-z0-9-]+", k) for k in keys)
    assert len(set(keys)) == len(keys)
    assert runs.names == [f"{printable(NAME)}, {runs.home.parent.name}"] * 3


def test_a_run_with_nothing_to_do_tells_only_its_end(runs: Runs) -> None:
    assert [(a.key[-7:], a.data) for a in runs.told[1]] == [("-result", runs.told[0][-1].data)]


def test_no_run_fails_when_the_ui_is_not_reached(runs: Runs) -> None:
    assert runs.states == ["Completed"] * 3
    assert runs.told[2] == []
    assert runs.logs[2].count("the UI misses pictures and progress of this run") == 1, "told once, not at every step"
    assert not any("the UI misses" in log for log in runs.logs[:2])


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Artifacts whose clock is moved by hand and whose bar is written down."""
    now = SimpleNamespace(s=100.0, bars=[])
    monkeypatch.setattr(ui.time, "monotonic", lambda: now.s)
    capture = Capture(Path("a.ser"), "0123456789")
    now.artifacts = ui.RunArtifacts(capture, load_config(None))
    monkeypatch.setattr(now.artifacts, "_update_bar", lambda bar, percent, words: now.bars.append((percent, words)))
    now.artifacts.bar = ui.ProgressBar("a", now.s)
    return now


def test_bars_only_for_what_takes_long_and_not_too_often(told: SimpleNamespace) -> None:
    for done in range(101):
        told.artifacts.update_progress("align", done, 100)
        told.s += 0.125
    assert [percent for percent, _ in told.bars] == [24, 40, 56, 72, 88]
    assert told.bars[0][1] == "align: 24 of 100, 8.0/s, 0:00:10 left"


def test_no_bar_where_the_end_is_not_known(told: SimpleNamespace) -> None:
    told.s += 60
    told.artifacts.update_progress("ingest", 500, 0)
    assert told.bars == []


# ---- in a browser


@pytest.fixture(scope="module")
def site(runs: Runs, environment: dict[str, str]) -> Iterator[str]:
    """The address of a Prefect UI over the finished runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    settings = {
        "PREFECT_HOME": str(runs.home), "PREFECT_SERVER_API_PORT": str(port), "PREFECT_UI_API_URL": f"{url}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1",
    }  # fmt: skip
    command = [str(Path(sys.executable).with_name("prefect")), "server", "start", "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, env={**environment, **settings}, start_new_session=True, **quiet)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PREFECT_API_URL", f"{url}/api")
            patch.setenv("PREFECT_HOME", str(runs.home))
            embedded.wait_for_server()
        yield url
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(HANG_S)


Screen = np.ndarray
"""(y, x, 3) what a browser shows, 8 bit RGB."""


@pytest.fixture
def browse(tmp_path: Path) -> Callable[[str], tuple[str, Screen]]:
    """What a browser makes of an address: the page's HTML, and its pixels."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("Chromium is not installed (apt install chromium)")

    def call(url: str, *words: str) -> str:
        profile = tempfile.mkdtemp(prefix="profile-", dir=tmp_path)
        command = [chromium, *BROWSER, f"--user-data-dir={profile}", *words, url]
        return subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, check=True).stdout

    def look(url: str) -> tuple[str, Screen]:
        shot = tmp_path / "shot.png"
        page = call(url, "--dump-dom")
        call(url, f"--screenshot={shot}")
        with Image.open(shot) as opened:
            return page, np.asarray(opened.convert("RGB"))

    return look


@pytest.mark.parametrize("face", ["", "/v2"])
def test_pictures_show_in_the_browser(runs: Runs, site: str, browse: Any, face: str) -> None:
    """Both faces of Prefect's UI: the pictures are in the page, and on the screen; the hostile name is only text."""
    result = next(a for a in runs.told[0] if a.key.endswith("-result"))
    page, without = browse(f"{site}{face}/artifacts/artifact/{result.id}")
    sources = re.findall(r'<img[^>]* src="data:image/png;base64,([^"]+)"', page)
    assert [base64.b64decode(code) for code in sources] == result.pictures
    assert 'src="x"' not in page
    assert "<title>owned" not in page
    _, shot = browse(f"{site}{face}/artifacts/artifact/{_publish(site, _quadrants())}")
    assert _shows(shot, COLOURS)
    assert not _shows(shot[:, ::-1], COLOURS), "a mirrored picture would do"
    assert not _shows(without, COLOURS), "no picture would do"


def _quadrants() -> np.ndarray:
    """A picture that nothing else on a page looks like: four flat areas of colours that no page has."""
    return np.repeat(np.repeat(np.array(COLOURS, np.uint8), 120, axis=0), 160, axis=1)


def _publish(site: str, pixels: np.ndarray) -> str:
    """Leave a picture with the server as the result of a run is left; returns the artifact's number."""
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    data = table([{"before: the stack": picture(png.getvalue(), "before")}])
    body = {"type": "markdown", "key": "quadrants-result", "description": "Before and after", "data": data}
    request = urllib.request.Request(
        f"{site}/api/artifacts/", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=HANG_S) as answer:
        return str(json.load(answer)["id"])


def _shows(shot: Screen, colours: Colours) -> bool:
    """Are there four flat areas of exactly these colours, of one size and shape, that touch as in the picture?"""
    boxes = [[_box(shot, colour) for colour in row] for row in colours]
    (upper_left, upper_right), (lower_left, lower_right) = boxes
    if not (upper_left and upper_right and lower_left and lower_right):
        return False
    top, left, height, width = upper_left
    expected = [(0, 0), (0, width), (height, 0), (height, width)]
    found = [(box[0] - top, box[1] - left) for row in boxes for box in row if box]
    sizes = [box[2:] for row in boxes for box in row if box]
    near = all(abs(a - b) <= EDGE_PX for pair in zip(found, expected, strict=True) for a, b in zip(*pair, strict=True))
    alike = all(abs(h - height) <= EDGE_PX and abs(w - width) <= EDGE_PX for h, w in sizes)
    return near and alike and abs(width - 4 / 3 * height) <= EDGE_PX


def _box(shot: Screen, colour: tuple[int, int, int]) -> tuple[int, int, int, int] | None:
    """Top, left, height and width of the area of one colour; None where it is small or not a filled rectangle."""
    rows, columns = np.nonzero((shot == colour).all(axis=-1))
    if len(rows) < 40 * 30:
        return None
    top, left = int(rows.min()), int(columns.min())
    height, width = int(rows.max()) + 1 - top, int(columns.max()) + 1 - left
    return (top, left, height, width) if len(rows) >= FILLED * height * width else None


def _screen(picture: np.ndarray, zoom: int = 1) -> Screen:
    """A screen of text-like noise with a picture on it."""
    screen = np.random.default_rng(1).integers(0, 2, (900, 1000, 1), np.uint8) * np.full(3, 255, np.uint8)
    shown = np.repeat(np.repeat(picture, zoom, axis=0), zoom, axis=1)
    screen[50 : 50 + len(shown), 200 : 200 + shown.shape[1]] = shown
    return screen


def test_the_check_of_the_screen_tells_pictures_apart() -> None:
    """What the check above accepts, and what it refuses: nothing, mirrored, turned, a part, another colour, pressed flat."""
    right = _quadrants()
    assert _shows(_screen(right), COLOURS)
    assert _shows(_screen(right, zoom=2), COLOURS)
    other = np.where((right == COLOURS[1][1]).all(axis=-1, keepdims=True), np.uint8(255) - right, right)
    wrong = [right[:0], right[:, ::-1], right[::-1], right[::-1, ::-1], right[:200], right[:, 10:], other, right[::2]]
    assert not any(_shows(_screen(picture), COLOURS) for picture in wrong)
