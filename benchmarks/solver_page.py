"""Draws the charts of docs/solver.md from the results of ablation.py and scaling.py, and writes their tables into it.

    python benchmarks/solver_page.py ABLATION_FOLDER SCALING_FOLDER

Pictures are written to docs/solver/, tables between the marks `<!-- NAME -->` and `<!-- end -->`. Missing measurements are
left out.
"""

import argparse
import io
import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ablation import ROWS, table
from numpy.typing import NDArray
from PIL import Image as Pillow

from configs.load import load_config
from flows.recipe import planned_products, restore_capture
from storage.captures.capture import capture_at
from storage.captures.readers import open_capture
from storage.product import CaptureProducts
from storage.results.export import stretched
from storage.results.truth import beside
from storage.store import Store
from tasks.benchmark.oracle import known_psfs
from tasks.products.contents import Sky, Stack
from tasks.reporting.svg import Chart, Series, drawn
from tasks.running.step import Run
from tasks.solve_sky import solve_sky

DOCS = Path(__file__).parent.parent / "docs"
CASE = "planet-8"
GROW = 2
LEGEND = ("#c2570c", "#2563a8", "#17803d", "#8d919c", "#8a6d3b")
STYLE = """
svg { font-family: sans-serif; background: #fff } text { fill: #626878; font-size: 12px }
.grid, .axis { fill: none; stroke: #dcdbd4 } .axis { stroke: #626878 } .line { fill: none; stroke-width: 2 }
.word { fill: #1b1e28; font-size: 11px } .mark { stroke: #1b1e28; stroke-dasharray: 4 4; opacity: .55 } .band { opacity: 0 }
""" + "".join(f".line.c{k} {{ stroke: {c} }} .dot.c{k} {{ fill: {c} }}\n" for k, c in enumerate(LEGEND, start=1))  # fmt: skip
Row = dict[str, Any]


def save_chart(name: str, chart: Chart) -> None:
    """A chart as an SVG file with its style, and with the names of its lines as a legend."""
    words = []
    for k, series in enumerate(chart.series):
        colour = LEGEND[series.colour - 1]
        words.append(f'<text x="74" y="{26 + 15 * k}" style="fill: {colour}">{series.name}</text>')
    head = (
        f'xmlns="http://www.w3.org/2000/svg" width="460" height="250"><title>{chart.title}</title><style>{STYLE}</style'
    )
    text = str(drawn(chart)).replace(">", f" {head}>", 1).replace("</svg>", "".join(words) + "</svg>")
    (DOCS / "solver" / f"{name}.svg").write_text(text + "\n", encoding="utf-8")


def column(rows: Sequence[Row], name: str) -> NDArray[np.float64]:
    """One figure of every row."""
    return np.array([row[name] for row in rows], float)


def charts(found: dict[str, Any]) -> None:
    """Quality against frames and seconds, seconds against frames and pixels."""
    rows = sorted((row for row in found.get("frames_cpu", []) if not row["luckiest"]), key=lambda row: row["frames"])
    if rows:
        doublings, seconds = np.log2(column(rows, "frames") / 64), column(rows, "seconds")
        curves = [
            Series(name, doublings, column(rows, name), "line", k)
            for k, name in ((1, "sky"), (2, "oracle"), (4, "stack"))
        ]
        levels = ("dB against the truth", "")
        save_chart(
            "frames",
            Chart("Quality against frames", "", "doublings of 64 frames", levels[0], tuple(curves[1::-1] + curves[2:])),
        )
        sky = Series("sky", seconds, column(rows, "sky"), "line", 1)
        save_chart("seconds", Chart("Quality against seconds", "", "processor seconds", levels[0], (sky,)))
        cost = Series("seconds", column(rows, "frames"), seconds, "line", 1)
        save_chart("cost", Chart("Seconds against frames", "", "frames", "processor seconds", (cost,)))
    rows = found.get("pixels_cpu", [])
    if rows:
        pixels = column(rows, "size") ** 2
        per = 1e3 / column(rows, "frames")
        law = pixels * np.log(pixels)
        law *= (column(rows, "seconds") * per)[-1] / law[-1]
        lines = (
            Series("one gradient", pixels / 1e3, column(rows, "seconds") * per, "line", 1),
            Series("its transforms alone", pixels / 1e3, column(rows, "fft") * per, "line", 2),
            Series("n log n", pixels / 1e3, law, "line", 4),
        )
        save_chart("pixels", Chart("Cost against pixels", "", "pixels, thousands", "ms per frame", lines))


def picture(folder: Path) -> None:
    """One frame, the stack, the sky and the oracle's sky, all with the same black and white."""
    film = folder / f"{CASE}.ser"
    config = load_config(beside(film)["config"], overrides=ROWS["default"].words)
    run, capture = Run(Store(folder / "store")), capture_at(film)
    restore_capture(run, capture, config)  # a row of changed code has taken its sky away
    made = {product.step: product for product in planned_products(run.store, capture, config)}
    inputs = CaptureProducts(*(made[step] for step in ("calibrate", "average", "shift_average", "measure_seeing")))
    known = known_psfs(run, inputs, capture_at(beside(film)["psfs"]), config.sky_telescope)
    settings = config.rounds[-1].sky.model_copy(update={"air_share": 0.0})
    oracle = solve_sky(run, inputs, known, inputs.stack, config.sky_telescope, settings)
    with open_capture(film) as reader:
        panels = [next(iter(reader.blocks(1)))[0].astype(np.float32)]
    with run.store.view(Stack, inputs.stack) as stack:
        panels.append(stack.stack[:])
    for product in (made["solve_sky"], oracle):
        with run.store.view(Sky, product) as sky:
            panels.append(sky.sky[:])
    codes = stretched(np.concatenate(panels, axis=-1), "gamma")[..., 0]
    light = (codes / 257).astype(np.uint8).repeat(GROW, axis=0).repeat(GROW, axis=1)
    data = io.BytesIO()
    Pillow.fromarray(light).save(data, "PNG", optimize=True)
    (DOCS / "solver" / "planet.png").write_bytes(data.getvalue())


def lines_of(rows: Sequence[Row], columns: dict[str, Callable[[Row], str]]) -> list[str]:
    """A Markdown table."""
    head = [f"| {' | '.join(columns)} |", "|" + "---:|" * len(columns)]
    return head + [f"| {' | '.join(cell(row) for cell in columns.values())} |" for row in rows]


def tables(done: dict[str, Any], found: dict[str, Any]) -> dict[str, list[str]]:
    """Every table by the name of its mark."""
    frames = sorted(found.get("frames_cpu", []), key=lambda row: (row["frames"], row["luckiest"]))
    levels: dict[str, Callable[[Row], str]] = {
        "frames": lambda row: f"{'luckiest 64 of ' if row['luckiest'] else ''}{row['frames']}",
        "solved": lambda row: f"{row['solved']}",
        **{name: lambda row, name=name: f"{row[name]:.1f}" for name in ("stack", "sky")},  # type: ignore[misc]
        "oracle": lambda row: "" if row["luckiest"] else f"{row['oracle']:.1f}",
        "processor seconds": lambda row: f"{row['seconds']:.0f}{' more' if row['luckiest'] else ''}",
        "peak GiB": lambda row: f"{row['peak_gib']:.2f}",
    }
    sizes: dict[str, Callable[[Row], str]] = {
        "pixels": lambda row: f"{row['size']}²",
        "square of a PSF": lambda row: f"{row['grid']}²",
        "frames": lambda row: f"{row['frames']}",
        "ms per frame and step": lambda row: f"{1e3 * row['seconds'] / row['frames']:.2f}",
        "frames · steps / s": lambda row: f"{row['frame_steps_per_s']:,.0f}",
        "bare transforms could": lambda row: f"{row['bound_per_s']:,.0f}",
        "share in transforms": lambda row: f"{row['share']:.0%}",
        "ns per pixel and log2 pixel": lambda row: f"{_per_law(row):.2f}",
        "MiB held": lambda row: f"{row['mib']:.0f}",
    }
    speed = [*found.get("pixels_cpu", []), *found.get("batch_cpu", [])]
    return {"ablation": list(table(done)), "frames": lines_of(frames, levels), "speed": lines_of(speed, sizes)}


def _per_law(row: Row) -> float:
    pixels = row["size"] ** 2
    return float(1e9 * row["seconds"] / row["frames"] / pixels / math.log2(pixels))


def main() -> None:
    """Draw the charts and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ablation", type=Path)
    parser.add_argument("scaling", type=Path)
    given = parser.parse_args()
    ablation, scaling = given.ablation, given.scaling
    (DOCS / "solver").mkdir(exist_ok=True)
    done, found = (json.loads(p.read_text()) for p in (ablation / "rows.json", scaling / "scaling.json"))
    (DOCS / "solver" / "measured.json").write_text(json.dumps({"ablation": done, "scaling": found}, indent=1) + "\n")
    charts(found)
    picture(ablation)
    page = DOCS / "solver.md"
    text = page.read_text(encoding="utf-8")
    for name, lines in tables(done, found).items():
        body = "\n".join(lines)
        text = re.sub(rf"(<!-- {name} -->\n).*?(<!-- end -->)", lambda m: f"{m[1]}{body}\n{m[2]}", text, flags=re.S)  # noqa: B023
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
