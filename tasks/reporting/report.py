"""What a run found, as plain JSON and in words: every metric, every timing, and why sky, blend or stack was published."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.schema import Telescope
from storage.lineage import lineage
from storage.product import Product
from storage.store import Store
from tasks.benchmark.oracle import psf_error
from tasks.numerics.frames.cutoff import FOUND_LOG_SIGMA
from tasks.numerics.judging.metrics import false_power, fourier_ring_correlation, frc_cutoff, match, ssim
from tasks.products.contents import Evaluated, Frames, Mean, Psfs, Sky, Stack
from tasks.products.frames import reasons

LAST_SECOND = 7_258_118_400.0
"""Year 2200: later timestamps are not real."""
MAX_NAMED = 10
"""Numbers of frames that a sentence names."""
WIDE = 1.1
"""Pixels wider than this, over wavelength / 2D, are worth a word."""
UNEXPLAINED_CHI2 = 10
"""Held-out frames that are this many times their noise away from stack and sky are not what the model is about."""


POSTERISED_STEPS = 1.0
"""Noise of the dark sky below this, in steps of the codes, leaves steps where there was light."""


def describe(
    store: Store,
    result: Product,
    settings: dict[str, Any],
    truth: NDArray[np.float32] | None,
    psfs: Path | None = None,
) -> dict[str, Any]:
    """Gather the report of an evaluated product from its whole line of products; compare with what is known to be true."""
    line = lineage(store, result)
    camera_telescope = Telescope.model_validate(settings.get("telescope", {}))
    grid = _sky_grid(store, line, camera_telescope, settings)
    telescope = camera_telescope.in_finer_pixels(grid["scale"])
    with store.view(Evaluated, result) as judged:
        found, published = judged.figures, judged.verdict
        pictures = {"stack": judged.stack[:], "lucky": judged.lucky_stack[:], "solved": judged.sky[:]}
    report: dict[str, Any] = {
        "capture": _capture(store, line),
        "software": f"stillsky {version('stillsky')}",
        "published": published,
        "settings": settings,
        "frames": _frames(store, line),
        "sky_grid": grid,
        **found,
        "truth": {} if truth is None else {name: against(truth, picture) for name, picture in pictures.items()},
        "psf_rms_error": None if psfs is None else psf_error(store, result, telescope, psfs),
        "quantisation": _quantisation(store, line),
        "seconds": _seconds(store, line),
        "notes": _notes(store, line),
    }
    report["verdict"] = _verdict(report)
    return report


def in_a_line(report: dict[str, Any]) -> str:
    """What a run found, for logs and states: D/r0 6.1, 812 of 1,000 frames kept, sky published."""
    strengths = ", ".join(f"{row['d_over_r0']:.1f}" for row in report["channels"])
    used, frames = report["frames"]["used"], report["capture"]["frames"]
    return f"D/r0 {strengths}, {used:,} of {frames:,} frames kept, {report['published']} published"


def _capture(store: Store, line: list[Product]) -> dict[str, Any]:
    with store.view(Frames, line[0]) as frames:
        return {
            "name": frames.capture,
            "fingerprint": frames.fingerprint,
            "frames": frames.raw.shape[0],
            "shape": list(frames.raw.shape[1:]),
            "facts": frames.facts,
            "middle_utc": None if frames.timestamps is None else _middle(frames.timestamps[:]),
            "dropped_frames": None if frames.timestamps is None else _dropped(frames.timestamps[:]),
        }


def _middle(times: NDArray[np.float64]) -> str | None:
    """The moment halfway between first and last frame, ISO 8601; None where the times (s since 1970) are none of this age."""
    middle = float(times[0] + times[-1]) / 2 if len(times) else np.nan
    known = 0 < middle < LAST_SECOND
    return datetime.fromtimestamp(middle, UTC).isoformat(timespec="milliseconds") if known else None


def _dropped(times: NDArray[np.float64]) -> int | None:
    """Frames that the timestamps show to be missing between others."""
    if len(times) < 3:
        return None
    gaps = np.diff(times)
    usual = float(np.median(gaps))
    return int(np.clip(np.rint(gaps / usual) - 1, 0, None).sum()) if usual > 0 else None


def _frames(store: Store, line: list[Product]) -> dict[str, int]:
    """How many frames were used, and how many were left out for which reason."""
    with store.view(Stack, next(p for p in line if p.step == Stack.step)) as stack:
        flags = stack.flags[:]
        counts = {"used": int((flags == 0).sum()), "held_out": len(stack.held)}
    for value in flags[flags != 0]:
        for reason in reasons(int(value)):
            counts[reason] = counts.get(reason, 0) + 1
    return counts


def _sky_grid(store: Store, line: list[Product], telescope: Telescope, settings: dict[str, Any]) -> dict[str, Any]:
    """How many pixels the sky has for one of the camera's along each axis, how wide they are, and what speaks for it.

    Frequencies in the report are in cycles per pixel of the solved sky; the files may have fewer pixels.
    """
    wanted = next((each.get("sky", {}).get("scale", "auto") for each in settings.get("rounds", [])), "auto")
    with store.view(Stack, next(p for p in line if p.step == Stack.step)) as stack:
        scale = stack.scale
    return {
        "scale": scale,
        "published_scale": scale if wanted == "auto" else float(wanted),
        "pixel_scale_arcsec": telescope.in_finer_pixels(scale).scale_arcsec,
        "camera_pixel_over_nyquist": telescope.pixel_over_nyquist,
    }


def _grid_sentences(grid: dict[str, Any]) -> list[str]:
    """A sentence on a grid that is finer than the camera's, or that is not though pixels are wide."""
    scale, wide, arcsec = grid["scale"], grid["camera_pixel_over_nyquist"], grid["pixel_scale_arcsec"]
    if wide is None or (scale == 1 and wide <= WIDE):
        return []
    said = f"The camera's pixels are {wide:.2g} times as wide as wavelength / 2D"
    if scale == 1:
        return [f"{said}: finer detail than they hold is not solved for (sky.scale = 2 does)."]
    shown = grid["published_scale"]
    fewer = "" if shown == scale else f"; its files have {shown:g} x {shown:g}"
    return [f"{said}: the sky has {scale} x {scale} pixels of {arcsec:.3g} arcsec for each of them{fewer}."]


def _quantisation(store: Store, line: list[Product]) -> dict[str, float | None]:
    """Step of the camera's codes, and the dark sky's noise in such steps; None where they are not known."""
    with store.view(Mean, next(p for p in line if p.step == Mean.step)) as mean:
        noise = mean.sky_noise_steps
        return {"code_step_adu": mean.code_step or None, "sky_noise_steps": noise if np.isfinite(noise) else None}


def posterised(report: dict[str, Any]) -> str:
    """A sentence on a sky whose noise is below one step of the codes; empty where it is not."""
    noise = report["quantisation"]["sky_noise_steps"]
    if noise is None or noise >= POSTERISED_STEPS:
        return ""
    return (
        f"The dark sky is posterised: its noise is {noise:.2f} steps of the camera's codes; faint light was rounded away, which "
        f"a higher gain or more bits would keep."
    )


def _seconds(store: Store, line: list[Product]) -> dict[str, float]:
    """Time each step took when it was made, whenever that was."""
    seconds: dict[str, float] = {}
    for product in line:
        done = sum(1 for name in seconds if name.startswith(product.step))
        seconds[f"{product.step} {done + 1}" if done else product.step] = round(store.seconds(product), 3)
    seconds["total"] = round(sum(seconds.values()), 3)
    return seconds


def _notes(store: Store, line: list[Product]) -> list[str]:
    """What steps had to do otherwise than they were asked to, each once with how often."""
    counts: Counter[str] = Counter()
    kinds: tuple[type[Psfs | Sky | Evaluated], ...] = (Psfs, Sky, Evaluated)
    for kind in kinds:
        for product in (p for p in line if p.step == kind.step):
            with store.view(kind, product) as content:
                counts.update(f"{product.step}: {note}" for note in content.notes)
    return [note if times == 1 else f"{note} ({times} times)" for note, times in counts.items()]


def against(truth: NDArray[np.float32], picture: NDArray[np.float32]) -> dict[str, float]:
    """PSNR, SSIM, the Fourier ring correlation's cut-off, false power in three bands; means over the channels."""
    rows = []
    for c in range(len(picture)):
        sky = truth[min(c, len(truth) - 1)]
        fit = match(sky, picture[c])
        curve = fourier_ring_correlation(fit.truth, fit.fitted)
        false = false_power(fit.truth, fit.fitted)
        rows.append((fit.psnr_db, ssim(fit.truth, fit.fitted), frc_cutoff(curve), *false))
    means = (float(np.mean(column)) for column in zip(*rows, strict=True))
    names = ("psnr_db", "ssim", "frc_cutoff_cpp", *(f"false_power_{band}" for band in ("low", "mid", "high")))
    return dict(zip(names, means, strict=True))


def _headline(published: str, why: str, doubt: str) -> str:
    """What is published, and why."""
    if published == "sky":
        return f"The sky is published: {why}."
    if published == "blend":
        return f"A BLEND of sky and stack is published: {why}, but the sky is not believed whole: {doubt}."
    return f"The STACK is published instead of the sky: {why}; {doubt}."


def _noise(report: dict[str, Any]) -> list[str]:
    """Sentences on noise that depends on frequency, and on a sky without noise, where there are such."""
    ratio = report.get("noise_ratio")
    coloured = (
        "" if ratio is None else f"The frames' noise is not white (ratio {ratio:.1f}): compressed or denoised video."
    )
    return [line for line in (coloured, posterised(report)) if line]


def estimated_cutoff(cutoff_cpp: float, log_sigma: float) -> str:
    """A sentence on the cut-off of a telescope that was not given."""
    better = "[telescope] in a --config file makes the result better"
    if log_sigma > FOUND_LOG_SIGMA:
        return (
            f"No telescope was given, and the frames do not show its cut-off well: {cutoff_cpp:.2f} cycles/px "
            f"(± {log_sigma:.0%}) is taken, from them and from what is usual; {better}."
        )
    return f"No telescope was given: the frames show its cut-off at {cutoff_cpp:.2f} cycles/px (± {log_sigma:.0%}); {better}."


def _unexplained(rows: list[dict[str, Any]]) -> list[str]:
    """A sentence on the frames that stand out in any channel, if there are such."""
    odd = sorted({k for row in rows for k in row["unexplained_frames"]})
    shown = ", ".join(map(str, odd[:MAX_NAMED])) + (", ..." if len(odd) > MAX_NAMED else "")
    what = "a passing light, or a PSF that got stuck"
    many = _counted(len(odd), "of the solved frames is", "of the solved frames are")
    return [f"{many} not explained by the sky ({shown}, counted from 0): {what}."] if odd else []


def _strange(left: float) -> list[str]:
    """A sentence on frames that neither sky nor stack explains: `left` is what the better one leaves, over their noise."""
    what = "compressed video, a target that leaves the frame, saturation, a wrong [telescope]"
    said = f"Both leave more than {UNEXPLAINED_CHI2} times the noise: not all frames show one sky through air ({what})."
    return [said] if left > UNEXPLAINED_CHI2 else []


def _figure(misfit: float) -> str:
    """1.06 or 44: as many digits as say something."""
    return f"{misfit:.2f}" if misfit < 10 else f"{misfit:,.0f}"


def _once(figures: Iterable[str]) -> str:
    """The figures of all channels, or one where they are the same."""
    listed = list(figures)
    return ", ".join(listed[:1] if len(set(listed)) == 1 else listed)


def _counted(many: int, one: str, more: str) -> str:
    """So many of something, with its verb."""
    return f"{many} {one if many == 1 else more}"


def _verdict(report: dict[str, Any]) -> list[str]:
    """The result in a few sentences."""
    rows = report["channels"]
    sky, stack = (float(np.mean([r[f"heldout_chi2_{name}"] for r in rows])) for name in ("sky", "stack"))
    judges = _counted(rows[0]["heldout_frames"], "held-out frame is", "held-out frames are")
    why = f"{judges} explained by the sky to {_figure(sky)} and by the stack to {_figure(stack)} of their noise"
    lines = [_headline(report["published"], why, report["doubt"])]
    if report["published"] == "blend":
        finest = _once(f"{r['finest_believed_cpp']:.2f}" for r in rows)
        lines.append(
            f"From the sky comes what held-out frames and half-sets support, up to {finest} cycles/px; from the stack the rest."
        )
    lines += _noise(report) + _grid_sentences(report["sky_grid"])
    strengths = ", ".join(f"{r['d_over_r0']:.1f}" for r in rows)
    lines += _strange(min(sky, stack))
    used = report["frames"]
    lines.append(
        f"{used['used']} of {report['capture']['frames']} frames used, {used['held_out']} of them only to judge; "
        f"seeing D/r0 = {strengths}{' in red, green and blue' if len(rows) == 3 else ''}."
    )
    lines += _unexplained(rows)
    lines += [f"{note}." for note in report["notes"]]
    missing = report["capture"]["facts"].get("truncated")
    if missing:
        lines.append(f"The capture ends early: {missing} of the frames it promises are missing.")
    if report["settings"].get("telescope", {}).get("aperture_m", 0) is None:
        lines.append(estimated_cutoff(rows[0]["cutoff_cpp"], rows[0]["cutoff_log_sigma"]))
    if report["truth"]:
        gain = report["truth"]["solved"]["psnr_db"] - report["truth"]["stack"]["psnr_db"]
        lines.append(
            f"Against the known truth: stack {report['truth']['stack']['psnr_db']:.1f} dB, "
            f"sky {report['truth']['solved']['psnr_db']:.1f} dB ({gain:+.1f} dB)."
        )
    if report["psf_rms_error"] is not None:
        lines.append(f"The PSFs are off the true ones by {report['psf_rms_error']:.0%} rms (median over frames).")
    return lines
