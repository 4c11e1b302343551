"""`stillsky demo`: a small planet is simulated, restored the ordinary way, and measured against its truth."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click

from flows.cli.options import DEVICE, STORE, FolderPath
from flows.cli.progress import Progress, echo_sentences, progress_bars
from flows.cli.restore import restore

SCENE = {"n_frames": 120, "size_px": 160, "d_over_r0": 5.0, "drift_px": (6.0, -4.0), "seed": 1}
"""Small enough for a laptop, enough turbulence that stacking alone is not sharp."""

NAMES = {"stack": "stack", "lucky": "lucky stack", "solved": "sky"}
"""The pictures that are measured, and what they are called."""


@dataclass(frozen=True)
class Demonstration:
    """What the demonstration found."""

    folder: Path
    """Where sky.png and its companions are."""
    capture: Path
    """The simulated capture."""
    report: dict[str, Any]
    """The report of `restore`, including the comparison with the truth."""
    seconds: float
    """Wall time of everything, simulation included."""

    @property
    def lines(self) -> list[str]:
        """The result as lines of text."""
        truth = self.report.get("truth") or {}
        scores = [
            f"{label:12}{truth[name]['psnr_db']:6.1f} dB against the truth"
            for name, label in NAMES.items()
            if name in truth
        ]
        page = self.folder / "report.html"
        return [*scores, *self.report["verdict"], f"{self.seconds:.0f} s; everything is in {self.folder}; open {page}"]


@click.command("demo", short_help="Simulate a planet, restore it, compare with the truth.")
@click.option("--out", type=FolderPath(), default="demo", show_default=True, help="Folder.")
@DEVICE
@STORE
def demo_command(out: Path, device: Any, store: Path | None) -> None:
    """Simulate a small planet through turbulence, restore it, and measure how much nearer to the truth it came."""
    with progress_bars() as progress:
        demonstration = run_demo(out, store, device, progress)
    echo_sentences(demonstration.lines)


def run_demo(
    out: Path,
    store: Path | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    progress: Progress | None = None,
) -> Demonstration:
    """Simulate OUT/demo.ser, restore it into OUT, and say how near the result comes to the truth."""
    from configs.request import CaptureRequest
    from tasks.benchmark.simulate import simulate

    started = time.monotonic()
    capture, _, _, config = simulate(
        out / "demo.ser", {**SCENE, "force": True}, command="stillsky demo", progress=progress
    )
    report = restore(
        CaptureRequest(capture=capture, out=out, config=config, profile="planet", device=device, store=store), progress
    )
    return Demonstration(out, capture, report, time.monotonic() - started)
