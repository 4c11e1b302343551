"""`stillsky demo`: a small planet is simulated, restored the ordinary way, and measured against its truth."""

from dataclasses import dataclass
from pathlib import Path

from flows.restore import Progress, Request, restore
from storage.store import clock

SCENE = {"n_frames": 120, "size_px": 160, "d_over_r0": 5.0, "drift_px": (6.0, -4.0), "seed": 1}
"""Small enough for a laptop, shaky enough that stacking alone is not sharp."""


@dataclass(frozen=True)
class Demonstration:
    """How the demonstration went."""

    folder: Path
    """Where sky.png and its companions are."""
    capture: Path
    """The simulated capture."""
    truth: dict[str, float]
    """PSNR in dB of stack, lucky and sky against the truth, and what the sky gained on the stack."""
    seconds: float
    """From nothing to the result."""

    @property
    def lines(self) -> list[str]:
        """What the user is told."""
        names = {"stack": "stack", "lucky": "lucky stack", "sky": "sky"}
        told = [
            f"{names[name]:12}{self.truth[f'{name}_psnr_db']:6.1f} dB against the truth"
            for name in names
            if f"{name}_psnr_db" in self.truth
        ]
        if "sky_gain_db" in self.truth:
            gain = self.truth["sky_gain_db"]
            nearer = "nearer to the truth than" if gain >= 0 else "farther from the truth than"
            told.append(f"the sky is {abs(gain):.1f} dB {nearer} the stack")
        return [*told, f"{self.seconds:.0f} s, everything in {self.folder}"]


def run_demo(
    out: Path, store: Path | None = None, device: str = "auto", progress: Progress | None = None
) -> Demonstration:
    """Simulate OUT/demo.ser, restore it into OUT, and say how near the result comes to the truth."""
    from flows.simulate import simulate

    elapsed = clock()
    capture, _, _, config = simulate(out / "demo.ser", dict(SCENE), command="stillsky demo", progress=progress)
    report = restore(Request(capture, out, config=config, profile="planet", device=device, store=store), progress)
    return Demonstration(out, capture, report.get("truth") or {}, elapsed())
