"""`stillsky demo`: a small planet is simulated, restored the ordinary way, and measured against its truth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from configs.request import CaptureRequest
from flows.cli.restore import Progress, restore
from storage.store import clock

SCENE = {"n_frames": 120, "size_px": 160, "d_over_r0": 5.0, "drift_px": (6.0, -4.0), "seed": 1}
"""Small enough for a laptop, shaky enough that stacking alone is not sharp."""


NAMES = {"stack": "stack", "lucky": "lucky stack", "solved": "sky"}
"""The pictures that are measured, and what they are called."""


@dataclass(frozen=True)
class Demonstration:
    """How the demonstration went."""

    folder: Path
    """Where sky.png and its companions are."""
    capture: Path
    """The simulated capture."""
    report: dict[str, Any]
    """What `restore` reported, the comparison with the truth among it."""
    seconds: float
    """From nothing to the result."""

    @property
    def lines(self) -> list[str]:
        """What the user is told."""
        truth = self.report.get("truth") or {}
        told = [
            f"{word:12}{truth[name]['psnr_db']:6.1f} dB against the truth"
            for name, word in NAMES.items()
            if name in truth
        ]
        return [*told, *self.report["verdict"], f"{self.seconds:.0f} s; everything is in {self.folder}"]


def run_demo(
    out: Path,
    store: Path | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    progress: Progress | None = None,
) -> Demonstration:
    """Simulate OUT/demo.ser, restore it into OUT, and say how near the result comes to the truth."""
    from flows.cli.simulate import simulate

    elapsed = clock()
    capture, _, _, config = simulate(
        out / "demo.ser", {**SCENE, "force": True}, command="stillsky demo", progress=progress
    )
    report = restore(
        CaptureRequest(capture=capture, out=out, config=config, profile="planet", device=device, store=store), progress
    )
    return Demonstration(out, capture, report, elapsed())
