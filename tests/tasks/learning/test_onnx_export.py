"""ONNX: offered only where it gives what torch gives."""

import pytest

from tasks.learning import onnx_export
from tasks.learning.registry import new_net


def test_without_the_libraries_it_is_not_offered_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_export.importlib.util, "find_spec", lambda name: None)
    assert onnx_export.exported(new_net("fill", 4)) == (
        b"",
        {"offered": False, "reason": "pip install 'stillsky[onnx]' for an ONNX file"},
    )


@pytest.mark.slow
def test_it_gives_what_torch_gives_for_other_sizes_and_conditions() -> None:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    data, told = onnx_export.exported(new_net("burst", 2))
    assert told["offered"]
    assert told["largest_difference"] <= 1e-5
    assert len(data) > 1000


def test_a_file_that_differs_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(onnx_export, "_onnx", lambda net: b"some file")
    monkeypatch.setattr(onnx_export, "_difference", lambda *args: 1e-3)
    data, told = onnx_export.exported(new_net("fill", 2))
    assert data == b""
    assert told["reason"] == "ONNX differs from torch by 1.0e-03, 1e-05 is allowed"
