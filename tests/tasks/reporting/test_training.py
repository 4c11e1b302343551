"""What is shown of a training: reverts are marked in the curve, samples are in one scale of light."""

from io import BytesIO

import numpy as np
from PIL import Image as Pillow

from tasks.reporting.svg import standalone
from tasks.reporting.training import SAMPLES, curve_chart, sample_pictures

CURVE = [{"step": 0, "train_gain": 0.1}, {"step": 10, "train_gain": 0.4}, {"step": 10, "validation_gain": 0.3}]


def test_gains_of_training_and_validation_and_every_revert_are_drawn() -> None:
    chart = curve_chart(CURVE, [{"step": 7, "cause": "loss is not a number"}])
    assert [(series.name, len(series.x)) for series in chart.series] == [
        ("batches of the training", 2),
        ("validation", 1),
    ]
    assert [mark.value for mark in chart.marks if mark.axis == "x"] == [7.0]
    assert "reverted" in standalone(chart)


def test_a_drawing_that_stands_alone_is_an_svg_file() -> None:
    file = standalone(curve_chart(CURVE, []))
    assert file.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert "<style>" in file


def test_samples_have_one_scale() -> None:
    pictures = np.stack([np.full((8, 8), light, np.float32) for light in (0.0, 0.25, 0.5, 1.0)])
    files = sample_pictures(pictures)
    light = [float(np.mean(Pillow.open(BytesIO(files[name])))) for name in SAMPLES]
    assert light == sorted(light)
    assert light[0] < 5
    assert light[-1] > 250
