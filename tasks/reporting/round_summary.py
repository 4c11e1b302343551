"""What the UI shows of a run while it goes on: small pictures of the sky, and a few figures of every round."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.schema import Telescope
from storage.lineage import lineage
from storage.product import Product
from storage.results.export import thumbnails
from storage.results.white_balance import White, white_balanced
from storage.store import Store
from tasks.numerics.fourier.canvas import target_box
from tasks.numerics.judging.metrics import frc_cutoff
from tasks.products.contents import Evaluated, Sky, Stack
from tasks.products.half_sums import count_frames, half_agreement
from tasks.reporting.opened import open_products
from tasks.reporting.residual_map import residual_map

Image = NDArray[np.float32]


def round_picture(store: Store, sky: Product, stretch: str) -> bytes:
    """A PNG of the sky of one round, cut to the part of the frame that holds the target."""
    stack = next(product for product in lineage(store, sky) if product.step == Stack.step)
    with store.view(Stack, stack) as opened_stack, store.view(Sky, sky) as solved:
        box = target_box(opened_stack.stack[:].mean(axis=0))
        return thumbnails([solved.sky[(slice(None), *box)]], stretch)[0]


def rounds_so_far(store: Store, sky: Product, telescope: Telescope) -> list[dict[str, float]]:
    """One row per round up to this sky, the first round first: name of the figure, value; of green where there is colour."""
    with open_products(store, sky, telescope) as opened:
        rows = []
        for number, each in enumerate(opened.rounds, start=1):
            misfit = residual_map(opened.clean, opened.cutout, each.sky, opened.aperture, opened.d_over_r0)
            row = {
                "round": float(number),
                "frames": float(count_frames(each.sky)),
                "misfit / noise": misfit.median,
                **_resolved(frc_cutoff(half_agreement(each.sky, opened.channel)), telescope.scale_arcsec),
                "D/r0": opened.d_over_r0,
                "seconds": each.psfs_seconds + each.sky_seconds,
            }
            rows.append(row)
        return rows


@dataclass(frozen=True)
class Thumbnails:
    """Small pictures of the target, all with the same black and white."""

    before: bytes
    """PNG of the stack."""
    after: bytes
    """PNG of what is published."""
    width_px: int
    """Pixels of the capture across them."""
    sharpness_gain: float | None
    """Rms gradient over light of what is published, over that of the stack; None: the stack has no light."""


def _resolved(cutoff_cpp: float, scale_arcsec: float | None) -> dict[str, float]:
    """The finest detail on which halves of the frames agree."""
    if cutoff_cpp > 0 and scale_arcsec is not None:
        return {"resolved detail, arcsec": scale_arcsec / cutoff_cpp}
    return {"cycles/px resolved": cutoff_cpp}


def before_and_after(store: Store, result: Product, white: White = "none") -> Thumbnails:
    """The plain stack, and what is published, cut to the part of the frame that holds the target."""
    with store.view(Evaluated, result) as judged:
        return small_pictures(judged.stack[:], judged.published[:], judged.stretch, white)


def small_pictures(stack: Image, published: Image, stretch: str, white: White) -> Thumbnails:
    """The same from the pictures (channel, y, x)."""
    box = (slice(None), *target_box(stack.mean(axis=0)))
    pictures = [white_balanced(light, white)[box] for light in (stack, published)]
    before, after = thumbnails(pictures, stretch)
    plain, sharp = (_steepness(light[box]) for light in (stack, published))
    return Thumbnails(before, after, pictures[0].shape[-1], sharp / plain if plain > 0 else None)


def _steepness(picture: Image) -> float:
    """Rms gradient of a picture (channel, y, x) over its mean light above the darkest part."""
    mono = picture.mean(axis=0, dtype=np.float64)
    light = float(mono.mean() - np.percentile(mono, 1))
    rise, run = np.gradient(mono)
    return float(np.sqrt(np.mean(rise**2 + run**2))) / light if light > 0 else 0.0
