"""evaluate: do held-out frames prefer the sky to the stack? Only then is it published."""

import contextlib
import json
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from configs.schema import Evaluate, Telescope
from storage.product import Product, Scene
from tasks.field import Field, field_of
from tasks.numerics.heldout import Verdict, judge
from tasks.numerics.metrics import fourier_ring_correlation, frc_cutoff, split_half
from tasks.numerics.pupil import pupil
from tasks.optics import cutoff_cpp, most_modes, obstruction
from tasks.prepared import Prepared, prepared
from tasks.step import Work, step

Image = NDArray[np.float32]
MODES = 60
"""Modes with which held-out frames are fitted: enough to tell a sharp sky from a soft one, too few to imitate noise."""


@step(version="3")
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
            cutoff = min(cutoff_cpp(telescope, channel, average), 0.5)
            modes = most_modes(MODES, cutoff * field.size, obstruction(telescope))
            eye = pupil(field.size, cutoff * field.size, obstruction(telescope), modes)
            verdicts.append(_verdict(work, clean, field, held, (solved, channel, eye, d_over_r0, settings)))
            work.progress(channel + 1, clean.stack.shape[1])
        better = all(v.prefers_sky for v in verdicts) and _is_what_was_judged(solved, stacked)
        with work.create() as file:
            file["stack"], file["lucky"], file["solved"] = stacked["stack"][:], stacked["sky"][:], solved["sky"][:]
            file["sky"] = solved["sky"][:] if better else stacked["stack"][:]
            file.attrs["published"] = "sky" if better else "stack"
            file.attrs["stretch"] = settings.stretch
            file.attrs["report"] = json.dumps(_report(verdicts, solved, stacked, seen))


def _verdict(work: Work, clean: Prepared, field: Field, held: NDArray[np.int64], rest: tuple[Any, ...]) -> Verdict:
    """How well sky and stack explain the held-out frames of one channel."""
    solved, channel, eye, d_over_r0, settings = rest
    device = work.device
    spectra = torch.fft.rfft2(torch.from_numpy(field.frames(clean, held)).to(device))
    stack = np.fft.rfft2(field.laid(field.stack)).astype(np.complex64)
    tensors = [torch.from_numpy(spectrum).to(device) for spectrum in (solved["spectrum"][channel], stack)]
    return judge(eye.to(device), spectra, tensors[0], tensors[1], d_over_r0, settings.steps)


def _is_what_was_judged(solved: Any, stacked: Any) -> bool:
    """The frames judge the sky on the tapered canvas; what is delivered must be that sky, away from the border."""
    sky, judged, stack = solved["sky"][:], solved["tapered"][:], stacked["stack"][:]
    rows, columns = (slice(n // 8, n - n // 8) for n in sky.shape[1:])
    off, step = (float(((a - judged)[:, rows, columns] ** 2).mean()) for a in (sky, stack))
    return off < step


def _report(verdicts: list[Verdict], solved: Any, stacked: Any, seen: Any) -> dict[str, Any]:
    """The figures of the judgement, per channel, as plain JSON."""
    channels = []
    for c, verdict in enumerate(verdicts):
        half = split_half(fourier_ring_correlation(*solved["halves"][c]))
        group = seen[f"channel{c}"]
        channels.append(
            {
                "heldout_frames": verdict.frames,
                "heldout_chi2_sky": verdict.sky,
                "heldout_chi2_stack": verdict.stack,
                "residual_whiteness": verdict.whiteness,
                "split_half_frc_cutoff_cpp": frc_cutoff(half),
                "cutoff_cpp": float(group.attrs["cutoff"]),
                "d_over_r0": float(group.attrs["d_over_r0"]),
                "d_over_r0_uncertainty": float(group.attrs["uncertainty"]),
                "exposure_travel_apertures": float(group.attrs["travel"]),
                "alignment_jitter_px": float(group.attrs["jitter_px"]),
                "flux_sky_over_stack": float(solved["sky"][c].sum() / stacked["stack"][c].sum()),
            }
        )
    return {"channels": channels, "lucky_share": float(stacked.attrs["share"])}
