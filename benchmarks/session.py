"""How much of a planet's rotation a session undoes, and what it gains: `python benchmarks/session.py FOLDER [--files 6]`.

A planet (`--planet`) turns through a simulated session, before a mount that may turn the field (`--mount altaz`). Every capture
is restored by itself, then all become one sky. Told are: the share of the rotation that is undone, from the angle by which each
capture's surface stands off the truth of the middle once the picture is registered on it; where the discs and north were found;
the gain in dB; how the gain grows where one thing after the other is replaced by the truth; and what the errors of the single
skies, which partly are the same, leave to any session.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.session_errors import Truth, allowed, costs_db, places, registered_single, rotation_left
from configs.load import load_config
from configs.observatory import Site
from configs.schema import Config
from flows.recipe import restore_capture
from storage.captures.capture import capture_at
from storage.captures.planets import GLOBES, aspect, field_rotation_deg
from storage.captures.sessions import globe_of, session_aspects
from storage.product import Product
from storage.results.export import save_json, save_png
from storage.results.truth import beside
from storage.store import Store
from tasks.benchmark.simulate import pixel_scale, simulate
from tasks.benchmark.turning import Turning
from tasks.merge import merge, opened_part
from tasks.numerics.globe.derotation import Rings
from tasks.numerics.globe.session import SkyPart
from tasks.numerics.globe.spheroid import View
from tasks.numerics.judging.metrics import match
from tasks.numerics.simulator.observe import canvas_px, truth
from tasks.numerics.simulator.scene import SimulatedScene
from tasks.products.session_contents import SessionSky
from tasks.running.step import Run

Image = NDArray[np.float32]
BEGIN = datetime(2026, 11, 20, 22, 14)
NORTH_DEG = 25.0
SITE = Site(latitude_deg=48.0, longitude_deg=75.0)
"""Where the alt-azimuth mount stands."""


def film(folder: Path, wanted: argparse.Namespace) -> list[tuple[Path, datetime]]:
    """The captures of a session of `minutes`, with the middle of each (UT)."""
    captures = []
    for number in range(wanted.files):
        started = BEGIN + timedelta(minutes=wanted.minutes * number / (wanted.files - 1))
        out = folder / f"{wanted.planet}_{started:%H%M%S}.ser"
        fields: dict[str, Any] = {
            "n_frames": wanted.frames, "size_px": wanted.size, "fps": wanted.fps, "d_over_r0": wanted.d_over_r0,
            "photons_peak": wanted.photons, "seed": wanted.seed + number, "exposure_s": 0.004,
            "aperture_m": wanted.aperture_m, "planet": wanted.planet, "north_deg": north_at(wanted, started),
        }  # fmt: skip
        fields |= {"started": started.isoformat(), "rotation": True, "force": True}
        if not out.exists():
            fields["size"] = str(fields.pop("size_px"))
            simulate(out, fields)
        captures.append((out, started + timedelta(seconds=wanted.frames / wanted.fps / 2)))
    return captures


def north_at(wanted: argparse.Namespace, moment: datetime) -> float:
    """Direction of the planet's north in the frame: with an alt-azimuth mount it follows the zenith."""
    if wanted.mount != "altaz":
        return NORTH_DEG
    first, now = (aspect(wanted.planet, each) for each in (BEGIN, moment))
    turned = [field_rotation_deg(SITE, seen, each) or 0.0 for seen, each in ((first, BEGIN), (now, moment))]
    return NORTH_DEG - (turned[1] - turned[0])


def restored(store: Store, path: Path) -> tuple[Product, Config]:
    """The evaluated product of a capture, and its settings."""
    config = load_config(beside(path)["config"])
    return restore_capture(Run(store), capture_at(path), config).evaluated, config


def true_sky(wanted: argparse.Namespace, moment: datetime, turned_deg: float = 0.0) -> tuple[Image, View]:
    """The truth at a moment, or with the planet turned further, and the disc in it."""
    scene = SimulatedScene(size_px=wanted.size, psf_px=psf_px(wanted), aperture_m=wanted.aperture_m)
    begun = moment - timedelta(seconds=wanted.frames / wanted.fps / 2)
    turning = Turning(north_at(wanted, begun), planet=wanted.planet).to_scale(
        begun, wanted.size, pixel_scale(scene, 550.0)
    )
    width, moved = canvas_px(scene), moment + timedelta(days=turned_deg / GLOBES[wanted.planet].rate_deg_per_day)
    offset = (width - wanted.size) / 2
    picture = truth(turning.sky(width, moved)(0.0), scene).diffraction
    return picture, turning.view(width, moment).moved(-offset, -offset)


def psf_px(wanted: argparse.Namespace) -> int:
    """Width of the simulator's PSFs, which sets its canvas."""
    return 2 * int(np.ceil(max(48.0, 6 * wanted.d_over_r0)))


def main() -> None:
    """Simulate, restore, merge, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--planet", choices=sorted(GLOBES), default="Jupiter")
    parser.add_argument("--mount", choices=("equatorial", "altaz"), default="equatorial")
    for name, usual in (("files", 6), ("frames", 64), ("size", 128), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    for name, value in (("minutes", 20.0), ("fps", 1.0), ("d-over-r0", 5.0), ("photons", 2000.0), ("aperture-m", 0.25)):
        parser.add_argument(f"--{name}", type=float, default=value)
    wanted = parser.parse_args()
    store = Store(wanted.folder / "store")
    captures = film(wanted.folder, wanted)
    parts = [restored(store, path) for path, _ in captures]
    moments = [moment.replace(tzinfo=UTC) for _, moment in captures]
    config = parts[0][1]
    session = config.session.model_copy(update={"mount": wanted.mount})
    scale = config.telescope.scale_arcsec if is_to_scale(wanted) else None
    aspects = session_aspects(wanted.planet, moments, scale, SITE, session)
    products = tuple(product for product, _ in parts)
    product = merge(Run(store), products, (-1,) * len(parts), aspects, globe_of(wanted.planet), session)
    figures = compared(store, product, products, captures, wanted)
    save_json(wanted.folder / "session.json", figures)
    print(json.dumps(figures, indent=1))


def is_to_scale(wanted: argparse.Namespace) -> bool:
    """Does the frame hold the planet as large as the telescope shows it?"""
    scale = pixel_scale(SimulatedScene(psf_px=psf_px(wanted), aperture_m=wanted.aperture_m), 550.0)
    return Turning(planet=wanted.planet).to_scale(BEGIN, wanted.size, scale).radius_px > 0


def compared(
    store: Store, product: Product, products: Sequence[Product], captures: Sequence[tuple[Path, datetime]], wanted: Any
) -> dict[str, Any]:
    """The figures of a session against its truth."""
    begin, end = captures[0][1], captures[-1][1]
    middle = begin + (end - begin) / 2
    rings = Rings(*own) if (own := GLOBES[wanted.planet].rings) else None
    before, want, after = (Truth(*true_sky(wanted, middle, degrees), rings) for degrees in (-1.0, 0.0, 1.0))
    with store.view(SessionSky, product) as made:
        sky, stack, figures = made.published[0], made.stack[0], made.figures
    found = [_view(want.view, disc, figures["mirrored"]) for disc in figures["discs"]]
    parts = [sky_part(store, one, view) for one, view in zip(products, found, strict=True)]
    singles = [
        registered_single(p, Truth(*true_sky(wanted, m), rings)) for p, (_, m) in zip(parts, captures, strict=True)
    ]
    target = _view(want.view, figures, figures["mirrored"])
    left = [
        rotation_left(p, v, target, figures["darkening"], (before, want, after))
        for p, v in zip(parts, found, strict=True)
    ]
    turns = [(s.view.meridian_deg - want.view.meridian_deg + 180) % 360 - 180 for s in singles]
    fit, bound = match(want.picture, sky), allowed(singles, want)
    shown = [want.picture, singles[-1].picture, sky]
    save_png(wanted.folder / "truth_single_session.png", side_by_side(shown), "gamma")
    return {
        "turned_deg": np.round(turns, 2).tolist(),
        "left_deg": np.round(left, 3).tolist(),
        "undone": 1 - float(np.sqrt(np.mean(np.square(left)) / np.mean(np.square(turns)))),
        "places": places(singles, found),
        "agreement": figures["agreement"],
        "single_db": [round(single.psnr_db, 2) for single in singles],
        "session_db": fit.psnr_db,
        "session_stack_db": match(want.picture, stack).psnr_db,
        "gain_over_best_db": fit.psnr_db - max(single.psnr_db for single in singles),
        "gain_over_mean_db": fit.psnr_db - bound["mean_single_db"],
        "ten_log_files_db": 10 * float(np.log10(len(captures))),
        "one_after_the_other_db": costs_db(singles, found, want, figures["darkening"]),
        "allowed": bound,
    }


def sky_part(store: Store, product: Product, view: View) -> SkyPart:
    """A restored capture as the session takes it."""
    opened = opened_part(store, product)
    return SkyPart(opened.published, opened.stack, opened.belief, view, opened.known, opened.amplitude_sigma)


def _view(like: View, disc: dict[str, Any], mirrored: bool) -> View:
    """The disc as the session found it."""
    place = {name: disc[name] for name in ("radius_px", "meridian_deg", "north_deg")}
    return replace(like, centre_px=tuple(disc["centre_px"]), mirrored=mirrored, **place)


def side_by_side(pictures: Sequence[Image]) -> Image:
    """(1, y, x) pictures beside each other, of one brightness."""
    return np.concatenate([each / each.mean() for each in pictures], axis=1)[None].astype(np.float32)


if __name__ == "__main__":
    main()
