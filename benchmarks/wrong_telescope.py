"""What a telescope that is told wrongly, or not at all, costs: simulated captures restored with each, dB against the truth.

    python benchmarks/wrong_telescope.py FOLDER [NAME ...]

Captures of 64 frames of 128 px whose pixels are finer than needed (cut-off 0.4 cycles/px), so that a scale can be told too
large as well. Captures, products and rows.json are kept in FOLDER: what is done is not repeated. NAMEs are captures or
rows; without any, all are run. The table of all finished rows is printed in Markdown.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from configs.load import load_config
from flows.recipe import planned_products, restore_capture
from storage.captures.capture import capture_at
from storage.results.export import save_json
from storage.results.truth import beside, truth_beside
from storage.store import Store
from tasks.benchmark.benchmark import quality
from tasks.benchmark.simulate import simulate
from tasks.products.contents import Evaluated, Seeing
from tasks.running.step import Run

SCALE_ARCSEC = 0.8 * 550e-9 / 0.25 / 2 * 206264.806
"""Of a pixel: 0.8 of the one that just holds what a telescope of 0.25 m passes, so that its cut-off is 0.4 cycles/px."""
COMMON = {"size_px": 128, "n_frames": 64, "pixel_scale_arcsec": SCALE_ARCSEC}
FILMS: dict[str, tuple[str, dict[str, object]]] = {
    "planet": ("planet", {"d_over_r0": 5.0}),
    "moon": ("moon", {"d_over_r0": 5.0}),
    "stars": ("stars", {"d_over_r0": 5.0, "photons_peak": 2000.0}),
    "faint galaxy": ("galaxy", {"d_over_r0": 4.0, "photons_peak": 80.0, "background_e": 6.0, "read_noise_e": 1.0}),
}
"""Name: sky, and fields of its scene beyond COMMON."""


def scaled(percent: float) -> tuple[str, ...]:
    """The pixel scale told wrongly by so many per cent."""
    return (f"telescope.pixel_scale_arcsec={SCALE_ARCSEC * (1 + percent / 100):.8f}",)


ROWS: dict[str, tuple[str, ...] | None] = {
    "right": (),
    **{f"scale {percent:+d} %".replace("-", "−"): scaled(percent) for percent in (-20, -10, -5, 5, 10, 20)},
    "no obstruction told": ("telescope.obstruction=0",),
    "telescope unknown": None,
}
"""Name: settings said otherwise; None: nothing is said."""


def restored(folder: Path, name: str, words: tuple[str, ...] | None) -> dict[str, object]:
    """PSNR of the sky in dB, what was published, and the cut-off that was used."""
    film = folder / f"{name.replace(' ', '_')}.ser"
    if not film.exists():
        target, scene = FILMS[name]
        simulate(film, {**COMMON, **scene}, target)
    truth = truth_beside(film)
    assert truth is not None
    config = load_config(None if words is None else beside(film)["config"], overrides=words or ())
    store, capture = Store(folder / "store"), capture_at(film)
    done = {product.step: product for product in planned_products(store, capture, config)}
    restore_capture(Run(store), capture, config)
    with store.view(Evaluated, done["evaluate"]) as judged, store.view(Seeing, done["measure_seeing"]) as seeing:
        published, cutoff = judged.verdict, float(seeing.cutoff_cpp[0])
    return {"db": quality(store, done["solve_sky"], truth), "published": published, "cutoff_cpp": cutoff}


def table(done: dict[str, dict[str, dict[str, object]]]) -> Iterator[str]:
    """The rows in Markdown: dB of each capture, and the word that was published where it is not `sky`."""
    yield f"| told | {' | '.join(FILMS)} |"
    yield "|---|" + "---:|" * len(FILMS)
    for key, words in ROWS.items():
        cells = []
        for film in FILMS:
            row = done.get(key, {}).get(film)
            cell = "" if row is None else f"{row['db']:.1f}"
            cell += f" ({row['cutoff_cpp']:.2f} c/px)" if row is not None and words is None else ""
            cells.append(cell + (f", {row['published']}" if row is not None and row["published"] != "sky" else ""))
        yield f"| {key} | {' | '.join(cells)} |"


def main() -> None:
    """Run the rows that are missing, keep them in FOLDER/rows.json, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(FILMS)}; {', '.join(ROWS)}")
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in (*FILMS, *ROWS)]:
        parser.error(f"{unknown[0]}: no capture and no row")
    given.folder.mkdir(parents=True, exist_ok=True)
    file = given.folder / "rows.json"
    done: dict[str, dict[str, dict[str, object]]] = json.loads(file.read_text()) if file.exists() else {}
    films, rows = ([name for name in known if name in given.names] or list(known) for known in (FILMS, ROWS))
    for film in films:
        for key in rows:
            if film not in done.get(key, {}):
                done.setdefault(key, {})[film] = restored(given.folder, film, ROWS[key])
                save_json(file, done)
                print(f"{key}, {film}: {done[key][film]}", file=sys.stderr, flush=True)
    print("\n".join(table(done)))


if __name__ == "__main__":
    main()
