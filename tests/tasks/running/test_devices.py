"""Devices: what is asked for and is not there is an error with a remedy, never a silent fall-back."""

import pytest

from storage.errors import Hopeless
from tasks.running import devices


def test_auto_takes_the_card_only_where_it_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cuda_trouble", lambda: "")
    assert devices.pick_device("auto") == devices.pick_device("cuda") == "cuda"
    assert devices.pick_device("cpu") == "cpu"
    monkeypatch.setattr(devices, "cuda_trouble", lambda: "no card; buy one")
    assert devices.pick_device("auto") == "cpu"
    with pytest.raises(Hopeless, match="no card; buy one, or use --device cpu"):
        devices.pick_device("cuda")
    with pytest.raises(Hopeless, match="known are auto, cpu and cuda"):
        devices.pick_device("tpu")


def test_processor_is_always_described() -> None:
    first = devices.describe_devices()[0]
    assert first.name == "cpu"
    assert first.memory_bytes > 1 << 20
