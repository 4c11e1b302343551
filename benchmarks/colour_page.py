"""Draws the pictures of docs/colour.md: simulates a Bayer capture, restores it, and shows what the mask does to spectra.

    python benchmarks/colour_page.py FOLDER

Capture and store stay in FOLDER; pictures are written to docs/colour/. `make pictures` does the same in build/colour.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow
from scipy import ndimage

from configs.load import load_config
from flows.recipe import restore_capture
from storage.captures.capture import capture_at
from storage.captures.readers import open_capture
from storage.results.export import stretched
from storage.results.truth import beside, truth_beside
from storage.results.white_balance import white_balanced
from storage.store import Store
from tasks.benchmark.simulate import simulate
from tasks.numerics.fourier.sampling import bayer_samplings, masked
from tasks.numerics.fourier.windows import hann
from tasks.products.contents import Evaluated
from tasks.running.step import Run

Image = NDArray[np.float32]
Codes = NDArray[np.uint8]

PICTURES = Path(__file__).parent.parent / "docs" / "colour"
PATTERN, SIDE, FRAMES = "RGGB", 96, 80
SCENE = {
    "mosaic": PATTERN, "n_frames": FRAMES, "size_px": SIDE, "d_over_r0": 4.0, "photons_peak": 6000.0, "bits": 8, "seed": 11,
    "dispersion_px": 2.0,
}  # fmt: skip
GAP, GROW, DECADES = 8, 3, 5
"""Px between pictures; how many px a pixel becomes; how many powers of ten of a power spectrum are shown."""


def strip(pictures: list[Codes]) -> Codes:
    """Pictures (y, x, 3) of one height side by side, white between them."""
    height = pictures[0].shape[0]
    gap = np.full((height, GAP, 3), 255, np.uint8)
    parts = [part for picture in pictures for part in (picture, gap)]
    return np.concatenate(parts[:-1], axis=1)


def grown(codes: Codes, times: int = GROW) -> Codes:
    """Every pixel as a square."""
    return codes.repeat(times, axis=0).repeat(times, axis=1)


def save(name: str, pictures: list[Codes]) -> None:
    """A strip as PNG."""
    PICTURES.mkdir(exist_ok=True)
    Pillow.fromarray(strip(pictures)).save(PICTURES / f"{name}.png", optimize=True)


def spectrum_codes(spectrum: torch.Tensor, peak: float) -> Codes:
    """Power of a half-plane (y, x//2+1) as grey (y, x, 3), zero frequency in the middle, each power of ten alike."""
    size = spectrum.shape[0]
    full = torch.fft.fft2(torch.fft.irfft2(spectrum, s=(size, size)))
    power = np.fft.fftshift(full.abs().numpy() ** 2) / peak
    light = np.clip(1 + np.log10(np.maximum(power, 1e-30)) / DECADES, 0, 1)
    return np.repeat((255 * light).astype(np.uint8)[..., None], 3, axis=2)


def folds(sky: Image) -> None:
    """The spectrum of green light, and of what the pixels of a mono camera, of green and of red keep of it."""
    blurred = torch.from_numpy((sky - np.percentile(sky, 1)) * hann(sky.shape)).float()
    spectrum = torch.fft.rfft2(blurred)
    red, green, _ = bayer_samplings(PATTERN)
    peak = float(spectrum.abs().max() ** 2)
    save(
        "fold",
        [grown(spectrum_codes(each, peak)) for each in (spectrum, masked(spectrum, green), masked(spectrum, red))],
    )


def painted(frame: Image) -> Image:
    """A raw frame (y, x) as (3, y, x): every pixel in the colour that it has."""
    return np.stack([frame * sampling.mask(*frame.shape) for sampling in bayer_samplings(PATTERN)]).astype(np.float32)


def interpolated(frame: Image) -> Image:
    """A raw frame (y, x) as programs show it, the colours between their pixels bilinear: (3, y, x)."""
    weights = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
    planes = []
    for sampling in bayer_samplings(PATTERN):
        mask = sampling.mask(*frame.shape)
        light, seen = (ndimage.convolve(each, weights, mode="mirror") for each in (frame * mask, mask))
        planes.append(light / seen)
    return np.stack(planes).astype(np.float32)


def result(film: Path, judged: Evaluated) -> None:
    """A detail of one raw frame; one frame interpolated, the stack, the sky and the truth, each with its own black and white."""
    truth = truth_beside(film)
    assert truth is not None
    with open_capture(film) as reader:
        frame = next(iter(reader.blocks(1)))[0, 0].astype(np.float32)
    middle = slice(SIDE // 2 - SIDE // 8, SIDE // 2 + SIDE // 8)
    detail = (255 * painted(frame)[:, middle, middle] / frame.max()).astype(np.uint8)
    views = [
        white_balanced(each, "grey-world")
        for each in (interpolated(frame), judged.stack[:], judged.published[:], truth)
    ]
    shown = [(stretched(each, "gamma") >> 8).astype(np.uint8) for each in views]
    save("mosaic", [grown(np.moveaxis(detail, 0, -1), 4 * GROW), *(grown(each) for each in shown[:1])])
    save("sky", [grown(each) for each in shown[1:]])


def main() -> None:
    """Simulate, restore, draw."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", type=Path)
    folder = asked.parse_args().folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    film, store = folder / "mosaic.ser", Store(folder / "store")
    if not film.exists():
        simulate(film, SCENE, "planet")
    made = restore_capture(Run(store), capture_at(film), load_config(beside(film)["config"])).evaluated
    with store.view(Evaluated, made) as judged:
        folds(judged.published[1])
        result(film, judged)


if __name__ == "__main__":
    main()
