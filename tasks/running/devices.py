"""Which device computes: the graphics card where there is one that works, else the processor."""

import os
from dataclasses import dataclass

import torch

from storage.errors import Hopeless


@dataclass(frozen=True)
class Device:
    """Something that can compute."""

    name: str
    """As --device wants it."""
    model: str
    """What it says of itself."""
    memory_bytes: int
    """Its memory, bytes; 0 where it does not tell."""


def pick_device(wanted: str) -> str:
    """auto: cuda where a card really computes, else cpu; cuda that is not there is an error, never a silent cpu."""
    if wanted == "cpu":
        return "cpu"
    if wanted not in ("auto", "cuda"):
        raise Hopeless(f"--device {wanted}: known are auto, cpu and cuda")
    trouble = cuda_trouble()
    if not trouble:
        return "cuda"
    if wanted == "auto":
        return "cpu"
    raise Hopeless(f"--device cuda: {trouble}, or use --device cpu")


def cuda_trouble() -> str:
    """Why no graphics card can be used, with the remedy; empty where one can."""
    if torch.version.cuda is None and torch.version.hip is None:
        remedy = "install its CUDA build (https://pytorch.org/get-started)"
        return f"torch {torch.__version__} is built without CUDA; {remedy}"
    if not torch.cuda.is_available():
        return "torch finds no graphics card it can use; check that `nvidia-smi` shows one and update its driver"
    try:
        torch.zeros(1, device="cuda").add_(1).item()
    except RuntimeError as error:
        said = str(error).splitlines()[0]
        return f"the graphics card refuses to compute ({said}); free its memory or update its driver"
    return ""


def describe_devices() -> list[Device]:
    """The processor, and every graphics card that torch sees."""
    found = [Device("cpu", f"{threads()} threads", os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))]
    for k in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        card = torch.cuda.get_device_properties(k)
        found.append(Device(f"cuda:{k}", str(card.name), int(card.total_memory)))
    return found


def threads() -> int:
    """Threads that torch computes with."""
    return int(torch.get_num_threads())
