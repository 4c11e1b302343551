"""What was made beside the published picture, for the report: figures, words, and the pictures themselves."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.product import CaptureResults
from storage.results.published import BURST, DEWARPED, Cube, EnhancedPicture
from storage.store import Store
from tasks.numerics.fourier.binning import binned
from tasks.products.contents import Evaluated
from tasks.products.finished_contents import Dewarped, Enhanced, Filled, Movie
from tasks.reporting.html import Picture
from tasks.reporting.report import against

Image = NDArray[np.float32]
METHODS = {
    "classical": "Richardson-Lucy with the picture's own PSF",
    "learned": "a learned residual on Richardson-Lucy",
}


def add_finished(store: Store, results: CaptureResults, report: dict[str, Any], truth: Image | None) -> None:
    """Put what was made into a report: figures, sentences, and how near the truth it is."""
    parts = []
    if results.has(Filled.step):
        with store.view(Filled, results.filled) as filled:
            pictures = ["holes", "filled"] if filled.figures else []
            parts.append({"title": "The filled frames", "words": _filled_sentences(filled), "pictures": pictures})
            report["fill"] = _common(filled) | {"checks": filled.figures}
    if results.has(Dewarped.step):
        with store.view(Dewarped, results.dewarped) as dewarped:
            pictures = ["stack", "dewarped"] if dewarped.figures else []
            parts.append({"title": "The dewarped stack", "words": _dewarped_sentences(dewarped), "pictures": pictures})
            report["dewarp"] = _common(dewarped) | {"frames": len(dewarped.numbers), "checks": dewarped.figures}
    if results.has(Movie.step):
        with store.view(Movie, results.movie) as movie:
            parts.append(
                {"title": "The clean movie", "words": _movie_sentences(movie), "pictures": ["frame", "cleaned"]}
            )
            report["burst"] = _common(movie) | {"frames": len(movie.numbers), "channels": movie.figures}
    if results.has(Enhanced.step):
        with store.view(Enhanced, results.enhanced) as enhanced:
            beside = {"stack": "stack", "blend": "blend"}.get(report["published"], "sky")
            words = [*_enhanced_sentences(enhanced), *_against_truth(store, results, enhanced, report, truth)]
            pictures = [beside, "enhanced", "truth"]
            parts.append({"title": "The enhanced picture", "words": words, "pictures": pictures})
            report["enhanced"] = _common(enhanced) | {"scale": enhanced.scale, "channels": enhanced.figures}
    if parts:
        report["finished"] = parts
        report["seconds"] = _with_seconds(store, results, report["seconds"])
        report["verdict"] += [part["words"][0] for part in parts]


def finished_pictures(store: Store, results: CaptureResults) -> tuple[Picture, ...]:
    """The pictures that stand on the page beside the published one."""
    shown = []
    if results.has(Filled.step):
        with store.view(Filled, results.filled) as filled:
            if filled.figures:
                shown += [
                    Picture(
                        "holes",
                        "Sharpest frame, cleaned",
                        "as the solve has it, without its missing pixels",
                        filled.before[:],
                    ),
                    Picture("filled", "Sharpest frame, filled", "only to look at", filled.preview[:]),
                ]
    if results.has(Dewarped.step):
        with store.view(Dewarped, results.dewarped) as dewarped:
            if dewarped.figures:
                caption = f"{len(dewarped.numbers)} frames, each part registered by itself"
                shown.append(Picture("dewarped", "Dewarped stack", caption, dewarped.dewarped[:]))
    if results.has(Movie.step):
        with store.view(Movie, results.movie) as movie:
            middle = len(movie.numbers) // 2
            name = f"frame {int(movie.numbers[middle])}"
            shown += [
                Picture("frame", "Frame of the movie", f"{name}, registered", movie.before[:]),
                Picture("cleaned", "The same, cleaned", f"{name} in burst.fits", movie.movie[middle]),
            ]
    if results.has(Enhanced.step):
        with store.view(Enhanced, results.enhanced) as enhanced:
            caption = f"{METHODS[enhanced.used]}; not the result, a picture to look at"
            shown.append(Picture("enhanced", "Enhanced", caption, _on_capture_pixels(enhanced)))
    return tuple(shown)


def enhanced_picture(store: Store, results: CaptureResults) -> EnhancedPicture | None:
    """The enhanced picture as it is published, with the words of its HISTORY cards."""
    if not results.has(Enhanced.step):
        return None
    with store.view(Enhanced, results.enhanced) as enhanced:
        history = (*_enhanced_sentences(enhanced), *_gate(enhanced))
        return EnhancedPicture(enhanced.enhanced[:], enhanced.scale, history, enhanced.model)


def finished_cubes(store: Store, results: CaptureResults) -> tuple[Cube, ...]:
    """The frames that are published beside the picture."""
    cubes = []
    if results.has(Movie.step):
        with store.view(Movie, results.movie) as movie:
            planes = [each[:, 0] if each.shape[1] == 1 else each[:] for each in (movie.movie, movie.sigma)]
            history = (*_movie_sentences(movie), *_gate(movie))
            cubes.append(Cube(dict(zip(BURST, planes, strict=True)), history, movie.model))
    if results.has(Dewarped.step):
        with store.view(Dewarped, results.dewarped) as dewarped:
            if dewarped.figures:
                history = (*_dewarped_sentences(dewarped), *_gate(dewarped))
                cubes.append(Cube({DEWARPED: dewarped.dewarped[:]}, history, dewarped.model))
    return tuple(cubes)


def _common(content: Enhanced | Movie | Dewarped | Filled) -> dict[str, Any]:
    """What a report says of every step that has a learned answer."""
    used = {"used": content.used, "reason": content.reason, "strength": content.strength}
    return used | {"model": content.model, "gate": content.card}


def _gate(content: Enhanced | Movie | Dewarped | Filled) -> tuple[str, ...]:
    """The model and the figures of its gate, as lines of HISTORY."""
    model = (f"model {content.model}",) if content.model else ()
    return (*model, *(f"gate {name} = {value}" for name, value in content.card.items()))


def _enhanced_sentences(enhanced: Enhanced) -> list[str]:
    """What was done and what was checked, in sentences."""
    rows = enhanced.figures
    finer = "" if enhanced.scale == 1 else f", on pixels {enhanced.scale} times finer"
    width = max(row["psf_fwhm_px"] for row in rows)
    chi2 = max(row["reblurred_chi2"] for row in rows)
    light = max((abs(row["light_ratio"] - 1) for row in rows if row["light_ratio"] is not None), default=0.0)
    new = sum(row["new_sources"] for row in rows)
    return [
        f"An enhanced picture is in sky_enhanced.fits: {METHODS[enhanced.used]}{finer}; sky.fits is not changed.",
        f"It is the {enhanced.used} answer: {enhanced.reason}.",
        f"Checked without the truth: blurred again by its PSF ({width:.1f} px wide at half maximum) it is {chi2:.2f} times its "
        f"standard error away from the published picture (chi2); its light differs by {light:.1%}; "
        f"{new} point sources that the published picture does not show.",
    ]


def _against_truth(
    store: Store, results: CaptureResults, enhanced: Enhanced, report: dict[str, Any], truth: Image | None
) -> list[str]:
    """How near the known truth it is, put into the report and said."""
    if truth is None:
        return []
    report["truth"]["enhanced"] = against(truth, _on_capture_pixels(enhanced))
    with store.view(Evaluated, results.evaluated) as judged:
        before = against(truth, judged.published[:])["psnr_db"]
    after = report["truth"]["enhanced"]["psnr_db"]
    return [f"Against the known truth: published {before:.1f} dB, enhanced {after:.1f} dB ({after - before:+.1f} dB)."]


def _movie_sentences(movie: Movie) -> list[str]:
    """What was done and what was checked, in sentences."""
    noise = max(row["noise"] for row in movie.figures)
    left = max(row[f"rms_error_{movie.used}"] for row in movie.figures)
    ratio = max(row[f"residual_ratio_{movie.used}"] for row in movie.figures)
    how = "a learned residual" if movie.used == "learned" else _most_used(movie.methods)
    return [
        f"A clean movie of {len(movie.numbers)} frames is in burst.fits: {how} ({movie.used}: {movie.reason}); nothing of it "
        f"is in the sky.",
        f"Checked with frames that an answer has not seen: noise of {noise:.3g} adu before, error of {left:.3g} adu after; it "
        f"leaves {ratio:.2f} of the noise in the frames (less than 0.97 would be copied noise).",
    ]


def _filled_sentences(filled: Filled) -> list[str]:
    """What was done and what was checked, in sentences."""
    found = filled.figures
    if not found:
        return [f"No pixel was filled: {filled.reason}."]
    how = (
        "a learned residual"
        if filled.used == "learned"
        else "the stack and a smooth surface through the difference to it"
    )
    return [
        f"{found['pixels_per_frame']:.0f} missing pixels of a frame are filled: {how} ({filled.used}: {filled.reason}); "
        f"they have no weight in the sky.",
        f"Checked with good pixels that were hidden: they come back with an rms error of "
        f"{found[f'rms_error_{filled.used}']:.3g} adu with noise, a smooth surface alone with {found['rms_error_surface']:.3g}.",
    ]


def _dewarped_sentences(dewarped: Dewarped) -> list[str]:
    """What was done and what was checked, in sentences."""
    found = dewarped.figures
    if not found:
        return [f"No stack was dewarped: {dewarped.reason}."]
    used = dewarped.used
    how = "learned local shifts" if used == "learned" else "a grid of local shifts"
    return [
        f"A stack of {len(dewarped.numbers)} frames, each part registered by itself, is in {DEWARPED}: {how} ({used}: "
        f"{dewarped.reason}); nothing of it is in the sky.",
        f"Checked with held-out frames: parts move by {found[f'shift_rms_px_{used}']:.2f} px rms; their stack has "
        f"{found[f'detail_{used}'] / found['detail_plain']:.2f} times the fine structure of the plain one; the way there and "
        f"back misses by {found[f'missed_px_{used}']:.2f} px.",
    ]


def _most_used(methods: list[str]) -> str:
    return max(set(methods), key=methods.count)


def _on_capture_pixels(enhanced: Enhanced) -> Image:
    """The shown answer (channel, y, x) on the pixels of the capture."""
    return binned(enhanced.enhanced[:], enhanced.scale)


def _with_seconds(store: Store, results: CaptureResults, seconds: dict[str, float]) -> dict[str, float]:
    """The times of the steps, those of what was made beside the sky too, and their total."""
    beside = {product.step: round(store.seconds(product), 3) for product in results if product != results.evaluated}
    steps = {name: value for name, value in seconds.items() if name != "total"}
    steps |= {step: value for step, value in beside.items() if step not in steps}
    return steps | {"total": round(sum(steps.values()), 3)}
