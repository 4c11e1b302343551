"""Double stars of captures that are restored whole: `python benchmarks/double_star_restores.py FOLDER [--repeats 1]`.

Pairs of known separation and difference of magnitudes are filmed through simulated air and restored with the default
settings; the report's measure is compared with what was drawn. `benchmarks/double_stars.py` does so for drawn pictures.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from configs.load import load_config
from flows.recipe import restore_capture
from storage.captures.capture import capture_at
from storage.captures.readers.ser import write_ser
from storage.results.truth import beside
from storage.store import Store
from tasks.benchmark.simulate import Simulation, config_text
from tasks.numerics.judging.double_star import DoubleStar, double_star
from tasks.numerics.simulator.observe import canvas_px, observe
from tasks.numerics.simulator.psfs import air_psfs
from tasks.numerics.simulator.scene import SimulatedScene
from tasks.products.contents import Evaluated
from tasks.running.step import Run

OFFSETS_PX = ((2, 0), (2, 2), (0, 4), (-4, 3), (-5, -5))
"""dy, dx of the companion, whole pixels, so that the stars drawn are points; lambda / D is 2 px."""
MAGNITUDES = (0.0, 0.3, 1.0, 2.0)
COVERED = 1.96
"""Standard errors within which 95 per cent of the deviations lie."""


def film(path: Path, scene: SimulatedScene, offset: tuple[int, int], magnitude: float) -> None:
    """A capture of a pair, with its configuration beside it."""
    width = canvas_px(scene)
    canvas = np.zeros((width, width), np.float32)
    middle = width // 2
    canvas[middle, middle] = 1.0
    canvas[middle + offset[0], middle + offset[1]] += 10 ** (-0.4 * magnitude)
    frames = (frame for block in observe(canvas, air_psfs(scene), scene) for frame in block.frames)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_ser(path, frames, scene.bits, 1.6e9 + np.arange(scene.n_frames) / scene.fps, {}, None)
    beside(path)["config"].write_text(config_text(Simulation(path, scene), scene), encoding="utf-8")


def measured(store: Store, path: Path) -> tuple[DoubleStar | None, str]:
    """The pair that the restored capture shows, and the verdict's word."""
    config = load_config(beside(path)["config"])
    product = restore_capture(Run(store), capture_at(path), config).evaluated
    with store.view(Evaluated, product) as judged:
        cutoff = judged.figures["channels"][0]["cutoff_cpp"]
        found = double_star(judged.published[0], judged.belief[0], cutoff, config.telescope.obstruction)
        return found, judged.verdict


def deviations(found: DoubleStar, offset: tuple[int, int], magnitude: float) -> NDArray[np.float64]:
    """(3,) separation, angle and difference of magnitudes off the truth, in their own standard errors."""
    angle = np.degrees(np.arctan2(-offset[1], -offset[0]))
    turn = (found.angle_deg - angle + 180) % 360 - 180
    swapped = abs(turn) > 90  # which of two equal stars is the brighter one is chance
    turn = turn - np.sign(turn) * 180 if swapped else turn
    return np.array(
        [
            (found.separation_px - np.hypot(*offset)) / found.separation_error_px,
            turn / found.angle_error_deg,
            ((-1 if swapped else 1) * found.delta_magnitude - magnitude) / found.delta_magnitude_error,
        ]
    )


def main() -> None:
    """Film, restore, measure, compare: one line per pair, then all together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    for name, usual in (("repeats", 1), ("frames", 64), ("size", 64)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--d-over-r0", type=float, default=4.0)
    wanted = parser.parse_args()
    store, rows, seed = Store(wanted.folder / "store"), [], 0
    for _ in range(wanted.repeats):
        for offset in OFFSETS_PX:
            for magnitude in MAGNITUDES:
                seed += 1
                path = wanted.folder / f"pair_{seed}.ser"
                scene = SimulatedScene(wanted.frames, wanted.size, d_over_r0=wanted.d_over_r0, seed=seed)
                if not path.exists():
                    film(path, scene, offset, magnitude)
                found, verdict = measured(store, path)
                off = np.full(3, np.nan) if found is None else deviations(found, offset, magnitude)
                rows.append(off)
                print(
                    f"{np.hypot(*offset):5.2f} px  dm {magnitude:3.1f}  {verdict:5s} {np.round(off, 2)} {found}",
                    flush=True,
                )
    off = np.array(rows)
    off = off[np.isfinite(off[:, 0])]
    mean, rms, within = off.mean(0), np.sqrt((off**2).mean(0)), (np.abs(off) < COVERED).mean(0)
    print(f"{len(off)} of {len(rows)} pairs found; separation, angle, difference of magnitudes in standard errors:")
    print(f"mean {np.round(mean, 2)}, rms {np.round(rms, 2)}, within {COVERED}: {np.round(within, 3)}")


if __name__ == "__main__":
    main()
