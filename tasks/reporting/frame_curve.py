"""What more frames would bring: noise and resolution over the number of frames, from how far the half-sets agree."""

from typing import Any

import numpy as np

from storage.lineage import lineage
from storage.product import Product
from storage.store import Store
from tasks.numerics.judging.metrics import frc_cutoff
from tasks.products.contents import Sky
from tasks.products.half_sums import count_frames, half_agreement

STEPS = (0.5, 1.0, 2.0, 4.0)
"""Numbers of frames on the curve, as ratios to those solved; the last point is all usable ones."""


def frame_curve(store: Store, result: Product, usable: int) -> list[dict[str, Any]]:
    """Rows from half the solved frames to all usable ones; noise in dB relative to now, finest agreed frequency cycles/px.

    Signal over noise of each ring is taken from the half-sets and grows with the number of frames: what is promised is the
    most that more frames can bring. PSFs that got stuck bring less.
    """
    product = [each for each in lineage(store, result) if each.step == Sky.step][-1]
    with store.view(Sky, product) as sky:
        solved = count_frames(sky)
        agreed = [np.clip(half_agreement(sky, c), 0.0, 0.999) for c in range(len(sky.sky))]
    counts = sorted({min(usable, round(solved * each)) for each in STEPS} | {max(usable, solved)})
    rows = []
    for count in counts:
        ratio = count / solved
        curves = [ratio * each / (1 + (ratio - 1) * each) for each in agreed]
        finest = float(np.mean([frc_cutoff(each) for each in curves]))
        rows.append(
            {"frames": count, "noise_db": round(-10 * float(np.log10(ratio)), 2), "finest_cpp": round(finest, 4)}
        )
    return rows


def shortened(store: Store, result: Product, report: dict[str, Any], is_preview: bool) -> dict[str, Any]:
    """Additions to the report of a result of fewer frames than there are: how many, and what all of them would bring."""
    usable = report["frames"]["used"] - report["frames"]["held_out"]
    curve = frame_curve(store, result, usable)
    now = next(row for row in curve if row["noise_db"] == 0)
    last = curve[-1]
    verdict = list(report["verdict"])
    if last["frames"] > now["frames"]:
        verdict.insert(
            1,
            f"Solved are the {now['frames']:,} luckiest of {usable:,} frames; all of them would lower the noise by at most "
            f"{-last['noise_db']:.1f} dB and show {last['finest_cpp']:.2f} instead of {now['finest_cpp']:.2f} cycles/px.",
        )
    added: dict[str, Any] = {"solved_frames": now["frames"], "frame_curve": curve, "verdict": verdict}
    if is_preview:
        verdict.insert(0, "This is a PREVIEW from few frames and few steps; the full run replaces it.")
        added |= {"content": report["published"], "published": "preview"}
    return added
