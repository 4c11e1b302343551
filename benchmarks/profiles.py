"""Which settings suit which kind of target: simulated captures of each kind, restored with one setting changed at a time.

    python benchmarks/profiles.py FOLDER [--targets sun stars] [--seeds 3]

A line per capture and variant: dB of the solved sky and of the enhanced picture to the truth, beside those of the defaults.
"""

import argparse
from pathlib import Path

from configs.load import load_config
from flows.recipe import restore_capture
from storage.captures.capture import capture_at
from storage.results.truth import beside, truth_beside
from storage.store import Store
from tasks.benchmark.simulate import simulate
from tasks.products.contents import Evaluated
from tasks.products.finished_contents import Enhanced
from tasks.reporting.report import against
from tasks.running.step import Run

VARIANTS: dict[str, tuple[str, ...]] = {
    "defaults": (),
    "positive sky": ("rounds.1.sky.prior=positive",),
    **{f"{n} iterations": (f"enhance.iterations={n}",) for n in (3, 30, 100)},
    "half strength": ("enhance.strength=0.5",),
}
"""Variant: the settings that differ from the defaults."""
QUICK = ("enhance.mode=classical", "rounds.0.psfs.steps=150", "evaluate.frames=6", "evaluate.steps=40")
"""Settings of all variants, so that a capture takes seconds."""


def figures(folder: Path, target: str, seed: int) -> dict[str, tuple[float, float, float]]:
    """dB of sky, of what is published and of the enhanced picture, per variant, of one capture."""
    strength, photons = (4.0, 7.0)[seed % 2], (4000.0, 1000.0)[seed // 2 % 2]
    path = folder / f"{target}{seed}.ser"
    if not path.exists():
        fields = {"n_frames": 64, "size_px": 96, "d_over_r0": strength, "photons_peak": photons, "seed": seed}
        simulate(path, fields, target, None, None, "benchmarks/profiles.py", lambda *_: None)
    truth = truth_beside(path)
    assert truth is not None
    run, found = Run(Store(folder / "store")), {}
    for name, words in VARIANTS.items():
        config = load_config(beside(path)["config"], overrides=(*QUICK, *words))
        results = restore_capture(run, capture_at(path), config)
        with run.store.view(Evaluated, results.evaluated) as judged:
            pictures = [judged.sky[:], judged.published[:]]
        with run.store.view(Enhanced, results.enhanced) as enhanced:
            pictures.append(enhanced.enhanced[:])
        sky, published, sharper = (against(truth, picture)["psnr_db"] for picture in pictures)
        found[name] = (sky, published, sharper)
    return found


def main() -> None:
    """Print the table."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--targets", nargs="+", default=["planet", "moon", "sun", "satellite", "stars"])
    asked.add_argument("--seeds", type=int, default=4)
    told = asked.parse_args()
    told.folder.mkdir(parents=True, exist_ok=True)
    for target in told.targets:
        for seed in range(told.seeds):
            for name, (sky, published, sharper) in figures(told.folder, target, seed).items():
                line = f"sky {sky:5.1f} dB, published {published:5.1f}, enhanced {sharper:5.1f}"
                print(f"{target:9s} {seed} {name:15s} {line}", flush=True)


if __name__ == "__main__":
    main()
