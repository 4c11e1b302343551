"""How much of a planet's rotation a session undoes, and what it gains: `python benchmarks/session.py FOLDER [--files 6]`.

Jupiter turns through a simulated session. Every capture is restored by itself, then all become one sky. Two figures follow: the
share of the rotation between the captures that is undone, from the angle by which each capture's surface, brought to the
middle of the session, still stands off the truth there; and the gain in dB over the best single capture.
"""

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.load import load_config
from configs.schema import Config
from flows.recipe import restore_capture
from storage.captures.capture import capture_at
from storage.captures.sessions import globe_of, session_aspects
from storage.product import Product
from storage.results.export import save_json, save_png
from storage.results.truth import beside, truth_beside
from storage.store import Store
from tasks.benchmark.simulate import simulate
from tasks.benchmark.turning import Turning
from tasks.merge import merge
from tasks.numerics.globe.derotation import derotated
from tasks.numerics.globe.spheroid import View
from tasks.numerics.judging.metrics import match
from tasks.numerics.simulator.observe import canvas_px, truth
from tasks.numerics.simulator.scene import SimulatedScene
from tasks.products.contents import Evaluated
from tasks.products.session_contents import SessionSky
from tasks.running.step import Run

Image = NDArray[np.float32]
BEGIN = datetime(2026, 11, 20, 22, 14)
NORTH_DEG = 25.0


def film(folder: Path, wanted: argparse.Namespace) -> list[tuple[Path, datetime]]:
    """The captures of a session of `minutes`, with the middle of each (UT)."""
    captures = []
    for number in range(wanted.files):
        started = BEGIN + timedelta(minutes=wanted.minutes * number / (wanted.files - 1))
        out = folder / f"jupiter_{started:%H%M%S}.ser"
        fields: dict[str, Any] = {
            "n_frames": wanted.frames, "size_px": wanted.size, "fps": wanted.fps, "d_over_r0": wanted.d_over_r0,
            "photons_peak": wanted.photons, "seed": number, "exposure_s": 0.004,
        }  # fmt: skip
        fields |= {"started": started.isoformat(), "rotation": True, "north_deg": NORTH_DEG, "force": True}
        if not out.exists():
            fields["size"] = str(fields.pop("size_px"))
            simulate(out, fields)
        captures.append((out, started + timedelta(seconds=wanted.frames / wanted.fps / 2)))
    return captures


def restored(store: Store, path: Path) -> tuple[Product, Config]:
    """The evaluated product of a capture, and its settings."""
    config = load_config(beside(path)["config"])
    return restore_capture(Run(store), capture_at(path), config).evaluated, config


def true_sky(wanted: argparse.Namespace, moment: datetime, turned_deg: float = 0.0) -> tuple[Image, View]:
    """The truth at a moment, or with the planet turned further, and the disc in it."""
    scene = SimulatedScene(size_px=wanted.size, psf_px=psf_px(wanted))
    width, turning = canvas_px(scene), Turning(NORTH_DEG)
    moved = moment + timedelta(days=turned_deg / 870.27)
    offset = (width - wanted.size) / 2
    picture = truth(turning.sky(width, moved)(0.0), scene).diffraction
    return picture, turning.view(width, moment).moved(-offset, -offset)


def psf_px(wanted: argparse.Namespace) -> int:
    """Width of the simulator's PSFs, which sets its canvas."""
    return 2 * int(np.ceil(max(48.0, 6 * wanted.d_over_r0)))


def rotation_left(picture: Image, truths: Sequence[Image], weight: Image) -> float:
    """By how many degrees a surface stands off its true place: least squares on truths at -1, 0 and 1 degree."""
    slope = (truths[2] - truths[0]) / 2
    used = weight > 0.5
    terms = np.stack([slope[used], truths[1][used], np.ones(used.sum())], -1)
    found = np.linalg.lstsq(terms, picture[used], rcond=None)[0]
    return float(found[0] / found[1])


def main() -> None:
    """Simulate, restore, merge, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    for name, usual in (("files", 6), ("frames", 64), ("size", 128)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    for name, value in (("minutes", 20.0), ("fps", 1.0), ("d-over-r0", 5.0), ("photons", 2000.0)):
        parser.add_argument(f"--{name}", type=float, default=value)
    wanted = parser.parse_args()
    store = Store(wanted.folder / "store")
    captures = film(wanted.folder, wanted)
    parts = [restored(store, path) for path, _ in captures]
    moments = [moment.replace(tzinfo=UTC) for _, moment in captures]
    config = parts[0][1]
    aspects = session_aspects("Jupiter", moments, None, config.site, config.session)
    products = tuple(product for product, _ in parts)
    product = merge(Run(store), products, (-1,) * len(parts), aspects, globe_of("Jupiter"), config.session)
    figures = compared(store, product, products, captures, wanted)
    save_json(wanted.folder / "session.json", figures)
    print(json.dumps(figures, indent=1))


def compared(
    store: Store, product: Product, products: Sequence[Product], captures: Sequence[tuple[Path, datetime]], wanted: Any
) -> dict[str, Any]:
    """The figures of a session against its truth."""
    begin, end = captures[0][1], captures[-1][1]
    middle = begin + (end - begin) / 2
    want, view = true_sky(wanted, middle)
    near = [true_sky(wanted, middle, degrees)[0] for degrees in (-1.0, 0.0, 1.0)]
    with store.view(SessionSky, product) as made:
        merged_sky, stack, found = made.published[0], made.stack[0], made.figures
        moves = made.moves[:]
    singles, left, turns = [], [], []
    for (path, moment), one, _ in zip(captures, products, moves, strict=True):
        own = truth_beside(path)
        assert own is not None
        with store.view(Evaluated, one) as judged:
            picture = judged.published[:]
        singles.append(match(own[0], picture[0]).psnr_db)
        _, seen = true_sky(wanted, moment)
        north, mirrored = found["north_deg"], found["mirrored"]
        pole = [v.oriented(north, mirrored) for v in (seen, view)]
        back = derotated(picture, *pole, found["darkening"])
        left.append(rotation_left(back.turned[0], near, back.source * back.target))
        turns.append((seen.meridian_deg - view.meridian_deg + 180) % 360 - 180)
    fit = match(want, merged_sky)
    save_png(wanted.folder / "truth_single_session.png", side_by_side(want, picture, merged_sky), "gamma")
    return {
        "north_deg": [found["north_deg"], found["mirrored"], NORTH_DEG],
        "agreement": found["agreement"],
        "turned_deg": np.round(turns, 2).tolist(),
        "left_deg": np.round(left, 3).tolist(),
        "undone": 1 - float(np.sqrt(np.mean(np.square(left)) / np.mean(np.square(turns)))),
        "single_db": np.round(singles, 2).tolist(),
        "session_db": fit.psnr_db,
        "session_stack_db": match(want, stack).psnr_db,
        "gain_db": fit.psnr_db - max(singles),
        "ten_log_files_db": 10 * float(np.log10(len(captures))),
    }


def side_by_side(want: Image, single: Image, session: Image) -> Image:
    """(1, y, x) truth, last capture, session, each with the truth's brightness."""
    shown = [want, single[0], session]
    return np.concatenate([each / each.mean() for each in shown], axis=1)[None].astype(np.float32)


if __name__ == "__main__":
    main()
