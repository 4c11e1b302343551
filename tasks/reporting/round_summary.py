"""What people are shown of a run while it goes on: small pictures of the sky, and a few figures of every round."""

import contextlib

from configs.schema import Telescope
from storage.product import Product
from storage.results.export import thumbnails
from storage.store import Store
from tasks.numerics.fourier.canvas import target_box
from tasks.numerics.judging.metrics import frc_cutoff
from tasks.products.clean_frames import Prepared
from tasks.products.cutout import field_of
from tasks.products.frames import FrameStack
from tasks.products.half_sums import frames_in, halves_agree
from tasks.products.optics import aperture_of
from tasks.reporting.report import line_of
from tasks.reporting.residual_map import misfit_of

SHOWN = {"loss": "loss", "heldout_chi2": "held-out χ²"}
"""Figures that a product of a round may have as attributes, and what they are called."""


def round_picture(store: Store, sky: Product, stretch: str) -> bytes:
    """A PNG of the sky of one round, cut to the part of the frame that holds the target."""
    first = next(p for p in line_of(store, sky) if p.step == "shift_average")
    with store.open(first) as stacked, store.open(sky) as solved:
        box = target_box(stacked["stack"][:].mean(axis=0))
        return thumbnails([solved["sky"][(slice(None), *box)]], stretch)[0]


def rounds_so_far(store: Store, sky: Product, telescope: Telescope) -> list[dict[str, float]]:
    """One row per round up to this sky, the first round first: name of the figure, value; of green where there is colour."""
    with contextlib.ExitStack() as stack:
        opened = [(product.step, stack.enter_context(store.open(product))) for product in line_of(store, sky)]
        turns = [[file for step, file in opened if step == name] for name in ("solve_psfs", "solve_sky")]
        files = dict(opened)
        mean, first, air = (files[step] for step in ("average", "shift_average", "seeing"))
        channel = 1 if len(first["stack"]) == 3 else 0
        field = field_of(first, channel)
        aperture = aperture_of(telescope, channel, mean, field.size)
        clean = Prepared(FrameStack(files["ingest"]), mean["bad"][:], mean["noise"][:])
        strength = float(air[f"channel{channel}"].attrs["d_over_r0"])
        rows = []
        for number, (psfs, solved) in enumerate(zip(*turns, strict=True), start=1):
            left = {**psfs.attrs, **solved.attrs}
            row = {
                "round": float(number),
                "frames": float(frames_in(solved)),
                **{word: float(left[name]) for name, word in SHOWN.items() if name in left},
                "misfit / noise": misfit_of(clean, field, solved, str(left["model"]), aperture, strength).median,
                "cycles/px resolved": frc_cutoff(halves_agree(solved, channel)),
                "D/r0": strength,
                "seconds": float(psfs.attrs["seconds"] + solved.attrs["seconds"]),
            }
            rows.append(row)
        return rows


def before_and_after(store: Store, result: Product) -> dict[str, bytes]:
    """PNGs of the plain stack, and of what is published, with the same black and white."""
    with store.open(result) as file:
        box = (slice(None), *target_box(file["stack"][:].mean(axis=0)))
        before, after = thumbnails([file["stack"][box], file["sky"][box]], str(file.attrs["stretch"]))
    return {"before": before, "after": after}
