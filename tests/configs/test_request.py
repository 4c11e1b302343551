"""Requests: what their runs are called."""

import os
from pathlib import Path

import pytest

from configs.request import CaptureRequest, NightRequest


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/data/2026-11-20/Jupiter/a.ser", "a.ser, 2026-11-20"),
        ("/data/20261120/a.ser", "a.ser, 2026-11-20"),
        ("/data/some night/a.ser", "a.ser, some night"),
        ("/a.ser", "a.ser"),
        ("/n/{capture} %s\x1b[31m.ser", "{capture} %s\N{REPLACEMENT CHARACTER}[31m.ser, n"),
    ],
)
def test_a_capture_and_its_night(path: str, title: str) -> None:
    assert CaptureRequest(capture=Path(path)).title == title


def test_bytes_that_are_no_text_are_replaced() -> None:
    path = Path(os.fsdecode(b"/n/\xff.ser"))
    assert CaptureRequest(capture=path).title == "\N{REPLACEMENT CHARACTER}.ser, n"


def test_a_night_is_called_after_its_folder() -> None:
    assert NightRequest(folder=Path("/data/2026-11-20")).title == "night in 2026-11-20"


@pytest.mark.parametrize("kind", [CaptureRequest, NightRequest])
def test_every_field_of_a_form_has_a_title_and_a_text(kind: type[CaptureRequest | NightRequest]) -> None:
    fields = kind.model_json_schema()["properties"]
    assert all(field["title"] and field["description"].endswith(".") for field in fields.values())
    assert fields["out"]["title"] == "Folder for the results"
    assert fields["device"]["title"] == "Device"
    assert not [field["title"] for field in fields.values() if field["title"].endswith(" s")], "units in words"
