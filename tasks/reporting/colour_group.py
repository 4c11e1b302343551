"""The report and the page of a colour sky that was combined from captures through filters."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.captures.planets import DAY_S, GLOBES
from storage.product import Product
from storage.results.published import Pictures
from storage.results.white_balance import White
from storage.store import Store
from tasks.products.finished_contents import Combined
from tasks.reporting.html import Page, Picture
from tasks.reporting.report import against
from tasks.reporting.several import is_preview, joined_capture, joined_report, one_of_several, pictures_of

Image = NDArray[np.float32]
MIN_TURN_DEG = 1.0
"""A smaller turn between the parts is not worth a sentence."""


@dataclass(frozen=True)
class Part:
    """One capture of the group, restored."""

    filter: str
    report: dict[str, Any]
    """Its report.json."""
    folder: Path
    """Where its own results are."""
    truth: Image | None
    """(channel, y, x) where it is simulated."""


def describe_group(store: Store, product: Product, name: str, parts: Sequence[Part], out: Path) -> dict[str, Any]:
    """The report of a combined product: the parts' own, joined; channels are red, green, blue."""
    with store.view(Combined, product) as combined:
        offsets, luminance_note, shape = combined.offsets[:].tolist(), combined.luminance, combined.published.shape
        truth = _truth(parts, combined)
        content, width = combined.verdict, combined.pixel_width
    reports = [part.report for part in parts]
    green, capture = reports[1], _capture(name, reports, shape)
    rows = [_part_row(part, offset, out) for part, offset in zip(parts, offsets, strict=True)]
    telescope = green["settings"]["telescope"] | {"wavelength_nm": [part["wavelength_nm"] for part in rows[:3]]}
    joined = joined_report(store, product, content, [part.filter for part in parts], reports)
    return joined | {
        "capture": capture,
        "settings": green["settings"] | {"telescope": telescope},
        "channels": [{"filter": part.filter, **part.report["channels"][0]} for part in parts[:3]],
        "colours": {"sky_px": offsets[:3], "stack_px": offsets[:3], "onto_channel": 1},
        "parts": rows,
        "sky_grid": _grid(reports, width),
        "truth": truth,
        "verdict": _verdict(content, rows, capture, luminance_note, is_preview(reports)),
    }


def group_pictures(store: Store, product: Product, report: dict[str, Any], white: White) -> Pictures:
    """What is published of a combined product; its small pictures are noted in the report."""
    with store.view(Combined, product) as combined:
        return pictures_of(combined, combined.sky[:], report, white, report["sky_grid"]["pixel_scale_arcsec"])


def group_page(store: Store, product: Product, report: dict[str, Any]) -> Page:
    """The page: the colour sky beside its stack and its parts, and where the parts' own pages are."""
    with store.view(Combined, product) as combined:
        published, stretch = combined.published[:], combined.stretch
        pictures = [
            Picture("stack", "Stack", "the parts' means of all frames, laid on each other", combined.stack[:]),
            Picture("sky", "Colour sky", "published", published),
        ]
    for plane, part in zip(published, report["parts"], strict=False):
        grey = np.broadcast_to(plane, published.shape)
        pictures.append(Picture(part["filter"], part["filter"].capitalize(), part["name"], grey))
    return Page(
        report=report,
        made=store.path(product).stat().st_mtime,
        stretch=stretch,
        figures=_figures(report),
        pictures=tuple(pictures),
        stages=(),
        frames=(),
        seeing=(),
        resolution=(),
        psfs=(),
        psf_note="",
        misfit=None,
    )


def _grid(reports: Sequence[dict[str, Any]], width: float) -> dict[str, Any]:
    """The grid of the colour sky: that of the part with the finest pixels."""
    grids = [each["sky_grid"] for each in reports]
    known = all(grid["pixel_scale_arcsec"] for grid in grids)
    scale = max(grid["scale"] for grid in grids)
    return {
        "scale": scale,
        "published_scale": scale,
        "pixel_scale_arcsec": width if known else None,
        "camera_pixel_over_nyquist": grids[1]["camera_pixel_over_nyquist"],
    }


def _capture(name: str, reports: Sequence[dict[str, Any]], shape: tuple[int, ...]) -> dict[str, Any]:
    """What the parts have in common as captures."""
    captures = [each["capture"] for each in reports]
    middles = sorted(each["middle_utc"] for each in captures if each.get("middle_utc"))
    middle = _between(middles[0], middles[-1]) if len(middles) == len(captures) else None
    known = all(isinstance(each.get("dropped_frames"), int) for each in captures)
    return joined_capture(name, captures, shape) | {
        "middle_utc": middle,
        "dropped_frames": sum(each["dropped_frames"] for each in captures) if known else None,
        "target": next((each["target"] for each in captures if each.get("target")), ""),
        "apart_s": _seconds_between(middles[0], middles[-1]) if len(middles) == len(captures) else None,
    }


def _between(first: str, last: str) -> str:
    begin = datetime.fromisoformat(first)
    return (begin + (datetime.fromisoformat(last) - begin) / 2).isoformat(timespec="milliseconds")


def _seconds_between(first: str, last: str) -> float:
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


def _part_row(part: Part, offset: list[float], out: Path) -> dict[str, Any]:
    """One part as the colour sky's report has it."""
    wavelength = part.report["settings"]["telescope"]["wavelength_nm"]
    return one_of_several(part.report, part.folder, out) | {
        "filter": part.filter,
        "wavelength_nm": wavelength[0] if isinstance(wavelength, list) else wavelength,
        "moved_px": [round(value, 3) for value in offset],
    }


def _verdict(
    content: str, parts: Sequence[dict[str, Any]], capture: dict[str, Any], luminance: str, preview: bool
) -> list[str]:
    """The result in a few sentences."""
    names = [part["filter"] for part in parts]
    each = ", ".join(f"{part['filter']} {part['published']}" for part in parts)
    said = f"A colour sky of captures through {', '.join(names[:-1])} and {names[-1]} is published: {each}."
    lines = ["This is a PREVIEW of at least one of its parts; the full run replaces it."] if preview else []
    lines.append(said if content == "sky" else f"{said} Not all parts are believed whole; their reports say why.")
    moves = "; ".join(f"{part['filter']} by {part['moved_px'][0]:.2f}, {part['moved_px'][1]:.2f} px" for part in parts)
    lines.append(f"The parts were moved onto green (dy, dx): {moves}.")
    lines += [luminance] if luminance else []
    strengths = ", ".join(f"{part['d_over_r0']:.1f}" for part in parts)
    lines.append(f"{capture['frames']:,} frames in all; seeing D/r0 = {strengths}.")
    globe = GLOBES.get(capture["target"])
    turned_deg = globe.rate_deg_per_day * (capture["apart_s"] or 0.0) / DAY_S if globe else 0.0
    if turned_deg >= MIN_TURN_DEG:
        lines.append(
            f"{capture['target']} turned by {turned_deg:.1f} degrees between the parts: its surface does not lie on itself in "
            f"all colours; WinJUPOS takes that out of the parts' own pictures."
        )
    return lines


def _truth(parts: Sequence[Part], combined: Combined) -> dict[str, dict[str, float]]:
    """How near simulated parts come to their truth, where all show the same area; means over the colours."""
    truths = [part.truth for part in parts[:3]]
    inner = combined.published.shape[1:]
    known = [each[0] for each in truths if each is not None]
    if len(known) < 3 or len({each.shape for each in known}) > 1:
        return {}
    cuts = [tuple((a - b) // 2 for a, b in zip(each.shape, inner, strict=True)) for each in known]
    if any(min(cut) < 0 for cut in cuts):
        return {}
    truth = np.stack([each[y : y + inner[0], x : x + inner[1]] for each, (y, x) in zip(known, cuts, strict=True)])
    return {"stack": against(truth, combined.stack[:]), "solved": against(truth, combined.published[:])}


def _figures(report: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """The few numbers worth a headline."""
    rows = report["channels"]
    sky, stack = (float(np.mean([row[f"heldout_chi2_{name}"] for row in rows])) for name in ("sky", "stack"))
    farthest = max(float(np.hypot(*part["moved_px"])) for part in report["parts"])
    return {
        "Seeing": (f"D/r₀ {rows[1]['d_over_r0']:.1f}", "in green"),
        "Frames": (f"{report['frames']['used']}", f"of {report['capture']['frames']}, all parts"),
        "Unexplained": (f"{sky:.2f} ×", f"the noise; by the stack {stack:.2f}\u00a0×"),
        "Moved": (f"{farthest:.1f} px", "the farthest part onto green"),
        "Time": (f"{report['seconds']['total']:.0f} s", "all steps of all parts"),
    }
