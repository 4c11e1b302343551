"""The demonstration: what is simulated is what is restored, and its verdict is told as it is."""

from pathlib import Path
from typing import Any

import pytest

from configs.request import CaptureRequest
from flows.cli import demo
from storage.results.truth import truth_beside


def test_capture_of_the_demonstration_is_restored_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[CaptureRequest] = []

    def restore(request: CaptureRequest, progress: Any = None) -> dict[str, Any]:
        asked.append(request)
        assert truth_beside(request.capture) is not None
        truth = {name: {"psnr_db": value} for name, value in (("stack", 20.0), ("lucky", 22.0), ("solved", 27.5))}
        return {"truth": truth, "verdict": ["The sky is published."]}

    monkeypatch.setattr(demo, "restore", restore)
    monkeypatch.setattr(demo, "SCENE", {"n_frames": 3, "size_px": 32, "d_over_r0": 2.0})
    done = demo.run_demo(tmp_path / "out", store=tmp_path / "store", device="cpu")
    assert asked[0].capture == done.capture == tmp_path / "out" / "demo.ser"
    assert asked[0].config == tmp_path / "out" / "demo.toml"
    assert asked[0].out == tmp_path / "out"
    assert [float(line.split("dB")[0].split()[-1]) for line in done.lines[:3]] == [20.0, 22.0, 27.5]
    assert done.lines[3] == "The sky is published."
    assert str(tmp_path / "out") in done.lines[-1]
