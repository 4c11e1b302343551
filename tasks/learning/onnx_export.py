"""ONNX: a net for other programs, compared with torch before it is kept."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

MAX_DIFFERENCE = 1e-5
"""Largest difference to torch, in the net's own light."""
NAMES = ("inputs", "classical", "conditions")
SIZES = ((64, 64), (96, 72))
"""Pictures that are compared: the exported net takes any size."""


def exported(net: nn.Module) -> tuple[bytes, dict[str, Any]]:
    """The ONNX file and how near torch it is; nothing, and the reason, where the libraries are missing or it differs."""
    if any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxscript", "onnxruntime")):
        return b"", {"offered": False, "reason": "pip install 'stillsky[onnx]' for an ONNX file"}
    data = _onnx(net.eval())
    worst = max(_difference(net, data, size, seed) for seed, size in enumerate(SIZES))
    if worst > MAX_DIFFERENCE:
        return b"", {
            "offered": False,
            "reason": f"ONNX differs from torch by {worst:.1e}, {MAX_DIFFERENCE:g} is allowed",
        }
    return data, {"offered": True, "largest_difference": worst, "allowed": MAX_DIFFERENCE}


def _onnx(net: nn.Module) -> bytes:
    """The exporter's file; it speaks on the standard output, which is ours."""
    any_size = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            net, _given(net, SIZES[0], 0), input_names=list(NAMES), output_names=["answer"],
            dynamic_shapes=(any_size, any_size, None), opset_version=18, dynamo=True, verbose=False,
        )  # fmt: skip
    assert program is not None
    return bytes(program.model_proto.SerializeToString())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's lines on a library that is not missed (torchvision)."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _given(net: Any, size: tuple[int, int], seed: int) -> tuple[torch.Tensor, ...]:
    """Arrays as the net takes them; every call has other conditions."""
    rng = np.random.default_rng(seed)
    shapes = ((1, net.inputs, *size), (1, 2 if net.outputs == 3 else 1, *size), (1, net.conditions))
    return tuple(torch.from_numpy(rng.random(shape, dtype=np.float32)) for shape in shapes)


def _difference(net: nn.Module, onnx: bytes, size: tuple[int, int], seed: int) -> float:
    import onnxruntime

    given = _given(net, size, seed)
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    wanted = {each.name for each in session.get_inputs()}
    feed = {n: g.numpy() for n, g in zip(NAMES, given, strict=True) if n in wanted}
    with torch.no_grad():
        return float(np.abs(session.run(None, feed)[0] - net(*given).numpy()).max())
