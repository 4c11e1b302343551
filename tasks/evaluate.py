"""evaluate: do held-out frames prefer the sky to the stack, and is it believed? Only then is it published whole."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from configs.colour import Colour
from configs.schema import Evaluate, Telescope
from storage.product import CaptureProducts, Product
from tasks.numerics.frames.colours import colour_offsets, laid_on_each_other, luma_limits
from tasks.numerics.judging.blend import INNER_RINGS, believed_rings, blended, ring_products
from tasks.numerics.judging.heldout import HeldoutFit, HeldoutFrames, Verdict, fit_frames, judging_noise, verdict_of
from tasks.numerics.judging.metrics import frc_cutoff, is_nearer
from tasks.numerics.judging.undershoot import above_black, undershoot
from tasks.numerics.judging.unexplained import unexplained_frames
from tasks.numerics.judging.verdict import MAX_UNDERSHOOT, Decision, Evidence, decide, rest_of
from tasks.numerics.optics.propagation import frame_spectra
from tasks.numerics.optics.pupil import pupil_in_air
from tasks.products.belief import standard_error_of
from tasks.products.contents import Evaluated, Sky, Stack
from tasks.products.cutout import Cutout, cutout_of
from tasks.products.half_sums import half_agreement
from tasks.products.inputs import Inputs, open_inputs
from tasks.products.optics import aperture_of, cutoff_log_sigma, is_known, max_modes
from tasks.running.out_of_memory import split_on_oom
from tasks.running.step import Work, step

MODES = 100
"""Modes with which held-out frames are fitted: with fewer, strong air leaves so much of every frame that skies look alike."""


@dataclass(frozen=True)
class Opened(Inputs):
    """The open inputs of the judgement."""

    sky: Sky
    telescope: Telescope
    settings: Evaluate
    colour: Colour


@dataclass(frozen=True)
class RegisteredColours:
    """How the colours of a picture are laid on each other."""

    offsets: NDArray[np.float32]
    """(channel, 2) px each colour is moved by."""
    limits_cpp: NDArray[np.float64]
    """(channel,) frequency, cycles/px, from which it is luma and stays in its place; infinite where all of it is moved."""

    def together(self, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        """Pictures (channel, y, x) with their colours on each other."""
        return laid_on_each_other(pictures, self.offsets, self.limits_cpp)


@step(version="20")
def evaluate(
    work: Work,
    inputs: CaptureProducts,
    sky: Product,
    telescope: Telescope,
    settings: Evaluate,
    colour: Colour,
) -> None:
    """Fit only the PSFs of held-out frames to the sky and to the stack; publish sky, stack or a blend of both.

    Of several colours the one that was solved says which is better, and the others are laid on it.
    """
    notes: list[str] = []
    with open_inputs(work, inputs) as shared, work.open(Sky, sky) as solved:
        opened = Opened(**vars(shared), sky=solved, telescope=telescope, settings=settings, colour=colour)
        verdicts = []
        for channel in range(len(opened.clean.colours)):
            verdicts.append(_verdict(opened, channel, notes))
            work.progress(channel + 1, len(opened.clean.colours))
        content = _content(opened, verdicts, notes)
    work.save(content)


def _content(opened: Opened, verdicts: list[Verdict], notes: list[str]) -> Evaluated:
    opened_stack, solved, settings = opened.stack, opened.sky, opened.settings
    reference = opened.clean.colours.reference
    decision, believed = _decided(opened, verdicts, notes)
    sky_colours, stack_colours = (_registered(opened, pictures) for pictures in (solved.sky[:], opened_stack.stack[:]))
    sky, stack = sky_colours.together(solved.sky[:]), stack_colours.together(opened_stack.stack[:])
    published, moved = (stack, stack_colours) if decision.word == "stack" else (sky, sky_colours)
    if decision.word == "blend":
        published = sky_colours.together(_blend(opened, believed))
    errors = _standard_errors(opened, decision, believed)
    offsets = {
        "sky_px": sky_colours.offsets.tolist(),
        "stack_px": stack_colours.offsets.tolist(),
        "onto_channel": reference,
        "luma_from_cpp": [float(each) if np.isfinite(each) else None for each in sky_colours.limits_cpp],
    }
    per_frame = np.stack([verdict.chi2_per_frame for verdict in verdicts], axis=1)  # (sky or stack, channel, frame)
    return Evaluated(
        published=published,
        stack=stack,
        lucky_stack=stack_colours.together(opened_stack.lucky_stack[:]),
        sky=sky,
        heldout_frames=opened_stack.held[: settings.frames],
        chi2_sky=per_frame[0],
        chi2_stack=per_frame[1],
        belief=np.maximum(laid_on_each_other(errors, moved.offsets), errors.min()),  # moved light may ring below zero
        verdict=decision.word,
        stretch=settings.stretch,
        figures={
            "doubt": decision.reason,
            "channels": _figures(opened, verdicts, believed),
            "lucky_share": opened_stack.share,
            "colours": offsets,
            "noise_ratio": _noise_ratio(opened_stack),
        },
        notes=notes,
    )


def _noise_ratio(stack: Stack) -> float | None:
    """Largest over smallest noise where there is no light, of the worst channel; None where all are white."""
    ratio = None if stack.noise_curve is None else stack.noise_ratio
    return None if ratio is None else float(np.max(ratio[:]))


def _judges(opened: Opened, channel: int) -> HeldoutFrames:
    """The held-out frames of one channel."""
    cutout, device = cutout_of(opened.stack, channel), opened.work.device
    d_over_r0 = float(opened.seeing.d_over_r0[channel])
    aperture = aperture_of(opened.telescope, channel, opened.mean, cutout.size)
    pupil = pupil_in_air(cutout.size, aperture, max_modes(MODES, aperture), d_over_r0).to(device)
    held = opened.stack.held[: opened.settings.frames]
    spectra = frame_spectra(torch.from_numpy(cutout.frames(opened.clean, held)).to(device))
    return HeldoutFrames(pupil, spectra, _noise(opened, cutout, spectra, pupil.cutoff), cutout.sampling)


def _noise(opened: Opened, cutout: Cutout, spectra: torch.Tensor, cutoff: float) -> float:
    """Noise power per coefficient of held-out frames."""
    least = cutout.least_noise * float((cutout.taper.astype(np.float64) ** 2).sum())
    read = cutout.noise_of(spectra, cutoff)
    return judging_noise(read, float(opened.sky.noise[cutout.channel]), least, cutout.sampling)


def _verdict(opened: Opened, channel: int, notes: list[str]) -> Verdict:
    """How well sky and stack, in this order, explain the held-out frames of one channel."""
    cutout, frames = cutout_of(opened.stack, channel), _judges(opened, channel)
    d_over_r0 = float(opened.seeing.d_over_r0[channel])
    stack = np.fft.rfft2(cutout.to_canvas(cutout.stack)).astype(np.complex64)
    sky, other = (torch.from_numpy(each).to(opened.work.device) for each in (opened.sky.spectrum[channel], stack))

    def fit(rows: range) -> HeldoutFit:
        part, steps = frames.spectra[rows.start : rows.stop], opened.settings.steps
        return fit_frames(frames.pupil, part, (sky, other), frames.noise, d_over_r0, steps, frames.sampling)

    return verdict_of(list(split_on_oom(len(frames.spectra), fit, notes.append)), frames.pupil.cutoff)


def _registered(opened: Opened, pictures: NDArray[np.float32]) -> RegisteredColours:
    """How pictures (channel, y, x) are laid on each other."""
    offsets, limits = np.zeros((len(pictures), 2), np.float32), np.full(len(pictures), np.inf)
    reference = opened.clean.colours.reference
    if opened.colour.align:
        compressed = opened.stack.noise_curve is not None
        offsets = colour_offsets(pictures, reference, compressed)
        limits = luma_limits(pictures, reference, offsets) if compressed else limits
    return RegisteredColours(offsets, limits)


def _decided(opened: Opened, verdicts: list[Verdict], notes: list[str]) -> tuple[Decision, list[int]]:
    """What is published, and how many rings of each channel's sky are believed."""
    decision = decide(_evidence(opened, verdicts))
    channels = range(len(verdicts))
    if decision.word == "stack":
        return decision, [0 for _ in channels]
    if decision.word == "sky":
        return decision, [_agreeing_rings(opened, channel) for channel in channels]
    believed = [min(_supported_rings(opened, channel, notes), _agreeing_rings(opened, channel)) for channel in channels]
    if max(believed) <= INNER_RINGS:
        reason = f"{decision.reason}; and held-out frames and half-sets support no ring of it"
        return Decision("stack", reason), [0 for _ in channels]
    return decision, believed


def _evidence(opened: Opened, verdicts: list[Verdict]) -> Evidence:
    """What the frames say in the colour that was solved; the residuals and the undershoot of all colours."""
    solved, judge = opened.sky, verdicts[opened.clean.colours.reference]
    sky, stack = solved.sky[:], opened.stack.stack[:]
    below = [each for each in (undershoot(*pair) for pair in zip(sky, stack, strict=True)) if each is not None]
    return Evidence(
        stack_is_better=judge.sky > judge.stack,
        prefers_sky=judge.prefers_sky,
        is_near_solve=is_nearer(solved.tapered[:], sky, stack),  # the frames judge the sky of the tapered frames
        judges=judge.frames,
        chi2=max(v.sky for v in verdicts),
        rest=max(rest_of(v.sky, v.stack) for v in verdicts),
        cutoff_is_known=is_known(opened.telescope),
        undershoot=max(below, default=None),
        coarse_is_worse=judge.coarse_is_worse,
    )


def _agreeing_rings(opened: Opened, channel: int) -> int:
    """Rings in which the half-sets of a sky agree."""
    agreement = half_agreement(opened.sky, channel)
    return round(frc_cutoff(agreement) * opened.sky.spectrum.shape[1])


def _supported_rings(opened: Opened, channel: int, notes: list[str]) -> int:
    """Rings of a sky that held-out frames support, each in coefficients from which its PSF was not fitted."""
    frames, steps = _judges(opened, channel), opened.settings.steps
    sky = torch.from_numpy(opened.sky.spectrum[channel]).to(opened.work.device)
    d_over_r0 = float(opened.seeing.d_over_r0[channel])

    def products(rows: range) -> tuple[torch.Tensor, torch.Tensor]:
        return ring_products(frames.rows(rows), sky, d_over_r0, steps)

    parts = list(split_on_oom(len(frames.spectra), products, notes.append))
    cross, power = (torch.stack(each).sum(0) for each in zip(*parts, strict=True))
    return believed_rings(cross, power)


def _blend(opened: Opened, believed: list[int]) -> NDArray[np.float32]:
    """(channel, y, x)."""
    size = opened.sky.spectrum.shape[1]
    pairs = zip(opened.stack.stack[:], opened.sky.sky[:], believed, strict=True)
    blends = ((blended(stack, sky, rings, size), stack) for stack, sky, rings in pairs)
    return np.stack([above_black(blend, stack, MAX_UNDERSHOOT) for blend, stack in blends])


def _standard_errors(opened: Opened, decision: Decision, believed: list[int]) -> NDArray[np.float32]:
    """(channel, y, x) of what is published; a sky that is believed whole counts with all its rings."""
    size, frames = opened.sky.spectrum.shape[1], len(opened.stack.order)
    counts = [size] * len(believed) if decision.word == "sky" else believed
    found = []
    for channel, rings in enumerate(counts):
        aperture = aperture_of(opened.telescope, channel, opened.mean, size)
        sigma = opened.seeing.log_power_sigma[channel]
        found.append(standard_error_of(opened.sky, cutout_of(opened.stack, channel), aperture, rings, frames, sigma))
    return np.stack(found)


def _figures(opened: Opened, verdicts: list[Verdict], believed: list[int]) -> list[dict[str, Any]]:
    """The figures of the judgement, per channel, as plain JSON."""
    seeing, solved, opened_stack = opened.seeing, opened.sky, opened.stack
    return [
        {
            "heldout_frames": verdict.frames,
            "heldout_chi2_sky": verdict.sky,
            "heldout_chi2_stack": verdict.stack,
            "residual_whiteness": verdict.whiteness,
            "halves_agree_cutoff_cpp": frc_cutoff(half_agreement(solved, c)),
            "cutoff_cpp": float(seeing.cutoff_cpp[c]),
            "cutoff_log_sigma": cutoff_log_sigma(opened.telescope, opened.mean, opened_stack),
            "finest_believed_cpp": min(believed[c] / solved.spectrum.shape[1], float(seeing.cutoff_cpp[c])),
            "d_over_r0": float(seeing.d_over_r0[c]),
            "d_over_r0_uncertainty": float(seeing.log_d_over_r0_sigma[c]),
            "exposure_travel_apertures": float(seeing.wind_travel_diameters[c]),
            "alignment_jitter_px": float(seeing.jitter_px[c]),
            "unexplained_frames": unexplained_frames(solved.frames[:], solved.misfits[c]),
            "flux_sky_over_stack": float(solved.sky[c].sum() / opened_stack.stack[c].sum()),
        }
        for c, verdict in enumerate(verdicts)
    ]
