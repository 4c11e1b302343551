"""What report.html shows of a result, gathered from its products: pictures, curves, PSFs, residuals."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.schema import Telescope
from storage.product import Product
from storage.store import Store
from tasks.numerics.fourier.shifts import shift_frames
from tasks.numerics.frames.colours import laid_on_each_other
from tasks.numerics.judging.metrics import fourier_ring_correlation, frc_cutoff, match
from tasks.numerics.sky.likelihood import count_of
from tasks.products.contents import Evaluated, Psfs
from tasks.products.half_sums import count_frames, half_agreement, read_sampling
from tasks.products.registered import placed_frame
from tasks.reporting.charts import (
    Shown,
    frame_charts,
    heldout_chart,
    loss_charts,
    resolution_charts,
    seeing_charts,
)
from tasks.reporting.html import Belief, Misfit, Page, Picture, Stage, Tile
from tasks.reporting.opened import OpenedProducts, open_products
from tasks.reporting.residual_map import residual_map
from tasks.reporting.svg import Chart

Image = NDArray[np.float32]


def gather(
    store: Store,
    result: Product,
    report: Mapping[str, Any],
    telescope: Telescope,
    truth: Image | None,
    finished: tuple[Picture, ...] = (),
) -> Page:
    """Everything that the page of a result shows, with the pictures `finished` from it after it.

    `report` has what was measured. `truth` is the sky (channel, y, x) where it is known.
    """
    with open_products(store, result, telescope) as opened, store.view(Evaluated, result) as judged:
        shown = _shown(opened, report["measured"]["strehl"])
        pictures = _pictures(opened, judged, truth, finished)
        misfits = tuple(
            residual_map(opened.clean, opened.cutout, each.sky, opened.aperture, opened.d_over_r0)
            for each in opened.rounds
        )
        return Page(
            report=report,
            made=store.path(result).stat().st_mtime,
            stretch=judged.stretch,
            figures=_figures(report, telescope),
            pictures=pictures,
            stages=_stages(opened, judged, truth, misfits),
            frames=frame_charts(shown, opened.stack),
            seeing=seeing_charts(shown, opened.seeing, opened.channel),
            resolution=(
                *resolution_charts(_curves(opened, truth, pictures), opened.cutoff),
                *_trust_charts(opened, judged, shown),
            ),
            psfs=_psfs(opened, shown),
            psf_note=_psf_note(opened),
            misfit=misfits[-1],
            belief=_belief(opened, judged, telescope.scale_arcsec),
        )


def _belief(opened: OpenedProducts, judged: Evaluated, scale_arcsec: float | None) -> Belief:
    """The standard error of what is published, of the shown channel."""
    picture, finest = (
        judged.published[opened.channel],
        judged.figures["channels"][opened.channel]["finest_believed_cpp"],
    )
    light = max(float(np.subtract(*np.percentile(picture, (99.9, 1)))), 1e-30)
    if finest > 0:
        period = f"{1 / finest:.1f} px" + (f" ({scale_arcsec / finest:.2f}″)" if scale_arcsec else "")
    else:
        period = "what the stack shows"
    return Belief(judged.belief[opened.channel] / light, period)


def _shown(opened: OpenedProducts, ratios: Mapping[str, Any]) -> Shown:
    """What is known of every frame, its Strehl ratio from the report; what is not is nan."""
    content, stack, model = opened.frames, opened.stack, opened.model
    count, (numbers, found) = len(content.raw), opened.solved
    strehl, d_over_r0 = np.full(count, np.nan), np.full(count, np.nan)
    strehl[ratios["frames"]] = ratios["of_frames"]
    if model.strengths is not None:
        d_over_r0[numbers] = model.strengths(found)
    clock = None if content.timestamps is None else content.timestamps[:]
    return Shown(
        time=np.arange(count, dtype=np.float64) if clock is None else clock - clock[0],
        clocked=clock is not None,
        flags=stack.flags[:],
        held=stack.held[:],
        rounds=tuple(each.psfs.frames[:] for each in opened.rounds),
        sharpness=stack.sharpness[:],
        light=opened.mean.flux[:].mean(axis=1),
        shifts=stack.shifts[:] / stack.scale,
        strehl=strehl,
        d_over_r0=d_over_r0,
    )


def _pictures(
    opened: OpenedProducts, judged: Evaluated, truth: Image | None, finished: tuple[Picture, ...]
) -> tuple[Picture, ...]:
    """Every view worth comparing, in the order in which they were made."""
    order = opened.stack.order[:]
    best, median = int(order[0]), int(order[len(order) // 2])
    moved = [placed_frame(opened.clean, opened.stack, k) for k in (median, best)]
    views = [
        Picture("median", "Typical frame", f"frame {median}, of median sharpness, registered", moved[0]),
        Picture("best", "Sharpest frame", f"frame {best}, registered", moved[1]),
        Picture("stack", "Stack", "mean of all frames, registered", judged.stack[:]),
        Picture("lucky", "Lucky stack", "mean of the sharpest frames", judged.lucky_stack[:]),
    ]
    colours = judged.figures["colours"]
    moves = np.array(colours["sky_px"], np.float32), np.array([each or np.inf for each in colours["luma_from_cpp"]])
    for number, each in enumerate(opened.rounds[:-1], start=1):
        caption = f"from {count_frames(each.sky)} frames"
        sky = laid_on_each_other(each.sky.sky[:], *moves)
        views.append(Picture(f"round{number}", f"Sky, round {number}", caption, sky))
    caption = f"after round {len(opened.rounds)}, from {count_frames(opened.rounds[-1].sky)} frames"
    caption += {"sky": "", "blend": "; published only in part"}.get(judged.verdict, "; not published")
    views.append(Picture("sky", "Sky", caption, judged.sky[:]))
    if judged.verdict == "blend":
        views.append(
            Picture("blend", "Blend", "published: the stack with the believed part of the sky", judged.published[:])
        )
    if truth is not None:
        matched = _matched(truth, views[-1].light)
        finished = (*finished, Picture("truth", "Truth", "the simulated sky through the telescope", matched))
    return (*views, *finished)


def _matched(truth: Image, sky: Image) -> Image:
    """The truth moved and scaled onto the sky: where it lies and its units are not the capture's."""
    out = np.empty_like(sky)
    for c, picture in enumerate(sky):
        plane = truth[min(c, len(truth) - 1)]
        fit = match(picture, plane)
        out[c] = fit.gain * shift_frames(plane[None, None], np.array([fit.shift], np.float32))[0, 0] + fit.offset
    return out


def _stages(
    opened: OpenedProducts, judged: Evaluated, truth: Image | None, misfits: tuple[Misfit, ...]
) -> tuple[Stage, ...]:
    """The stages on the way: what each took, and what it reached."""
    channel, kept = opened.channel, len(opened.stack.order)
    of_one = "PSNR, green" if judged.stack.shape[0] == 3 else "PSNR"

    def against(picture: Image) -> dict[str, str]:
        known = None if truth is None else match(truth[min(channel, len(truth) - 1)], picture).psnr_db
        return {} if known is None else {of_one: f"{known:.1f} dB"}

    lucky = max(1, round(opened.stack.share * kept))
    stages = [
        Stage("Stack", "stack", {"frames": f"{kept}", **against(judged.stack[channel])}),
        Stage("Lucky stack", "lucky", {"frames": f"{lucky}", **against(judged.lucky_stack[channel])}),
    ]
    for number, each in enumerate(opened.rounds, start=1):
        rows = {
            "frames": f"{count_frames(each.sky)}",
            "newly solved": f"{count_frames(each.psfs)}",
            "PSFs": f"{each.psfs_seconds:.1f} s",
            "sky": f"{each.sky_seconds:.1f} s",
            "misfit / noise": f"{misfits[number - 1].median:.2f}",
            "cycles/px resolved": f"{frc_cutoff(half_agreement(each.sky, channel)):.2f}",
            **against(each.sky.sky[channel]),
        }
        picture = "sky" if number == len(opened.rounds) else f"round{number}"
        stages.append(Stage(f"Round {number}", picture, rows))
    return tuple(stages)


def _curves(
    opened: OpenedProducts, truth: Image | None, pictures: tuple[Picture, ...]
) -> dict[str, NDArray[np.float64]]:
    """Ring correlations: of the sky's two halves, and with the truth where it is known."""
    c = opened.channel
    curves = {"half-sets solved apart": half_agreement(opened.rounds[-1].sky, c)}
    views = {picture.key: picture.light[c] for picture in pictures}
    if truth is not None:
        curves["sky and truth"] = fourier_ring_correlation(views["truth"], views["sky"])
        curves["stack and truth"] = fourier_ring_correlation(views["truth"], views["stack"])
    return curves


def _batch_frames(psfs: Psfs, channel: int) -> NDArray[np.float64]:
    """How many frames each batch has, frames of several starts counted once."""
    sampling = read_sampling(psfs, channel)
    return np.array([count_of(psfs.A[channel][k], sampling) for k in range(len(psfs.half))], np.float64)


def _trust_charts(opened: OpenedProducts, judged: Evaluated, shown: Shown) -> tuple[Chart, ...]:
    """What each held-out frame says, and how the solves settled."""
    c = opened.channel
    rounds = [
        (each.psfs.loss_steps[:].astype(np.float64), each.psfs.loss[:], _batch_frames(each.psfs, c))
        for each in opened.rounds
    ]
    judges = heldout_chart(shown, judged.chi2_sky[c], judged.chi2_stack[c], judged.heldout_frames[:])
    return (judges, *loss_charts(rounds))


def _psfs(opened: OpenedProducts, shown: Shown) -> tuple[Tile, ...]:
    """The telescope's own PSF, then those of the frames from the best to the worst."""
    numbers, found = opened.solved
    model, width = opened.model, opened.portrait_px
    order = np.argsort(-shown.strehl[numbers])
    places = {"Best": 0.0, "Better quarter": 0.25, "Median": 0.5, "Worse quarter": 0.75, "Worst": 1.0}
    rows = [int(order[round(share * (len(order) - 1))]) for share in places.values()]
    shapes = model.portraits(found[rows], opened.aperture, width)
    tiles = [Tile("Without air", "Strehl 1", model.diffraction_portrait(opened.aperture, opened.cutout.size, width))]
    for name, row, shape in zip(places, rows, shapes, strict=True):
        k = int(numbers[row])
        strength = f", D/r₀ {shown.d_over_r0[k]:.1f}" if np.isfinite(shown.d_over_r0[k]) else ""
        tiles.append(Tile(name, f"frame {k}: Strehl {shown.strehl[k]:.3f}{strength}", shape))
    return tuple(tiles)


def _psf_note(opened: OpenedProducts) -> str:
    """How large the tiles are on the sky."""
    bright = "as bright as its own peak, on a square-root scale."
    if opened.model.portrait_sampling is None:
        return f"Each tile is {bright}"
    across, scale = opened.portrait_width, opened.telescope.scale_arcsec
    size = f"{across} λ/D wide ({across / opened.cutoff:.0f} px"
    size += f", {across / opened.cutoff * scale:.1f}″" if scale else ""
    return f"Each tile is {size}), {bright}"


def _figures(report: Mapping[str, Any], telescope: Telescope) -> dict[str, tuple[str, str]]:
    """The few numbers worth a headline."""
    rows, frames = report["channels"], report["frames"]
    sky, stack = (float(np.mean([r[f"heldout_chi2_{name}"] for r in rows])) for name in ("sky", "stack"))
    strength = rows[1 if len(rows) == 3 else 0]["d_over_r0"]
    r0 = f"{telescope.aperture_m / strength * 100:.1f} cm r₀" if telescope.aperture_m else "telescope not given"
    figures = {
        "Seeing": (f"D/r₀ {strength:.1f}", r0),
        "Frames": (f"{frames['used']}", f"of {report['capture']['frames']}; {frames['held_out']} only judge"),
        "Unexplained": (f"{sky:.2f} ×", f"the noise; by the stack {stack:.2f}\u00a0×"),
        "Time": (f"{report['seconds']['total']:.0f} s", "all steps together"),
    }
    measured = report["measured"]
    if measured["resolved_px"]:
        share, arcsec = measured["resolved_lambda_over_d"], measured["resolved_arcsec"]
        detail = f"{share:.2f} λ/D" if share else f"{measured['resolved_px']:.1f} px"
        figures["Detail"] = (
            f"{arcsec:.2f}″" if arcsec else detail,
            f"{detail}; Strehl {measured['strehl']['median']:.2f}",
        )
    if report["truth"]:
        gain = report["truth"]["solved"]["psnr_db"] - report["truth"]["stack"]["psnr_db"]
        figures["Truth"] = (f"{gain:+.1f} dB", "nearer to it than the stack")
    return figures
