"""The effective transfer of what is published: what the half-sets agree on, and the stack's beyond it."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tasks.numerics.finishing.transfer import Transfer
from tasks.products.contents import Evaluated, Mean, Seeing, Sky, Stack
from tasks.products.cutout import cutout_of
from tasks.products.effective_transfer import transfer_of
from tasks.products.half_sums import half_agreement


def transfer(filmed: Any, **changed: Any) -> tuple[Transfer, np.ndarray[Any, Any]]:
    """Of the published picture, told otherwise if asked; and how far its half-sets agree."""
    store, inputs = filmed.store, filmed.inputs
    with (
        store.view(Evaluated, filmed.result) as judged,
        store.view(Sky, filmed.sky) as sky,
        store.view(Seeing, inputs.seeing) as seeing,
        store.view(Mean, inputs.mean) as mean,
        store.view(Stack, inputs.stack) as stack,
    ):
        told: Any = SimpleNamespace(**({"verdict": judged.verdict, "figures": judged.figures} | changed))
        found = transfer_of(told, sky, seeing, mean, cutout_of(stack, 0), filmed.config.telescope)
        return found, half_agreement(sky, 0)


def rest(found: Transfer) -> np.ndarray[Any, Any]:
    """What is left beside the telescope's own transfer, where that passes light."""
    return np.where(found.telescope > 1e-3, found.effective / np.maximum(found.telescope, 1e-6), 0.0)


def test_a_solved_sky_kept_what_its_half_sets_agree_on(planet: Any) -> None:
    found, agreement = transfer(planet, verdict="sky")
    kept = rest(found)[: len(agreement)]
    passed = found.telescope[: len(agreement)] > 1e-3
    assert np.allclose(kept[passed], agreement[passed], atol=1e-6)
    assert kept[:8].min() > 0.99, "an amplitude that was corrected is not light that is lost"
    assert replace(found, effective=found.telescope).fwhm_px <= found.fwhm_px


@pytest.mark.parametrize("verdict", ["sky", "blend", "stack"])
def test_nothing_passes_more_than_the_telescope(planet: Any, verdict: str) -> None:
    found, _ = transfer(planet, verdict=verdict)
    assert np.all(found.effective <= found.telescope + 1e-6)


def test_a_stack_holds_less_than_a_sky(planet: Any) -> None:
    sky, stack = (transfer(planet, verdict=verdict)[0] for verdict in ("sky", "stack"))
    assert stack.fwhm_px > sky.fwhm_px
    assert rest(stack)[4:16].mean() < 0.9 * rest(sky)[4:16].mean()
