"""evaluate: do held-out frames prefer the sky to the stack? Only then is it published."""

import contextlib
import json
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from configs.schema import Evaluate, Telescope
from storage.product import Product, Scene
from tasks.numerics.judging.heldout import Verdict, judge
from tasks.numerics.judging.metrics import frc_cutoff
from tasks.numerics.optics.pupil import Pupil, pupil_in_air
from tasks.numerics.robust import mad_sigma
from tasks.products.clean_frames import prepared
from tasks.products.cutout import field_of
from tasks.products.half_sums import halves_agree
from tasks.products.optics import aperture_of, most_modes
from tasks.running.step import Work, step

Spectrum = NDArray[np.complex64]
OUTLYING, LEAST_MORE = 6, 0.1
"""By how many deviations, and by what share, a frame's misfit must exceed the median to be called unexplained."""
MODES = 100
"""Modes with which held-out frames are fitted: with fewer, strong air leaves so much of every frame that skies look alike."""


@step(version="9")
def evaluate(work: Work, scene: Scene, sky: Product, telescope: Telescope, settings: Evaluate) -> None:
    """Fit only the PSFs of held-out frames to the sky and to the stack; publish the one that explains them better."""
    with contextlib.ExitStack() as stack:
        clean = stack.enter_context(prepared(work, scene.frames, scene.mean))
        opened = (scene.mean, scene.first, scene.air, sky)
        average, stacked, seen, solved = (stack.enter_context(work.open(p)) for p in opened)
        held = stacked["held"][: settings.frames]
        verdicts = []
        for channel in range(clean.stack.shape[1]):
            field = field_of(stacked, channel)
            d_over_r0 = float(seen[f"channel{channel}"].attrs["d_over_r0"])
            aperture = aperture_of(telescope, channel, average, field.size)
            pupil = pupil_in_air(field.size, aperture, most_modes(MODES, aperture), d_over_r0)
            frames = torch.from_numpy(field.frames(clean, held))
            skies = solved["spectrum"][channel], np.fft.rfft2(field.laid(field.stack)).astype(np.complex64)
            verdicts.append(_verdict(work.device, pupil, frames, skies, d_over_r0, settings.steps))
            work.progress(channel + 1, clean.stack.shape[1])
        doubt = _doubt(verdicts, solved, stacked)
        better = not doubt
        with work.create() as file:
            file["stack"], file["lucky"], file["solved"] = stacked["stack"][:], stacked["sky"][:], solved["sky"][:]
            file["sky"] = solved["sky"][:] if better else stacked["stack"][:]
            file["heldout_frames"] = held
            file["chi2_sky"], file["chi2_stack"] = np.stack(
                [v.chi2_per_frame for v in verdicts], axis=1
            )  # (channel, frame)
            file.attrs["published"] = "sky" if better else "stack"
            file.attrs["stretch"] = settings.stretch
            file.attrs["report"] = json.dumps({"doubt": doubt, **_report(verdicts, solved, stacked, seen)})


def _verdict(
    device: str, pupil: Pupil, frames: torch.Tensor, skies: tuple[Spectrum, Spectrum], d_over_r0: float, steps: int
) -> Verdict:
    """How well sky and stack, in this order, explain the held-out frames (frame, y, x) of one channel."""
    sky, stack = (torch.from_numpy(spectrum).to(device) for spectrum in skies)
    return judge(pupil.to(device), torch.fft.rfft2(frames.to(device)), sky, stack, d_over_r0, steps)


def _doubt(verdicts: list[Verdict], solved: Any, stacked: Any) -> str:
    """Why the sky is not published; empty if it is."""
    if any(v.sky > v.stack for v in verdicts):
        return "they prefer the stack"
    if not all(v.prefers_sky for v in verdicts):
        return "they do not prefer the sky by more than chance"
    if not _is_what_was_judged(solved, stacked):
        return "they prefer the sky as it was solved, but the one to deliver, on its wider canvas, has left it too far"
    return ""


def _is_what_was_judged(solved: Any, stacked: Any) -> bool:
    """The frames judge the sky on the tapered canvas; what is delivered must be that sky, away from the border."""
    sky, judged, stack = solved["sky"][:], solved["tapered"][:], stacked["stack"][:]
    rows, columns = (slice(n // 8, n - n // 8) for n in sky.shape[1:])
    off, step = (float(((a - judged)[:, rows, columns] ** 2).mean()) for a in (sky, stack))
    return off < step


def unexplained(frames: NDArray[np.int64], misfits: NDArray[np.float32]) -> list[int]:
    """Numbers of the frames that the sky explains so much worse than the others that it is not chance.

    A frame solved from several starts counts with the best of them.
    """
    number, which = np.unique(frames, return_inverse=True)
    best = np.full(len(number), np.inf, np.float32)
    np.minimum.at(best, which, misfits)
    middle = float(np.median(best))
    return [int(k) for k in number[best > middle + max(OUTLYING * mad_sigma(best), LEAST_MORE * middle)]]


def _report(verdicts: list[Verdict], solved: Any, stacked: Any, seen: Any) -> dict[str, Any]:
    """The figures of the judgement, per channel, as plain JSON."""
    channels = []
    for c, verdict in enumerate(verdicts):
        group = seen[f"channel{c}"]
        channels.append(
            {
                "heldout_frames": verdict.frames,
                "heldout_chi2_sky": verdict.sky,
                "heldout_chi2_stack": verdict.stack,
                "residual_whiteness": verdict.whiteness,
                "halves_agree_cutoff_cpp": frc_cutoff(halves_agree(solved, c)),
                "cutoff_cpp": float(group.attrs["cutoff"]),
                "d_over_r0": float(group.attrs["d_over_r0"]),
                "d_over_r0_uncertainty": float(group.attrs["uncertainty"]),
                "exposure_travel_apertures": float(group.attrs["travel"]),
                "alignment_jitter_px": float(group.attrs["jitter_px"]),
                "unexplained_frames": unexplained(solved["frames"][:], solved["misfits"][c]),
                "flux_sky_over_stack": float(solved["sky"][c].sum() / stacked["stack"][c].sum()),
            }
        )
    return {"channels": channels, "lucky_share": float(stacked.attrs["share"])}
