"""The contribution of each part of the method: simulated captures restored with one thing changed, dB against the truth.

    python benchmarks/ablation.py FOLDER [CASE ...] [ROW ...]

Captures, products and rows.json are kept in FOLDER: what is done is not repeated, an interrupted run continues. Without
CASE every case is run, without ROW every row; the table of all finished rows is printed in Markdown. Rows that change the
solver use one start, which halves the time, and are compared with the row `one-start`.
"""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor

from configs.load import load_config
from flows.recipe import planned_products, restore_capture
from storage.captures.capture import capture_at
from storage.results.export import save_json
from storage.results.truth import beside, truth_beside
from storage.store import Store, clock
from tasks.benchmark.benchmark import CASES, quality
from tasks.benchmark.simulate import simulate
from tasks.numerics.fourier.rings import rings
from tasks.numerics.sky.half_agreement import HalfSums, common_power_fraction
from tasks.numerics.sky.likelihood import Sums
from tasks.numerics.sky.wiener import ring_power
from tasks.running.step import Run

USED = ("planet-8", "moon-4", "sun-8", "satellite-16", "galaxy-faint")
ROUNDS = (0, 1)


def flat_power(total: Sums, noise: float) -> Tensor:
    """One power for all rings (ring,): the mean of their own over the coefficients that the frames transmit."""
    power, number = ring_power(total, noise), rings(total.power.shape[-2])
    seen = (total.power > 1e-4 * total.frames) & (number > 0)
    return torch.full_like(power, float(power[number[seen]].mean()))


def strict(sky_power: Tensor, size: int) -> Tensor:
    """The prior as estimated, at any temperature."""
    return sky_power


def noise_only(found: HalfSums, floor: Tensor) -> Tensor:
    """Fraction of common power as if there had been a single solve: the expected noise is subtracted."""
    nothing = Sums(torch.zeros_like(found.total.power), torch.zeros_like(found.total.cross), 0)
    return common_power_fraction(replace(found, half=nothing), floor)


@contextlib.contextmanager
def seeing_alone() -> Iterator[None]:
    """The power ratio from seeing has full weight."""
    with patch("tasks.numerics.sky.amplitude.seeing_weight", lambda difference, sigma: 1.0):
        yield


@contextlib.contextmanager
def strict_solve() -> Iterator[None]:
    """The prior of the solve is never flattened."""
    with patch("tasks.numerics.psf_models.phase_solver.flattened_prior", strict):
        yield


@contextlib.contextmanager
def constant_solve() -> Iterator[None]:
    """The solve uses one regularisation weight for all frequencies."""
    with patch("tasks.numerics.psf_models.phase_solver.ring_power", flat_power), strict_solve():
        yield


@contextlib.contextmanager
def halves_not_compared() -> Iterator[None]:
    """The half-sets are not compared; only the noise is subtracted."""
    with patch("tasks.numerics.sky.amplitude.common_power_fraction", noise_only):
        yield


@dataclass(frozen=True)
class Ablation:
    """One row: what is changed, and the row that it is compared with."""

    name: str
    words: tuple[str, ...] = ()
    against: str = "default"
    change: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
    redone: tuple[str, ...] = ()
    """Steps whose results a change of the code affects; their keys do not show it."""


def both(word: str) -> tuple[str, ...]:
    """A setting in every round."""
    return tuple(f"rounds.{turn}.{word}" for turn in ROUNDS)


REACHED = ("solve_psfs", "solve_sky", "evaluate")
ONE = "rounds.0.psfs.starts=1"
ROWS: dict[str, Ablation] = {
    "default": Ablation("as delivered"),
    "no-seeing": Ablation("the seeing is not used (air_share 0)", both("sky.air_share=0")),
    "full-seeing": Ablation("the seeing has full weight", change=seeing_alone, redone=REACHED[1:]),
    "taper": Ablation("tapered frames only (cg_iterations 0)", both("sky.cg_iterations=0")),
    "noise-only": Ablation(
        "the half-sets are not compared, only the noise is subtracted", change=halves_not_compared, redone=REACHED[1:]
    ),
    "one-start": Ablation("one start", (ONE,)),
    "few-frames": Ablation(
        "the 64 luckiest frames only, one start",
        (ONE, "rounds.0.psfs.frames=64", "rounds.1.psfs.frames=64"),
        "one-start",
    ),
    "short": Ablation("100 steps, one start", (ONE, "rounds.0.psfs.steps=100"), "one-start"),
    "cold": Ablation("no annealing (temperature 1), one start", (ONE, "rounds.0.psfs.temperature=1"), "one-start"),
    "hot": Ablation("temperature 1000, one start", (ONE, "rounds.0.psfs.temperature=1000"), "one-start"),
    "strict": Ablation("the prior is never flattened, one start", (ONE,), "one-start", strict_solve, REACHED),
    "constant-g": Ablation("one constant g in the solve, one start", (ONE,), "one-start", constant_solve, REACHED),
    "modes-40": Ablation("40 modes, one start", (ONE, "psfs.modes=40"), "one-start"),
    "modes-150": Ablation("150 modes, one start", (ONE, "psfs.modes=150"), "one-start"),
    "freeform": Ablation("free-form PSFs, one start", (ONE, "psfs.model=freeform"), "one-start"),
}


def restored(folder: Path, name: str, ablation: Ablation) -> tuple[float, float]:
    """PSNR in dB of the sky of one case, and the seconds it took."""
    film = folder / f"{name}.ser"
    if not film.exists():
        simulate(film, CASES[name].fields(0), CASES[name].target)
    truth = truth_beside(film)
    assert truth is not None
    config = load_config(beside(film)["config"], overrides=ablation.words)
    store, capture = Store(folder / "store"), capture_at(film)
    products = planned_products(store, capture, config)
    stale = [product for product in products if product.step in ablation.redone]
    for product in stale:
        store.remove(product)
    elapsed = clock()
    try:
        with ablation.change():
            restore_capture(Run(store), capture, config)
        sky = [product for product in products if product.step == "solve_sky"][-1]
        return quality(store, sky, truth), elapsed()
    finally:
        for product in stale:  # products of changed code must not be reused by an unchanged run
            store.remove(product)


def table(done: dict[str, dict[str, float]]) -> Iterator[str]:
    """The rows in Markdown: dB of each case, the mean difference to the row compared with."""
    yield f"| one thing changed | {' | '.join(USED)} | mean change |"
    yield "|---|" + "---:|" * (len(USED) + 1)
    for key, ablation in ROWS.items():
        row, basis = done.get(key, {}), done.get(ablation.against, {})
        both_have = [case for case in USED if case in row and case in basis]
        if not both_have:
            continue
        mean = sum(row[case] - basis[case] for case in both_have) / len(both_have)
        levels = [f"{row[case]:.1f}" if case in row else "" for case in USED]
        change = "" if key == ablation.against else f"{mean:+.1f}".replace("-", "−")
        yield f"| {ablation.name} | {' | '.join(levels)} | {change} |"


def main() -> None:
    """Run the chosen rows that are missing, keep them in FOLDER/rows.json, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"cases: {', '.join(USED)}; rows: {', '.join(ROWS)}")
    given = parser.parse_args()
    folder, words = given.folder, given.names
    if unknown := [name for name in words if name not in (*USED, *ROWS)]:
        parser.error(f"{unknown[0]}: no case and no row")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "rows.json"
    done: dict[str, dict[str, float]] = json.loads(file.read_text()) if file.exists() else {}
    cases, wanted = ([name for name in known if name in words] or known for known in (USED, ROWS))
    for case in cases:
        for key in wanted:
            if case in done.get(key, {}):
                continue
            level, seconds = restored(folder, case, ROWS[key])
            done.setdefault(key, {})[case] = level
            save_json(file, done)
            load = os.getloadavg()[0]
            print(f"{key} {case}: {level:.2f} dB, {seconds:.0f} s, load {load:.1f}", file=sys.stderr, flush=True)
    print("\n".join(table(done)))


if __name__ == "__main__":
    main()
