"""What is shown of a training: the curve of its gains with what went wrong, and samples of the sealed test."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.results.export import thumbnails
from tasks.reporting.svg import Chart, Mark, Series

SAMPLES = ("given", "classical", "learned", "truth")
"""Pictures of a sample, from left to right."""


def curve_chart(curve: list[dict[str, Any]], events: list[dict[str, Any]]) -> Chart:
    """Gain over the classical answer from step to step; a dashed line where the training was reverted."""
    series = (
        Series("batches of the training", *_points(curve, "train_gain"), "dots", 1),
        Series("validation", *_points(curve, "validation_gain"), "line", 2),
    )
    marks = (Mark("y", 0.0, "the classical answer"), *(Mark("x", float(e["step"]), "reverted") for e in events))
    return Chart(
        "Gain over the classical answer", "In the unit of the loss.", "step", "gain",
        series, marks,
    )  # fmt: skip


def sample_pictures(sample: NDArray[np.float32]) -> dict[str, bytes]:
    """One example (picture, y, x), its pictures as SAMPLES names them, as PNGs in one scale of light."""
    return dict(zip(SAMPLES, thumbnails([picture[None] for picture in sample], "linear"), strict=True))


def _points(curve: list[dict[str, Any]], key: str) -> tuple[np.ndarray, np.ndarray]:
    rows = [row for row in curve if key in row]
    return np.array([row["step"] for row in rows], float), np.array([row[key] for row in rows], float)
