"""simulate: a capture with a known truth, written frame by frame; truth, PSFs and configuration beside it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from configs.load import BadConfig
from configs.schema import ARCSEC_PER_RAD
from storage.captures.readers.ser import write_ser
from storage.captures.readers.video import write_movie
from storage.errors import BadCapture, Hopeless, StillskyError, StoreError
from storage.results.truth import (
    PsfFile,
    beside,
    check_config,
    psf_file,
    read_picture,
    save_config,
    save_truth,
)
from tasks.benchmark.scene_request import parse_movie, parse_size, parse_static, parse_wind, scene_of
from tasks.benchmark.seen_air import seen_air
from tasks.benchmark.turning import Turning, parse_turning
from tasks.numerics.simulator.observe import Block, SkyAt, canvas_px, observe
from tasks.numerics.simulator.observe import truth as ideal
from tasks.numerics.simulator.psfs import air_psfs, exact_ratio
from tasks.numerics.simulator.scene import COLOURS, SimulatedScene
from tasks.numerics.simulator.targets import TARGETS

Image = NDArray[np.float32]
Progress = Callable[[str, int, int], None]

EPOCH_S = 1_577_836_800.0
"""Time of the first frame, 2020-01-01 UTC: the same request gives the same file."""
FILLED = 0.1
"""A picture whose border is brighter than this share of its peak goes on beyond it."""


@dataclass(frozen=True)
class Simulation:
    """What to simulate, and where to leave it."""

    out: Path
    """The capture, *.ser, or *.mp4 of a movie; truth, PSFs and configuration are left beside it."""
    scene: SimulatedScene = field(default_factory=SimulatedScene)
    """Telescope, air, mount and camera."""
    target: str = "planet"
    """Name of a procedural sky; not used where `truth` is given."""
    truth: Path | None = None
    """A picture to be the sky."""
    psfs: Path | None = None
    """A capture of a bright star to be the air."""
    wavelength_nm: float = 550.0
    """Mean wavelength, in nanometres; green's where there are colours."""
    movie_bpp: float | None = None
    """Bits per pixel of an H.264 movie; None: raw frames as SER."""
    started: datetime | None = None
    """Time of the first frame, UT; None: EPOCH_S."""
    turning: Turning | None = None
    """A planet that turns while it is recorded, instead of `target`."""
    command: str = ""
    """The words that asked for it, noted in the configuration."""
    force: bool = False
    """Write over a configuration that says something else."""


def simulate_capture(plan: Simulation, progress: Progress | None = None) -> list[Path]:
    """Write the capture and what lies beside it; memory does not grow with the number of frames. Returns the files."""
    files = beside(plan.out)
    _refuse(plan, files["truth"])
    scene, psfs = plan.scene, None
    if plan.psfs is not None:
        scene, psfs = seen_air(scene, plan.psfs)
    text = config_text(plan, scene)
    if not plan.force:
        check_config(files["config"], text)
    canvas, sky_at = _canvas(plan, scene)
    with _worded(plan.out):
        plan.out.parent.mkdir(parents=True, exist_ok=True)
        answer = ideal(canvas, scene)
        begin = EPOCH_S if plan.started is None else plan.started.replace(tzinfo=UTC).timestamp()
        times = begin + np.arange(scene.n_frames) / scene.fps
        texts = {
            "observer": "stillsky",
            "camera": f"simulated {scene.bits} bit",
            "telescope": f"D={scene.aperture_m:g}m",
        }
        with _psf_journal(files, scene) as journal:
            blocks = observe(canvas, air_psfs(scene) if psfs is None else psfs, scene, sky_at=sky_at)
            frames = _frames(blocks, journal, scene.n_frames, progress)
            if plan.movie_bpp is None:
                write_ser(plan.out, frames, scene.bits, times, texts, scene.mosaic or None)
            else:
                write_movie(plan.out, (_for_eyes(f, scene) for f in frames), scene.fps, plan.movie_bpp)
        save_truth(files["truth"], answer.sharp, answer.diffraction, _cards(plan, scene))
        save_config(files["config"], text)
    return [plan.out, *files.values()]


@contextmanager
def _psf_journal(files: dict[str, Path], scene: SimulatedScene) -> Iterator[PsfFile | None]:
    """The file of true PSFs; none of a colour camera, whose frames have three each: an older one is removed."""
    if scene.colours:
        files.pop("psfs").unlink(missing_ok=True)
        yield None
        return
    with psf_file(files["psfs"], scene.n_frames, scene.pixel_width) as journal:
        yield journal


def _for_eyes(frame: NDArray[Any], scene: SimulatedScene) -> NDArray[np.uint8]:
    """A frame (colour, y, x) of the sensor as a still camera's movie shows it: black subtracted, sRGB curve, 8 bits."""
    light = np.clip((frame - scene.offset_adu) / (2**scene.bits - 1 - scene.offset_adu), 0.0, 1.0)
    curved = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(255 * curved).astype(np.uint8)


def pixel_scale(scene: SimulatedScene, wavelength_nm: float) -> float:
    """Sky angle of a pixel of the sky's grid, in arc seconds."""
    sampling = scene.psf_px / scene.aperture_cells if scene.aperture_cells else 2.0
    return wavelength_nm * 1e-9 / scene.aperture_m / sampling * ARCSEC_PER_RAD


def config_text(plan: Simulation, scene: SimulatedScene) -> str:
    """The [telescope] table that fits the capture, under comments that say how it was made."""
    origin = f"the air of {plan.psfs.name}" if plan.psfs else f"D/r0 = {scene.d_over_r0:g}"
    what = plan.turning.words if plan.turning else plan.truth.name if plan.truth else plan.target
    notes = [f"Simulated capture of {what}: {origin}, {scene.n_frames} frames, seed {scene.seed}."]
    notes += [f"Made by: {plan.command}"] if plan.command else []
    lines = [f"# {' '.join(note.split())}" for note in notes]
    lines += ["", "[telescope]", f"aperture_m = {scene.aperture_m!r}", f"obstruction = {scene.obstruction!r}"]
    lines += [f"pixel_scale_arcsec = {scene.binning * pixel_scale(scene, plan.wavelength_nm):.8g}"]
    ratios = [exact_ratio(scene, colour) for colour in range(len(COLOURS))]
    colours = [round(plan.wavelength_nm * ratio, 3) for ratio in ratios]
    lines += [f"wavelength_nm = {colours if scene.colours else float(plan.wavelength_nm)!r}"]
    return "\n".join(lines) + "\n"


def fit_canvas(picture: Image, size: int, canvas: int) -> Image:
    """A picture as the sky (canvas, canvas): its longer side brought down to the frame's `size`, never up, and centred.

    Beyond its border the sky goes on mirrored where the border is bright (the Moon's surface), else as dark as it is.
    """
    light = np.maximum(picture.astype(np.float64), 0.0)
    factor = max(light.shape) / size
    if factor > 1:
        light = ndimage.gaussian_filter(light, 0.45 * factor, mode="nearest", truncate=3.0)
        light = ndimage.zoom(light, 1 / factor, order=1, mode="nearest", grid_mode=True)
    border = np.concatenate([light[0], light[-1], light[:, 0], light[:, -1]])
    filled = float(np.median(border)) > FILLED * float(light.max())
    pads = [((canvas - n) // 2, canvas - n - (canvas - n) // 2) for n in light.shape]
    return np.asarray(np.pad(light, pads, mode="symmetric" if filled else "edge"), np.float32)


def _canvas(plan: Simulation, scene: SimulatedScene) -> tuple[Image, SkyAt | None]:
    """The sky, of one that turns in the middle of the capture, and how it looks so many seconds after its beginning."""
    width = canvas_px(scene)
    if plan.turning is not None and plan.started is not None:
        sky_at = plan.turning.sky(width, plan.started)
        return sky_at(scene.n_frames / scene.fps / 2), sky_at
    if plan.truth is None:
        return TARGETS[plan.target](width, np.random.default_rng([scene.seed, 7])), None
    picture = read_picture(plan.truth)
    if not picture.max() > 0:
        raise BadCapture(
            f"{plan.truth}: a picture without light (brightest pixel {picture.max():g}); give another as truth"
        )
    return fit_canvas(picture, min(scene.shape), width), None


def _frames(
    blocks: Iterator[Block], journal: PsfFile | None, total: int, progress: Progress | None
) -> Iterator[NDArray[Any]]:
    done = 0
    for block in blocks:
        if journal is not None:
            journal.add(block.psfs, block.shifts)
        yield from block.frames
        done += len(block.frames)
        if progress is not None:
            progress("simulate", done, total)


def _cards(plan: Simulation, scene: SimulatedScene) -> dict[str, tuple[Any, str]]:
    return {
        "D_R0": (scene.d_over_r0, "strength of the air asked for"),
        "SEED": (scene.seed, "of everything random"),
        "PIXSCALE": (pixel_scale(scene, plan.wavelength_nm), "arcsec per pixel"),
        "APERTURE": (scene.aperture_m, "m"),
    } | (plan.turning.cards if plan.turning else {})


def _refuse(plan: Simulation, truth: Path) -> None:
    """Nothing but an earlier simulation is written over."""
    kind, suffix = ("SER", ".ser") if plan.movie_bpp is None else ("an MP4 movie", ".mp4")
    if plan.out.suffix.lower() != suffix:
        raise BadConfig(f"{plan.out}: this capture is written as {kind}; give a name that ends with {suffix}")
    if plan.movie_bpp is not None and any(side % 2 for side in plan.scene.sensor_shape):
        raise BadConfig(
            f"frames of {plan.scene.sensor_shape} px: a movie halves its colours; give even sides with --size"
        )
    if plan.psfs is not None and plan.scene.colours:
        raise BadConfig("--psfs gives PSFs of one colour; leave out --mosaic and --movie")
    if plan.truth is None and plan.target not in TARGETS:
        raise BadConfig(f"--target {plan.target}: known are {', '.join(TARGETS)}; or give a picture with --truth")
    if plan.out.exists() and not truth.exists():
        raise BadConfig(f"{plan.out} is there and no simulation (no {truth.name} beside it); choose another name")
    if plan.scene.bits not in range(8, 17):
        raise BadConfig(f"bits = {plan.scene.bits}: needed are 8 .. 16 bits")


@contextmanager
def _worded(out: Path) -> Iterator[None]:
    """What the simulator or the disk refuses, in the words of stillsky's errors."""
    try:
        yield
    except StillskyError:
        raise
    except OSError as error:
        raise StoreError(
            f"{out} cannot be written ({error.strerror or error}); make room or choose another folder"
        ) from error
    except ValueError as error:
        raise Hopeless(f"this cannot be simulated: {error}") from error


def simulate(
    out: Path,
    fields: Mapping[str, Any],
    target: str = "planet",
    truth: Path | None = None,
    psfs: Path | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> list[Path]:
    """Check a request, write the capture, return the files.

    `fields`: fields of SimulatedScene, wavelength_nm, pixel_scale_arcsec, force, and size, static, movie, wind as they are
    typed; None means the default.
    """
    request = dict(fields)
    request |= parse_size(size) if (size := request.pop("size", None)) else {}
    request["static"] = parse_static(tuple(request.pop("static", None) or ()))
    movie = request.pop("movie", None)
    movie_bpp = parse_movie(movie) if movie else None
    request |= {"colours": True} if movie else {}
    wavelength_nm = request.pop("wavelength_nm", None) or 550.0
    scale = request.pop("pixel_scale_arcsec", None)
    request["winds"] = parse_wind(tuple(request.pop("wind", None) or ()))
    force = bool(request.pop("force", False))
    moment, turning = parse_turning(request, target, psfs is not None or truth is not None)
    scene = scene_of(request, wavelength_nm, scale)
    if turning is not None and moment is not None:
        turning = turning.to_scale(moment, min(scene.shape), pixel_scale(scene, wavelength_nm))
    plan = Simulation(out, scene, target, truth, psfs, wavelength_nm, movie_bpp, moment, turning, command, force)
    return simulate_capture(plan, progress)
