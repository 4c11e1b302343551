"""What was made of a published picture, for the report: figures, words, and the picture itself."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.product import CaptureResults
from storage.results.published import EnhancedPicture
from storage.store import Store
from tasks.products.contents import Enhanced, Evaluated
from tasks.reporting.html import Picture
from tasks.reporting.report import against

Image = NDArray[np.float32]
METHODS = {
    "classical": "Richardson-Lucy with the picture's own PSF",
    "learned": "a learned residual on Richardson-Lucy",
}


def add_finished(store: Store, results: CaptureResults, report: dict[str, Any], truth: Image | None) -> None:
    """Put the enhanced picture into a report: its figures, its sentences, and how near the truth it is."""
    if results.enhanced == results.evaluated:
        return
    with store.view(Enhanced, results.enhanced) as finished:
        words = _words(finished)
        report["enhanced"] = {
            "used": finished.used,
            "reason": finished.reason,
            "strength": finished.strength,
            "scale": finished.scale,
            "model": finished.model,
            "gate": finished.card,
            "channels": finished.figures,
            "words": words,
            "beside": {"stack": "stack", "blend": "blend"}.get(report["published"], "sky"),
        }
        if truth is not None:
            report["truth"]["enhanced"] = against(truth, _on_capture_pixels(finished))
    if truth is not None:
        with store.view(Evaluated, results.evaluated) as judged:
            before = against(truth, judged.published[:])["psnr_db"]
        after = report["truth"]["enhanced"]["psnr_db"]
        words.append(
            f"Against the known truth: published {before:.1f} dB, enhanced {after:.1f} dB ({after - before:+.1f} dB)."
        )
    report["seconds"] = _with_seconds(report["seconds"], "enhance", store.seconds(results.enhanced))
    report["verdict"].append(words[0])


def finished_pictures(store: Store, results: CaptureResults) -> tuple[Picture, ...]:
    """The pictures that stand on the page beside the published one."""
    if results.enhanced == results.evaluated:
        return ()
    with store.view(Enhanced, results.enhanced) as finished:
        caption = f"{METHODS[finished.used]}; not the result, a picture to look at"
        return (Picture("enhanced", "Enhanced", caption, _on_capture_pixels(finished)),)


def enhanced_picture(store: Store, results: CaptureResults) -> EnhancedPicture | None:
    """The enhanced picture as it is published, with the words of its HISTORY cards."""
    if results.enhanced == results.evaluated:
        return None
    with store.view(Enhanced, results.enhanced) as finished:
        gate = tuple(f"gate {name} = {value}" for name, value in finished.card.items())
        model = (f"model {finished.model}",) if finished.model else ()
        return EnhancedPicture(finished.enhanced[:], finished.scale, (*_words(finished), *model, *gate), finished.model)


def _words(finished: Enhanced) -> list[str]:
    """What was done and what was checked, in sentences."""
    rows = finished.figures
    finer = "" if finished.scale == 1 else f", on pixels {finished.scale} times finer"
    width = max(row["psf_fwhm_px"] for row in rows)
    chi2 = max(row["reblurred_chi2"] for row in rows)
    light = max((abs(row["light_ratio"] - 1) for row in rows if row["light_ratio"] is not None), default=0.0)
    new = sum(row["new_sources"] for row in rows)
    return [
        f"An enhanced picture is in sky_enhanced.fits: {METHODS[finished.used]} ({finished.used}: {finished.reason}){finer}; "
        f"sky.fits is not changed.",
        f"Checked without the truth: blurred again by its PSF ({width:.1f} px wide at half maximum) it is {chi2:.2f} times its "
        f"standard error away from the published picture (chi2); its light differs by {light:.1%}; "
        f"{new} point sources that the published picture does not show.",
    ]


def _on_capture_pixels(finished: Enhanced) -> Image:
    """The shown answer (channel, y, x) on the pixels of the capture."""
    picture, scale = finished.enhanced[:], finished.scale
    channels, height, width = picture.shape
    return picture.reshape(channels, height // scale, scale, width // scale, scale).mean(axis=(2, 4))


def _with_seconds(seconds: dict[str, float], step: str, taken: float) -> dict[str, float]:
    """The times of the steps with one more before their total."""
    steps = {name: value for name, value in seconds.items() if name != "total"} | {step: round(taken, 3)}
    return steps | {"total": round(sum(steps.values()), 3)}
