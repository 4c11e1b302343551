"""page: what a person wants to see of a result, gathered from its line of products: pictures, curves, PSFs, misfit."""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.schema import Telescope
from storage.product import Product
from storage.store import Store
from tasks.numerics.fourier.shifts import shift_frames
from tasks.numerics.judging.metrics import fourier_ring_correlation, frc_cutoff, match
from tasks.numerics.optics.aperture import Aperture
from tasks.numerics.psf_models.base import PORTRAIT_SAMPLING, PsfModel
from tasks.numerics.psf_models.table import PSF_MODELS
from tasks.products.clean_frames import Prepared
from tasks.products.cutout import field_of
from tasks.products.frames import FrameStack
from tasks.products.half_sums import frames_in, halves_agree
from tasks.products.optics import cutoff_cpp, obstruction
from tasks.reporting.charts import Shown, air_charts, frame_charts, heldout_chart, loss_charts, resolution_charts
from tasks.reporting.html import Misfit, Page, Picture, Tile, Turn
from tasks.reporting.residual_map import misfit_of
from tasks.reporting.svg import Chart

Image = NDArray[np.float32]
AROUND, NARROWEST, WIDEST = 5, 24, 64
"""Wavelengths / D across a PSF's portrait: so many times D/r0, within limits."""
MOST_PSFS = 800
"""More dots would hide each other in a chart."""


@dataclass(frozen=True)
class Opened:
    """The products of a result, open for reading."""

    result: Any
    frames: Any
    mean: Any
    first: Any
    air: Any
    turns: tuple[tuple[Any, Any], ...]
    """(PSFs, sky) of every round."""
    telescope: Telescope
    channel: int
    """The one whose PSFs and air are shown: green of a colour capture."""

    @property
    def clean(self) -> Prepared:
        """The frames as the solver saw them."""
        return Prepared(FrameStack(self.frames), self.mean["bad"][:], self.mean["noise"][:])

    @property
    def model(self) -> PsfModel:
        """How the PSFs are described."""
        return PSF_MODELS[str(self.turns[-1][0].attrs["model"])]

    @property
    def solved(self) -> tuple[NDArray[np.int64], Image]:
        """Numbers of solved frames, luckiest first, and their PSFs' parameters: all, or every n-th of very many."""
        sky = self.turns[-1][1]
        every = -(-len(sky["frames"]) // MOST_PSFS)
        return sky["frames"][::every], sky[f"psfs{self.channel}"][::every]

    @property
    def across(self) -> int:
        """Wavelengths / D across the portrait of a PSF; even, so that its middle is a pixel."""
        return 2 * round(float(np.clip(AROUND * self.strength, NARROWEST, WIDEST)) / 2)

    @property
    def strength(self) -> float:
        """D/r0 of the shown channel."""
        return float(self.air[f"channel{self.channel}"].attrs["d_over_r0"])

    @property
    def cutoff(self) -> float:
        """Of the shown channel, cycles per pixel."""
        return min(cutoff_cpp(self.telescope, self.channel, self.mean), 0.5)


def gather(store: Store, result: Product, report: Mapping[str, Any], telescope: Telescope, truth: Image | None) -> Page:
    """Everything that the page of a result shows. `truth` is the sky (channel, y, x) where it is known."""
    with contextlib.ExitStack() as stack:
        opened = _open(store, result, telescope, stack)
        seen = _shown(opened)
        pictures = _pictures(opened, truth, seen)
        misfits = _misfits(opened)
        return Page(
            report=report,
            made=store.path(result).stat().st_mtime,
            stretch=str(opened.result.attrs["stretch"]),
            figures=_figures(report, telescope),
            pictures=pictures,
            turns=_turns(opened, truth, misfits),
            frames=frame_charts(seen, opened.first),
            air=air_charts(seen, opened.air[f"channel{opened.channel}"].attrs),
            resolution=(*resolution_charts(_curves(opened, truth, pictures), opened.cutoff), *_trust(opened, seen)),
            psfs=_psfs(opened, seen),
            psf_note=_psf_note(opened, telescope),
            misfit=misfits[-1],
        )


def _open(store: Store, result: Product, telescope: Telescope, stack: contextlib.ExitStack) -> Opened:
    """Follow the recipes from the result back to the frames."""

    def inputs(product: Product) -> list[Product]:
        with store.open(product) as file:
            return [Product(*pair) for pair in json.loads(file.attrs["recipe"])["inputs"]]

    *scene, sky = inputs(result)
    turns: list[tuple[Product, Product]] = []
    while sky.step == "solve_sky":
        *_, psfs, before = inputs(sky)
        turns.insert(0, (psfs, sky))
        sky = before

    def lend(product: Product) -> Any:
        return stack.enter_context(store.open(product))

    judged, frames, mean, first, air = (lend(product) for product in (result, *scene))
    rounds = tuple((lend(psfs), lend(found)) for psfs, found in turns)
    channel = 1 if len(judged["sky"]) == 3 else 0
    return Opened(judged, frames, mean, first, air, rounds, telescope, channel)


def _shown(opened: Opened) -> Shown:
    """What is known of every frame; what is not is nan."""
    count = opened.frames["raw"].shape[0]
    numbers, found = opened.solved
    aperture = Aperture(opened.cutoff * field_of(opened.first, opened.channel).size, obstruction(opened.telescope))
    side = PORTRAIT_SAMPLING * opened.across
    strehl, strength = np.full(count, np.nan), np.full(count, np.nan)
    for start in range(0, len(numbers), 64):
        part = slice(start, start + 64)
        strehl[numbers[part]] = opened.model.portraits(found[part], aperture, side).max(axis=(1, 2))
    if opened.model.strengths is not None:
        strength[numbers] = opened.model.strengths(found)
    clock = opened.frames["timestamps"][:] if "timestamps" in opened.frames else None
    return Shown(
        time=np.arange(count) if clock is None else clock - clock[0],
        clocked=clock is not None,
        flags=opened.first["flags"][:],
        held=opened.first["held"][:],
        rounds=tuple(psfs["frames"][:] for psfs, _ in opened.turns),
        sharpness=opened.first["sharpness"][:],
        light=opened.mean["flux"][:].mean(axis=1),
        shifts=opened.first["shifts"][:],
        strehl=strehl,
        d_over_r0=strength,
    )


def _pictures(opened: Opened, truth: Image | None, seen: Shown) -> tuple[Picture, ...]:
    """Every view worth comparing, in the order in which they came about."""
    best, median = (int(opened.first["order"][k]) for k in (0, len(opened.first["order"]) // 2))
    moved = [shift_frames(opened.clean.take([k]), -opened.first["shifts"][:][[k]])[0] for k in (median, best)]
    result = opened.result
    views = [
        Picture("median", "Typical frame", f"frame {median}, of median sharpness, moved into place", moved[0]),
        Picture("best", "Sharpest frame", f"frame {best}, moved into place", moved[1]),
        Picture("stack", "Stack", "mean of all frames, moved into place", result["stack"][:]),
        Picture("lucky", "Lucky stack", "mean of the sharpest frames", result["lucky"][:]),
    ]
    for number, (_, sky) in enumerate(opened.turns[:-1], start=1):
        views.append(Picture(f"round{number}", f"Sky, round {number}", f"from {frames_in(sky)} frames", sky["sky"][:]))
    said = f"after round {len(opened.turns)}, from {frames_in(opened.turns[-1][1])} frames"
    said += "" if result.attrs["published"] == "sky" else "; not published"
    views.append(Picture("sky", "Sky", said, result["solved"][:]))
    if truth is not None:
        views.append(
            Picture("truth", "Truth", "the simulated sky through the telescope", _laid(truth, views[-1].light))
        )
    return tuple(views)


def _laid(truth: Image, sky: Image) -> Image:
    """The truth moved and scaled onto the sky: where it lies and its units are not the capture's."""
    out = np.empty_like(sky)
    for c, picture in enumerate(sky):
        plane = truth[min(c, len(truth) - 1)]
        fit = match(picture, plane)
        out[c] = fit.gain * shift_frames(plane[None, None], np.array([fit.shift], np.float32))[0, 0] + fit.offset
    return out


def _turns(opened: Opened, truth: Image | None, misfits: tuple[Misfit, ...]) -> tuple[Turn, ...]:
    """The stages on the way: what each took, and what it reached."""
    first, channel = opened.first, opened.channel
    kept = len(first["order"])

    def against(picture: Image) -> dict[str, str]:
        known = None if truth is None else match(truth[min(channel, len(truth) - 1)], picture[channel]).psnr_db
        return {} if known is None else {"PSNR": f"{known:.1f} dB"}

    turns = [
        Turn("Stack", "stack", {"frames": f"{kept}", **against(opened.result["stack"][:])}),
        Turn(
            "Lucky stack",
            "lucky",
            {"frames": f"{max(1, round(float(first.attrs['share']) * kept))}", **against(opened.result["lucky"][:])},
        ),
    ]
    for number, (psfs, sky) in enumerate(opened.turns, start=1):
        rows = {
            "frames": f"{frames_in(sky)}",
            "newly solved": f"{frames_in(psfs)}",
            "PSFs": f"{float(psfs.attrs['seconds']):.1f} s",
            "sky": f"{float(sky.attrs['seconds']):.1f} s",
            "misfit / noise": f"{misfits[number - 1].median:.2f}",
            "cycles/px resolved": f"{frc_cutoff(halves_agree(sky, channel)):.2f}",
            **against(sky["sky"][:]),
        }
        turns.append(Turn(f"Round {number}", "sky" if number == len(opened.turns) else f"round{number}", rows))
    return tuple(turns)


def _curves(opened: Opened, truth: Image | None, pictures: tuple[Picture, ...]) -> dict[str, NDArray[np.float64]]:
    """Ring correlations: of the sky's two halves, and with the truth where it is known."""
    c = opened.channel
    curves = {"halves solved apart": halves_agree(opened.turns[-1][1], c)}
    views = {picture.key: picture.light[c] for picture in pictures}
    if truth is not None:
        curves["sky and truth"] = fourier_ring_correlation(views["truth"], views["sky"])
        curves["stack and truth"] = fourier_ring_correlation(views["truth"], views["stack"])
    return curves


def _trust(opened: Opened, seen: Shown) -> tuple[Chart, ...]:
    """What the frames that judge say one by one, and how the solves settled."""
    judged, c = opened.result, opened.channel
    rounds = []
    for psfs, _ in opened.turns:
        group = psfs[f"channel{c}"]
        rounds.append((group["loss"].attrs["steps"][:], group["loss"][:], group["A"][:, 0, 0]))
    judges = heldout_chart(seen, judged["chi2_sky"][c], judged["chi2_stack"][c], judged["heldout_frames"][:])
    return (judges, *loss_charts(rounds))


def _psfs(opened: Opened, seen: Shown) -> tuple[Tile, ...]:
    """The telescope's own PSF, then those of the frames from the best to the worst."""
    size = field_of(opened.first, opened.channel).size
    numbers, found = opened.solved
    aperture, side = Aperture(opened.cutoff * size, obstruction(opened.telescope)), PORTRAIT_SAMPLING * opened.across
    order = np.argsort(-seen.strehl[numbers])
    places = {"Best": 0.0, "Better quarter": 0.25, "Median": 0.5, "Worse quarter": 0.75, "Worst": 1.0}
    rows = [int(order[round(share * (len(order) - 1))]) for share in places.values()]
    shapes = opened.model.portraits(found[rows], aperture, side)
    tiles = [Tile("Without air", "Strehl 1", opened.model.diffraction_portrait(aperture, size, side))]
    for name, row, shape in zip(places, rows, shapes, strict=True):
        k = int(numbers[row])
        air = f", D/r₀ {seen.d_over_r0[k]:.1f}" if np.isfinite(seen.d_over_r0[k]) else ""
        tiles.append(Tile(name, f"frame {k}: Strehl {seen.strehl[k]:.3f}{air}", shape))
    return tuple(tiles)


def _psf_note(opened: Opened, telescope: Telescope) -> str:
    """How large the tiles are on the sky."""
    if opened.model.portrait_sampling is None:
        return "Each tile is as bright as its own peak, on a square-root scale."
    across = opened.across
    words = f"Each tile is {across} λ/D wide ({across / opened.cutoff:.0f} px"
    if telescope.scale_arcsec:
        words += f", {across / opened.cutoff * telescope.scale_arcsec:.1f}″"
    return words + "), as bright as its own peak, on a square-root scale."


def _misfits(opened: Opened) -> tuple[Misfit, ...]:
    """Where each round's sky and PSFs do not explain the luckiest frames."""
    field = field_of(opened.first, opened.channel)
    aperture = Aperture(opened.cutoff * field.size, obstruction(opened.telescope))
    clean = opened.clean
    return tuple(
        misfit_of(clean, field, sky, str(psfs.attrs["model"]), aperture, opened.strength) for psfs, sky in opened.turns
    )


def _figures(report: Mapping[str, Any], telescope: Telescope) -> dict[str, tuple[str, str]]:
    """The few numbers worth a headline."""
    rows, frames = report["channels"], report["frames"]
    sky, stack = (float(np.mean([r[f"heldout_chi2_{name}"] for r in rows])) for name in ("sky", "stack"))
    strength = rows[1 if len(rows) == 3 else 0]["d_over_r0"]
    air = f"{telescope.aperture_m / strength * 100:.1f} cm r₀" if telescope.aperture_m else "telescope not given"
    figures = {
        "Seeing": (f"D/r₀ {strength:.1f}", air),
        "Frames": (f"{frames['used']}", f"of {report['capture']['frames']}; {frames['held_out']} only judge"),
        "Unexplained": (f"{sky:.2f} ×", f"the noise; by the stack {stack:.2f}\u00a0×"),
        "Time": (f"{report['seconds']['total']:.0f} s", "all steps together"),
    }
    if report["truth"]:
        gain = report["truth"]["solved"]["psnr_db"] - report["truth"]["stack"]["psnr_db"]
        figures["Truth"] = (f"{gain:+.1f} dB", "nearer to it than the stack")
    return figures
