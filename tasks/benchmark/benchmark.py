"""The benchmark: simulated captures as seeds, what a run of one is worth against its oracle, and the table of all."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.product import Product
from storage.store import Store
from tasks.products.contents import Sky
from tasks.reporting.report import against

COMMON = {"size_px": 128, "psf_px": 192, "n_subexposures": 8}
"""Finer than the solver's model: pupils of 96 cells where it has 64, screens without an end to their modes, air that
blows on while the shutter is open, pixels that have a width."""


@dataclass(frozen=True)
class Case:
    """One simulated capture."""

    target: str
    """Name of a procedural sky."""
    scene: Mapping[str, Any]
    """Fields of the request beyond COMMON."""

    def fields(self, seed: int) -> dict[str, Any]:
        """The request of its capture; every seed is other air, other noise and another sky of the kind."""
        return {**COMMON, **self.scene, "seed": seed}


CASES: dict[str, Case] = {
    "planet-4": Case("planet", {"d_over_r0": 4.0, "n_frames": 100}),
    "planet-8": Case("planet", {"d_over_r0": 8.0, "n_frames": 150}),
    "moon-4": Case("moon", {"d_over_r0": 4.0, "n_frames": 100}),
    "sun-8": Case("sun", {"d_over_r0": 8.0, "n_frames": 100, "photons_peak": 20000.0}),
    "satellite-16": Case("satellite", {"d_over_r0": 16.0, "n_frames": 150, "photons_peak": 2000.0}),
    "galaxy-faint": Case(
        "galaxy", {"d_over_r0": 4.0, "n_frames": 150, "photons_peak": 80.0, "background_e": 6.0, "read_noise_e": 1.0}
    ),
    "stars-6": Case("stars", {"d_over_r0": 6.0, "n_frames": 100, "photons_peak": 2000.0}),
    "planet-8bit": Case("planet", {"d_over_r0": 6.0, "n_frames": 120, "bits": 8, "photons_peak": 3000.0}),
    "planet-moving": Case(
        "planet", {"d_over_r0": 5.0, "n_frames": 100, "drift_px": (24.0, -30.0), "jitter_px": 2.0}
    ),
}  # fmt: skip
"""Name: capture. What stands behind the dash is the strength of the air, D/r0, or what is hard about it."""


@dataclass(frozen=True)
class Row:
    """What one capture came to: dB of PSNR against the air-free sky."""

    case: str
    seed: int
    stack: float
    lucky: float
    sky: float
    oracle: float
    psf_error: float
    """Relative rms error of the PSFs, the median over frames."""
    seconds: float
    """Wall time of all steps."""
    published: str
    """What the held-out frames preferred: sky or stack."""
    false_power: float = 0.0
    """Power of the sky that the truth does not have, as a fraction of the truth's variance."""

    @property
    def gain(self) -> float:
        """Of the sky over the lucky stack, dB."""
        return self.sky - self.lucky

    @property
    def gap(self) -> float:
        """How much of the way from the lucky stack to the oracle was gone."""
        return self.gain / max(self.oracle - self.lucky, 1e-3)

    @property
    def line(self) -> str:
        """The row in Markdown."""
        levels = [f"{level:.1f}" for level in (self.stack, self.lucky, self.sky, self.oracle, self.gain)]
        shares = [f"{share:.0%}" for share in (self.gap, self.psf_error)]
        shares.append(f"{self.false_power:.2%}")
        return LINE.format(f"{self.case}, seed {self.seed}", *levels, *shares, f"{self.seconds:.1f}", self.published)


LINE = "| {:24} |" + " {:>10} |" * 9 + " {:9} |"
HEAD = (
    LINE.format(
        "capture, dB of PSNR", "stack", "lucky", "sky", "oracle", "sky-lucky", "gap closed", "PSF error", "false", "seconds",
        "published",
    ),
    "|" + "-" * 26 + "|" + ("-" * 11 + ":|") * 9 + "-" * 11 + "|",
)  # fmt: skip
"""Above the rows, in Markdown."""


def row(case: str, seed: int, report: Mapping[str, Any], oracle: float, seconds: float) -> Row:
    """The row of a run from its report."""
    stack, lucky, sky = (report["truth"][name]["psnr_db"] for name in ("stack", "lucky", "solved"))
    false = sum(report["truth"]["solved"][f"false_power_{band}"] for band in ("low", "mid", "high"))
    return Row(case, seed, stack, lucky, sky, oracle, report["psf_rms_error"], seconds, report["published"], false)


def quality(store: Store, sky: Product, truth: NDArray[np.float32]) -> float:
    """PSNR of a sky product against the truth (channel, y, x), dB."""
    with store.view(Sky, sky) as solved:
        return against(truth, solved.sky[:])["psnr_db"]


def summary(rows: Sequence[Row]) -> list[str]:
    """The last lines of the table."""
    worst = min(rows, key=lambda r: r.gap)
    gain, gap = np.mean([(r.gain, r.gap) for r in rows], axis=0)
    seconds = sum(r.seconds for r in rows)
    blank = [""] * 4
    return [
        LINE.format("mean; sum of seconds", *blank, f"{gain:.1f}", f"{gap:.0%}", "", "", f"{seconds:.1f}", ""),
        LINE.format(f"worst: {worst.case}", *blank, f"{worst.gain:.1f}", f"{worst.gap:.0%}", "", "", "", ""),
    ]


def as_json(rows: Sequence[Row]) -> dict[str, Any]:
    """The table as plain JSON."""
    gaps = [r.gap for r in rows]
    return {
        "rows": [{**asdict(r), "gain": r.gain, "gap": r.gap} for r in rows],
        "mean_gap": float(np.mean(gaps)),
        "worst_gap": float(min(gaps)),
    }
