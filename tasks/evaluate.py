"""evaluate: do held-out frames prefer the sky to the stack? Only then is it published."""

import contextlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from configs.schema import Colour, Evaluate, Telescope
from storage.product import CaptureProducts, Product
from tasks.numerics.frames.colours import colour_offsets, laid_on_each_other
from tasks.numerics.judging.heldout import HeldoutFit, Verdict, fit_frames, verdict_of
from tasks.numerics.judging.metrics import frc_cutoff, is_nearer
from tasks.numerics.judging.unexplained import unexplained_frames
from tasks.numerics.optics.pupil import pupil_in_air
from tasks.numerics.sky.wiener import corner_noise
from tasks.products.clean_frames import CleanFrames, open_clean_frames
from tasks.products.contents import Evaluated, Mean, Seeing, Sky, Stack
from tasks.products.cutout import cutout_of
from tasks.products.half_sums import half_agreement
from tasks.products.optics import aperture_of, max_modes
from tasks.running.out_of_memory import split_on_oom
from tasks.running.step import Work, step

MODES = 100
"""Modes with which held-out frames are fitted: with fewer, strong air leaves so much of every frame that skies look alike."""


@dataclass(frozen=True)
class Opened:
    """The open inputs of the judgement."""

    work: Work
    clean: CleanFrames
    mean: Mean
    stack: Stack
    seeing: Seeing
    sky: Sky
    telescope: Telescope
    settings: Evaluate
    colour: Colour


@step(version="11")
def evaluate(
    work: Work,
    inputs: CaptureProducts,
    sky: Product,
    telescope: Telescope,
    settings: Evaluate,
    colour: Colour,
) -> None:
    """Fit only the PSFs of held-out frames to the sky and to the stack; publish the one that explains them better.

    Of several colours the one that was solved decides, and the others are laid on it.
    """
    notes: list[str] = []
    with contextlib.ExitStack() as stack:
        opened = Opened(
            work,
            stack.enter_context(open_clean_frames(work, inputs.frames, inputs.mean)),
            stack.enter_context(work.open(Mean, inputs.mean)),
            stack.enter_context(work.open(Stack, inputs.stack)),
            stack.enter_context(work.open(Seeing, inputs.seeing)),
            stack.enter_context(work.open(Sky, sky)),
            telescope,
            settings,
            colour,
        )
        verdicts = []
        for channel in range(len(opened.clean.colours)):
            verdicts.append(_verdict(opened, channel, notes))
            work.progress(channel + 1, len(opened.clean.colours))
        content = _content(opened, verdicts, notes)
    work.save(content)


def _content(opened: Opened, verdicts: list[Verdict], notes: list[str]) -> Evaluated:
    stacked, solved, settings = opened.stack, opened.sky, opened.settings
    reference = opened.clean.colours.reference
    doubt = _doubt(verdicts[reference], solved, stacked.stack[:])
    sky, sky_offsets = _together(opened, solved.sky[:])
    stack, stack_offsets = _together(opened, stacked.stack[:])
    offsets = {"sky_px": sky_offsets.tolist(), "stack_px": stack_offsets.tolist(), "onto_channel": reference}
    per_frame = np.stack([verdict.chi2_per_frame for verdict in verdicts], axis=1)  # (sky or stack, channel, frame)
    return Evaluated(
        published=stack if doubt else sky,
        stack=stack,
        lucky_stack=laid_on_each_other(stacked.lucky_stack[:], stack_offsets),
        sky=sky,
        heldout_frames=stacked.held[: settings.frames],
        chi2_sky=per_frame[0],
        chi2_stack=per_frame[1],
        verdict="stack" if doubt else "sky",
        stretch=settings.stretch,
        figures={
            "doubt": doubt,
            "channels": _figures(opened, verdicts),
            "lucky_share": stacked.share,
            "colours": offsets,
        },
        notes=notes,
    )


def _verdict(opened: Opened, channel: int, notes: list[str]) -> Verdict:
    """How well sky and stack, in this order, explain the held-out frames of one channel."""
    cutout, device = cutout_of(opened.stack, channel), opened.work.device
    d_over_r0 = float(opened.seeing.d_over_r0[channel])
    aperture = aperture_of(opened.telescope, channel, opened.mean, cutout.size)
    pupil = pupil_in_air(cutout.size, aperture, max_modes(MODES, aperture), d_over_r0).to(device)
    held = opened.stack.held[: opened.settings.frames]
    spectra = torch.fft.rfft2(torch.from_numpy(cutout.frames(opened.clean, held)).to(device))
    stack = np.fft.rfft2(cutout.to_canvas(cutout.stack)).astype(np.complex64)
    sky, other = (torch.from_numpy(each).to(device) for each in (opened.sky.spectrum[channel], stack))
    noise = corner_noise(spectra, pupil.cutoff, sampling=cutout.sampling)

    def fit(rows: range) -> HeldoutFit:
        part, steps = spectra[rows.start : rows.stop], opened.settings.steps
        return fit_frames(pupil, part, (sky, other), noise, d_over_r0, steps, cutout.sampling)

    return verdict_of(list(split_on_oom(len(held), fit, notes.append)), pupil.cutoff)


def _together(opened: Opened, pictures: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pictures (channel, y, x) with their colours on each other, and by how much (channel, 2) px each was moved."""
    offsets = np.zeros((len(pictures), 2), np.float32)
    if opened.colour.align:
        offsets = colour_offsets(pictures, opened.clean.colours.reference)
    return laid_on_each_other(pictures, offsets), offsets


def _doubt(verdict: Verdict, solved: Sky, stack: NDArray[np.float32]) -> str:
    """Why the sky is not published; empty if it is."""
    if verdict.sky > verdict.stack:
        return "they prefer the stack"
    if not verdict.prefers_sky:
        return "they do not prefer the sky by more than chance"
    if not is_nearer(solved.tapered[:], solved.sky[:], stack):  # the frames judge the sky of the tapered frames
        return (
            "they prefer the sky as it was solved, but the one to publish, from the extended field, has left it too far"
        )
    return ""


def _figures(opened: Opened, verdicts: list[Verdict]) -> list[dict[str, Any]]:
    """The figures of the judgement, per channel, as plain JSON."""
    seeing, solved, stacked = opened.seeing, opened.sky, opened.stack
    return [
        {
            "heldout_frames": verdict.frames,
            "heldout_chi2_sky": verdict.sky,
            "heldout_chi2_stack": verdict.stack,
            "residual_whiteness": verdict.whiteness,
            "halves_agree_cutoff_cpp": frc_cutoff(half_agreement(solved, c)),
            "cutoff_cpp": float(seeing.cutoff_cpp[c]),
            "d_over_r0": float(seeing.d_over_r0[c]),
            "d_over_r0_uncertainty": float(seeing.log_d_over_r0_sigma[c]),
            "exposure_travel_apertures": float(seeing.wind_travel_diameters[c]),
            "alignment_jitter_px": float(seeing.jitter_px[c]),
            "unexplained_frames": unexplained_frames(solved.frames[:], solved.misfits[c]),
            "flux_sky_over_stack": float(solved.sky[c].sum() / stacked.stack[c].sum()),
        }
        for c, verdict in enumerate(verdicts)
    ]
