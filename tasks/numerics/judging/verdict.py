"""From the figures of the judgement to one word and why: the sky is published, a blend of sky and stack, or the stack."""

from dataclasses import dataclass
from typing import Literal

Word = Literal["sky", "blend", "stack"]

MIN_JUDGES = 5
"""Fewer held-out frames than this do not show their own scatter: one judge preferred a sky of fabricated mottling."""
MAX_SKY_CHI2, MAX_SKY_REST = 2.0, 0.1
"""Largest residual power, over the noise, of a sky that is believed whole; or, where much light makes the noise small, of
what the stack leaves beyond the noise. Good skies of ten simulated captures measured 1.0 to 1.8, or 0.06 of the stack's;
skies of lattice and mottle 8 to 42, and 0.8 to 0.9 of it."""
MAX_BLEND_CHI2, MAX_BLEND_REST = 3.0, 0.5
"""Beyond both nothing of a sky is believed: not even PSFs that differ over the field leave so much (1.7)."""
MAX_UNDERSHOOT = 0.03
"""Largest undershoot below black, as a fraction of the target's light. Good skies measured 0.00 to 0.01, skies with dark
rings at the limb 0.025 to 0.07."""


@dataclass(frozen=True)
class Evidence:
    """What is known of a sky; of several channels the worst."""

    stack_is_better: bool
    """Whether the held-out frames of a channel are better explained by the stack."""
    prefers_sky: bool
    """Whether they prefer the sky by more than chance, in every channel."""
    is_near_solve: bool
    """Whether the picture to publish is still near the sky that the frames judged."""
    judges: int
    """Number of held-out frames."""
    chi2: float
    """Largest residual power of a channel over the noise."""
    rest: float
    """Largest share of a channel that the sky leaves of what the stack leaves beyond the noise."""
    cutoff_is_known: bool
    """Whether the telescope's aperture and the pixel scale were given."""
    undershoot: float | None
    """Deepest light below black beside the target, as a fraction of its light; None where nothing is black."""
    coarse_is_worse: bool
    """Whether the stack explains coarse structure better than the sky, by more than chance, in a channel."""


@dataclass(frozen=True)
class Decision:
    """What is published."""

    word: Word
    reason: str
    """Why not the sky, as the end of a sentence; empty where the sky is published."""


def decide(evidence: Evidence) -> Decision:
    """The sky whole if everything speaks for it, a blend if only the preference does, else the stack."""
    few = "" if evidence.judges >= MIN_JUDGES else f"; {_few(evidence.judges)}"
    if evidence.stack_is_better:
        return Decision("stack", f"they prefer the stack{few}")
    if not evidence.prefers_sky:
        return Decision("stack", f"they do not prefer the sky by more than chance{few}")
    if not evidence.is_near_solve:
        return Decision(
            "stack",
            "they prefer the sky as it was solved, but the one to publish, from the extended field, has left it too far",
        )
    if evidence.chi2 > MAX_BLEND_CHI2 and evidence.rest > MAX_BLEND_REST:
        reason = f"they prefer the sky, but it leaves {evidence.chi2:.1f} times their noise, at most {MAX_BLEND_CHI2:g}"
        return Decision("stack", f"{reason} is believed{few}")
    reasons = _shortfalls(evidence)
    return Decision("blend", "; ".join(reasons)) if reasons else Decision("sky", "")


def _few(judges: int) -> str:
    return f"only {judges} held-out frame{'s' * (judges != 1)} judged, {MIN_JUDGES} are needed: the capture has too few frames"


def _shortfalls(evidence: Evidence) -> list[str]:
    """Why a sky that is preferred is not believed whole."""
    reasons = []
    if evidence.judges < MIN_JUDGES:
        reasons.append(_few(evidence.judges))
    if evidence.chi2 > MAX_SKY_CHI2 and evidence.rest > MAX_SKY_REST:
        reasons.append(f"it leaves {evidence.chi2:.1f} times the noise, at most {MAX_SKY_CHI2:g} is believed whole")
    if not evidence.cutoff_is_known:
        reasons.append("the telescope's cut-off is only estimated, [telescope] in a --config file makes it known")
    if evidence.undershoot is not None and evidence.undershoot > MAX_UNDERSHOOT:
        reasons.append(
            f"beside the target it is darker than black by {evidence.undershoot:.0%} of the target's light, at most "
            f"{MAX_UNDERSHOOT:.0%} is believed"
        )
    if evidence.coarse_is_worse:
        reasons.append("coarse structure is better explained by the stack")
    return reasons


def rest_of(sky: float, stack: float) -> float:
    """Share of what the stack leaves beyond the noise that the sky leaves too, from their residual powers over the noise."""
    return max(sky - 1, 0.0) / max(stack - 1, 1e-6)
