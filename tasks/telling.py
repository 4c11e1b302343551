"""What people are shown of a run while it goes on: small pictures of the sky, and a few figures of every round."""

from typing import Any

import numpy as np

from storage.export import thumbnails
from storage.product import Product
from storage.store import Store
from tasks.numerics.canvas import lone_box
from tasks.numerics.metrics import fourier_ring_correlation, frc_cutoff, split_half
from tasks.report import line_of

SHOWN = {"loss": "loss", "heldout_chi2": "held-out χ²"}
"""Figures that a product of a round may have as attributes, and what they are called."""


def round_picture(store: Store, sky: Product, stretch: str) -> bytes:
    """A PNG of the sky of one round, cut to the part of the frame that holds the target."""
    first = next(p for p in line_of(store, sky) if p.step == "shift_average")
    with store.open(first) as stacked, store.open(sky) as solved:
        box = lone_box(stacked["stack"][:].mean(axis=0))
        return thumbnails([solved["sky"][(slice(None), *box)]], stretch)[0]


def rounds_so_far(store: Store, sky: Product) -> list[dict[str, float]]:
    """One row per round up to this sky, the first round first: name of the figure, value."""
    line = line_of(store, sky)
    with store.open(next(p for p in line if p.step == "seeing")) as seen:
        strength = float(np.mean([group.attrs["d_over_r0"] for group in seen.values()]))
    rows: list[dict[str, float]] = []
    seconds, told = 0.0, dict[str, float]()
    for product in line:
        if product.step not in ("solve_psfs", "solve_sky"):
            continue
        with store.open(product) as file:
            seconds += float(file.attrs["seconds"])
            told |= {SHOWN[name]: float(file.attrs[name]) for name in SHOWN if name in file.attrs}
            if product.step == "solve_sky":
                figures = {"frames": float(len(file["frames"])), **told, "halves agree to, cycles/px": _agreement(file)}
                rows.append({"round": len(rows) + 1.0, **figures, "D/r0": strength, "seconds": seconds})
                seconds, told = 0.0, {}
    return rows


def before_and_after(store: Store, result: Product) -> dict[str, bytes]:
    """PNGs of the plain stack, and of what is published, with the same black and white."""
    with store.open(result) as file:
        box = (slice(None), *lone_box(file["stack"][:].mean(axis=0)))
        before, after = thumbnails([file["stack"][box], file["sky"][box]], str(file.attrs["stretch"]))
    return {"before": before, "after": after}


def _agreement(file: Any) -> float:
    """Spatial frequency up to which the skies of two halves of the frames agree, mean over the channels."""
    cutoffs = [frc_cutoff(split_half(fourier_ring_correlation(*halves))) for halves in file["halves"][:]]
    return float(np.mean(cutoffs))
