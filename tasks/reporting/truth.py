"""A known truth in the pixels of the result that is compared with it."""

import numpy as np
from numpy.typing import NDArray

from storage.product import Product
from storage.store import Store
from tasks.numerics.finishing.scale import upscaled
from tasks.products.contents import Evaluated

Image = NDArray[np.float32]


def comparable_truth(store: Store, result: Product, truth: Image | None) -> Image | None:
    """A truth (channel, y, x) in the pixels of an evaluated product; None where there is none."""
    if truth is None:
        return None
    with store.view(Evaluated, result) as judged:
        return in_pixels_of(truth, (judged.published.shape[-2], judged.published.shape[-1]))


def in_pixels_of(truth: Image, shape: tuple[int, int]) -> Image:
    """A truth (channel, y, x) with so many rows and columns: every n-th pixel of a finer one, else interpolated.

    Both are light through the camera's pixel, so a finer one holds the coarser one's values.
    """
    if truth.shape[-2:] == shape:
        return truth
    skip = round(truth.shape[-1] / shape[-1])
    if skip > 1:
        return truth[..., ::skip, ::skip][..., : shape[0], : shape[1]]
    return np.stack([upscaled(plane, shape[-1] / truth.shape[-1]) for plane in truth])[..., : shape[0], : shape[1]]
