"""What a step found, in a sentence of figures from its product, for the logs of a run."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from storage.product import Product
from storage.store import Store
from tasks.products.contents import Clean, Evaluated, Frames, Mean, Psfs, Seeing, Shifts, Sky, Stack
from tasks.products.finished_contents import Dewarped, Enhanced, Filled, Movie
from tasks.products.frames import reasons


def step_sentence(store: Store, product: Product) -> str:
    """D/r0 6.1 ± 0.2; empty for a product of which nothing is to be said."""
    kind, describe = SENTENCES.get(product.step, (None, None))
    if kind is None or describe is None:
        return ""
    with store.view(kind, product) as content:
        return describe(content)


def _ingest(content: Frames) -> str:
    count, channels, height, width = content.raw.shape
    colour = f", raw {content.mosaic}" if content.mosaic else ", colour" if channels == 3 else ""
    return f"{count:,} frames of {width} x {height}{colour}{left_out(content.flags[:])}"


def _average(content: Mean) -> str:
    noise = float(np.sqrt(np.median(content.noise[:])))
    return f"noise {noise:.3g} adu per pixel, {int(content.bad[:].sum()):,} bad pixels"


def _calibrate(content: Clean) -> str:
    bad, spikes = int(content.bad[:].sum()), content.spikes.shape[0]
    return (
        f"{bad:,} bad pixels filled in every frame, {spikes:,} cosmic rays in single ones"
        if bad or spikes
        else ("no pixel had to be filled")
    )


def _align(content: Shifts) -> str:
    shifts = content.shifts[:]
    motion = float(np.sqrt(np.nanmean(np.sum((shifts - np.nanmean(shifts, axis=0)) ** 2, axis=1))))
    return f"the target moves by {motion:.2f} px rms{left_out(content.flags[:])}"


def _shift_average(content: Stack) -> str:
    flags = content.flags[:]
    kept = int((flags == 0).sum())
    said = f"{kept:,} of {len(flags):,} frames kept, {len(content.held):,} of them held out to judge"
    return f"{said}, the lucky stack has {content.share:.0%}{left_out(flags)}"


def _measure_seeing(content: Seeing) -> str:
    strengths = content.d_over_r0[:]
    sigma = strengths * content.log_d_over_r0_sigma[:]
    said = ", ".join(f"{value:.1f} ± {error:.1f}" for value, error in zip(strengths, sigma, strict=True))
    return f"D/r0 {said}, {np.median(content.jitter_px[:]):.2f} px rms of motion left"


def _solve_psfs(content: Psfs) -> str:
    frames = len(np.unique(content.frames[:]))
    if not frames:
        return "every frame is solved already"
    again = f", each from {content.starts} starts" if content.starts > 1 else ""
    return f"PSFs of {frames:,} frames{again}; the sky of a batch explains them to {of_noise(content.misfits[:])}"


def _solve_sky(content: Sky) -> str:
    return f"sky of {len(np.unique(content.frames[:])):,} frames, explained to {of_noise(content.misfits[:])}"


def _evaluate(content: Evaluated) -> str:
    sky, stack = of_noise(content.chi2_sky[:]), of_noise(content.chi2_stack[:])
    count = len(content.heldout_frames)
    return f"{content.verdict} published; {count} held-out frames: the sky explains them to {sky}, the stack to {stack}"


def _fill(content: Filled) -> str:
    return f"{len(content.pixels):,} missing pixels filled: {_used(content)}"


def _dewarp(content: Dewarped) -> str:
    return f"{len(content.numbers):,} frames registered part by part: {_used(content)}"


def _burst(content: Movie) -> str:
    return f"a movie of {len(content.numbers):,} frames: {_used(content)}"


def _enhance(content: Enhanced) -> str:
    return _used(content)


def _used(content: Filled | Dewarped | Movie | Enhanced) -> str:
    return f"{content.used}, {content.reason}"


def of_noise(chi2: Any) -> str:
    """A misfit in units of the noise; of frames that could not be judged nothing."""
    values = np.asarray(chi2, np.float64)
    values = values[np.isfinite(values)]
    return f"{np.median(values):,.2f} of their noise" if values.size else "an unknown multiple of their noise"


def left_out(flags: Any) -> str:
    """`; 3 black, 2 streak`: frames that are not used, by reason."""
    counts = Counter(reason for value in flags[flags != 0] for reason in reasons(int(value)))
    return "; left out: " + ", ".join(f"{count:,} {reason}" for reason, count in counts.items()) if counts else ""


SENTENCES: dict[str, tuple[Any, Callable[[Any], str]]] = {
    "ingest": (Frames, _ingest),
    "average": (Mean, _average),
    "calibrate": (Clean, _calibrate),
    "align": (Shifts, _align),
    "shift_average": (Stack, _shift_average),
    "fill": (Filled, _fill),
    "dewarp": (Dewarped, _dewarp),
    "burst": (Movie, _burst),
    "measure_seeing": (Seeing, _measure_seeing),
    "solve_psfs": (Psfs, _solve_psfs),
    "solve_sky": (Sky, _solve_sky),
    "evaluate": (Evaluated, _evaluate),
    "enhance": (Enhanced, _enhance),
}
"""Step: what its product is declared as, and what is said of it."""
