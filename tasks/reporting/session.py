"""The report and the page of a session: one sky from captures of a turning planet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from configs.schema import Config
from configs.session_request import SessionRequest
from storage.product import Product
from storage.results.published import Pictures
from storage.store import Store
from tasks.products.session_contents import SessionSky
from tasks.reporting.html import Page, Picture
from tasks.reporting.several import is_preview, joined_capture, joined_report, one_of_several, pictures_of
from tasks.reporting.svg import Chart, Series

COLOURS = 5
"""Colours of a chart; further captures begin again."""
COARSE = slice(3, 20)
"""Rings that every capture knows: their weights say what a capture counts as a whole."""


@dataclass(frozen=True)
class SessionPart:
    """One capture of a session, restored."""

    report: dict[str, Any]
    """Its report.json."""
    folder: Path
    """Where its own results are."""
    middle: datetime
    """When it was recorded, with a zone."""


def describe_session(
    store: Store, product: Product, request: SessionRequest, parts: Sequence[SessionPart], scale_arcsec: float | None
) -> dict[str, Any]:
    """The report of a session: the captures' own, joined, and what was found of the planet."""
    with store.view(SessionSky, product) as made:
        figures, weights, moves, shape = made.figures, made.weights[:], made.moves[:], made.published.shape
        content = made.verdict
    reports = [part.report for part in parts]
    preview = is_preview(reports)
    rows = [_part_row(part, weights[k], moves[k], request.out) for k, part in enumerate(parts)]
    middles = sorted(part.middle.astimezone(UTC) for part in parts)
    joined = joined_report(store, product, content, [part["name"] for part in rows], reports)
    report = joined | {
        "capture": _capture(request, reports, shape, middles),
        "settings": reports[0]["settings"],
        "sky_grid": reports[0]["sky_grid"] | {"published_scale": reports[0]["sky_grid"]["scale"]},
        "channels": _channels(reports, request.slots, shape[0]),
        "session": {
            "planet": request.planet,
            "minutes": (middles[-1] - middles[0]).total_seconds() / 60,
            "scale_arcsec": scale_arcsec,
            **figures,
        },
        "session_parts": rows,
        "truth": {},
    }
    report["verdict"] = _verdict(report, preview)
    return report


def _capture(
    request: SessionRequest, reports: Sequence[dict[str, Any]], shape: tuple[int, ...], middles: Sequence[datetime]
) -> dict[str, Any]:
    """What the captures have in common."""
    middle = middles[0] + (middles[-1] - middles[0]) / 2
    return joined_capture(request.name, [each["capture"] for each in reports], shape) | {
        "middle_utc": middle.isoformat(timespec="milliseconds"),
        "dropped_frames": None,
        "target": request.planet,
    }


def _channels(reports: Sequence[dict[str, Any]], slots: Sequence[int], count: int) -> list[dict[str, Any]]:
    """Figures per channel: means over its captures; the finest frequency is that of the best."""
    rows = []
    for channel in range(count):
        own = [
            r["channels"][0 if s >= 0 else channel] for r, s in zip(reports, slots, strict=True) if s in (-1, channel)
        ]
        row: dict[str, Any] = {}
        for name, value in own[0].items():
            values = [each.get(name) for each in own]
            if isinstance(value, list):
                row[name] = []
            elif all(isinstance(v, int | float) for v in values):
                row[name] = float(np.mean([float(v) for v in values if v is not None]))
        best = max(each["finest_believed_cpp"] for each in own)
        rows.append(row | {"finest_believed_cpp": best, "heldout_frames": sum(each["heldout_frames"] for each in own)})
    return rows


def _part_row(part: SessionPart, weights: Any, move: Any, out: Path) -> dict[str, Any]:
    """One capture as the session's report has it."""
    return one_of_several(part.report, part.folder, out) | {
        "middle_utc": part.middle.astimezone(UTC).isoformat(timespec="seconds"),
        "weight": float(np.mean(weights[:, COARSE])),
        "moved_px": [round(float(value), 3) for value in move],
    }


def _verdict(report: dict[str, Any], preview: bool) -> list[str]:
    """The result in a few sentences."""
    parts, found = report["session_parts"], report["session"]
    lines = ["This is a PREVIEW of at least one of its captures; the full run replaces it."] if preview else []
    lines.append(
        f"One sky of {found['planet']} from {len(parts)} captures over {found['minutes']:.0f} minutes is published, with the "
        f"planet as it stood at {report['capture']['middle_utc'][11:16]} UT."
    )
    stacks = [part["name"] for part in parts if part["published"] == "stack"]
    if stacks and len(stacks) < len(parts):
        lines.append(f"Of {', '.join(stacks)} only the stack is believed: it enters where no other capture knows more.")
    lines += _north(found)
    strengths = ", ".join(f"{part['d_over_r0']:.1f}" for part in parts)
    lines.append(f"{report['capture']['frames']:,} frames in all; seeing D/r0 = {strengths}.")
    return lines


def _north(found: dict[str, Any]) -> list[str]:
    """Where north is, and how it is known."""
    if found["agreement"] is None:
        return []
    undone, still, against = found["agreement"]
    mirrored = ", in a mirrored picture" if found["mirrored"] else ""
    sure = "" if found["is_sided"] else " (or the opposite, mirrored: the rotation is the same)"
    return [
        f"North is {found['north_deg']:.0f} degrees left of up{mirrored}{sure}: there early and late captures agree to "
        f"{undone:.2f}, without the rotation to {still:.2f}, with it reversed to {against:.2f} (correlation of their detail)."
    ]


def session_pictures(store: Store, product: Product, report: dict[str, Any], config: Config) -> Pictures:
    """What is published of a session; its small pictures are noted in the report."""
    with store.view(SessionSky, product) as made:
        return pictures_of(made, made.published[:], report, config.colour.white, config.telescope.scale_arcsec)


def session_page(store: Store, product: Product, report: dict[str, Any]) -> Page:
    """The page: the sky of the session beside its stack and one of its captures, and the weights."""
    with store.view(SessionSky, product) as made:
        published, single, weights = made.published[:], made.single[:], made.weights[:]
        name = report["session_parts"][made.figures["nearest"]]["name"]
        pictures = [
            Picture("stack", "Stack", "mean of the captures' stacks, rotation undone", made.stack[:]),
            Picture("sky", "Session", "published", published),
        ]
        if single.shape == published.shape:
            pictures.insert(1, Picture("single", "One capture", f"the sky of {name}, nearest to the middle", single))
        stretch = made.stretch
    chart = _weights(weights, report, max(published.shape[1:]))
    return Page(
        report=report, made=store.path(product).stat().st_mtime, stretch=stretch, figures=_figures(report),
        pictures=tuple(pictures), stages=(), frames=(), seeing=(), resolution=(chart,), psfs=(), psf_note="", misfit=None,
    )  # fmt: skip


def _weights(weights: Any, report: dict[str, Any], side_px: int) -> Chart:
    """What each capture counts at each frequency."""
    finest = max(row["finest_believed_cpp"] for row in report["channels"]) or 0.5
    rings = slice(3, max(5, round(finest * side_px)))
    x = np.arange(weights.shape[-1])[rings] / side_px
    series = tuple(
        Series(part["name"], x, weights[k].mean(axis=0)[rings], "line", 1 + k % COLOURS)
        for k, part in enumerate(report["session_parts"])
    )
    note = "Weight of each capture: what its sums know of a frequency, and what the other captures confirm."
    return Chart("What each capture gives", note, "spatial frequency (cycles/px)", "weight", series, (), (0.0, None))


def _figures(report: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """The few numbers worth a headline."""
    found, parts = report["session"], report["session_parts"]
    best = min(part["d_over_r0"] for part in parts)
    return {
        "Captures": (f"{len(parts)}", f"over {found['minutes']:.0f} minutes"),
        "Frames": (f"{report['frames']['used']:,}", f"of {report['capture']['frames']:,}"),
        "Seeing": (f"D/r₀ {best:.1f}", "of the best capture"),
        "North": (f"{found['north_deg']:.0f}°", "left of up" + (", mirrored" if found["mirrored"] else "")),
        "Disc": (f"{2 * found['radius_px']:.1f} px", "equatorial diameter"),
    }
