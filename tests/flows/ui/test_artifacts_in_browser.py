"""Pictures of runs as a real browser shows them in both faces of the Prefect UI."""

import base64
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flows.server import embedded
from flows.ui.markdown import picture, table
from tests.flows.ui.conftest import HANG_S, Runs

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
