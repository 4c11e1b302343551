"""enhance: a sharper picture beside the published one; the published one is not touched."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.finishing import Enhance
from configs.schema import Telescope
from storage.models import Model
from storage.product import CaptureProducts, Product
from tasks.learning.chosen import choice, model_named, outside_domain
from tasks.learning.registry import load
from tasks.numerics.finishing.inverse_filters import inverse_filtered
from tasks.numerics.finishing.point_sources import new_sources
from tasks.numerics.finishing.richardson_lucy import (
    Deconvolved,
    deconvolved,
    reblurred_chi2,
    same_light,
    shown_part,
)
from tasks.numerics.finishing.scale import upscaled
from tasks.numerics.finishing.transfer import Transfer
from tasks.numerics.networks.enhance import enhanced, light_scale
from tasks.products.contents import Evaluated, Mean, Seeing, Sky, Stack
from tasks.products.cutout import cutout_of
from tasks.products.effective_transfer import transfer_of
from tasks.products.finished_contents import Enhanced
from tasks.running.step import Work, step

Image = NDArray[np.float32]
MAX_LIGHT_CHANGE = 0.01
"""Largest fraction by which the light of a learned answer may differ."""
MAX_CHI2 = 1.1
"""A learned answer that explains the picture to this is accepted although the classical one fits even the noise."""
CHI2_ROUNDING = 1e-3
"""The learned answer's chi2 may be above the classical one's by this fraction: rounding."""


@dataclass(frozen=True)
class Channel:
    """What is enhanced of one channel, and what is known of it."""

    published: Image
    """(y, x)."""
    sigma: Image
    """(y, x) its standard error."""
    background: float
    transfer: Transfer
    classical: Deconvolved

    @property
    def filtered(self) -> Image:
        """(2, y, x) the published picture by two inverse filters: what a net is given besides."""
        return inverse_filtered(self.published, self.transfer, self.sigma, self.background)

    def checks(self, answer: Image) -> dict[str, Any]:
        """What is checked without the truth: does the picture still follow from the answer, and only that?"""
        light, before = (float((each - self.background).sum()) for each in (answer, self.published))
        return {
            "reblurred_chi2": reblurred_chi2(answer, self.published, self.transfer, self.sigma),
            "light_ratio": light / before if before > 0 else None,
            "new_sources": new_sources(answer, self.published, float(np.median(self.sigma))),
        }


@step(version="4", passes="evaluated")
def enhance(
    work: Work,
    evaluated: Product,
    inputs: CaptureProducts,
    sky: Product,
    telescope: Telescope,
    settings: Enhance,
    model: str = "",
) -> None:
    """Sharpen what is published with its own PSF, or with a learned model on top of that, and check it against it."""
    with (
        work.open(Evaluated, evaluated) as judged,
        work.open(Sky, sky) as solved,
        work.open(Seeing, inputs.seeing) as seeing,
        work.open(Mean, inputs.mean) as mean,
        work.open(Stack, inputs.stack) as stack,
    ):
        channels = []
        for number in range(len(judged.published)):
            cutout = cutout_of(stack, number)
            transfer = transfer_of(judged, solved, seeing, mean, cutout, telescope)
            published, sigma = judged.published[number], judged.belief[number]
            classical = deconvolved(published, transfer, sigma, cutout.background, settings.iterations)
            channels.append(Channel(published, sigma, cutout.background, transfer, classical))
            work.progress(number + 1, len(judged.published))
    content = _content(channels, settings, model_named("enhance", model))
    work.save(content)


def _content(channels: list[Channel], settings: Enhance, model: Model | None) -> Enhanced:
    learned = None if model is None else _learned(channels, model)
    chosen = choice("enhance", settings.mode, model, _faults(channels, learned, model))
    answers = (
        learned if learned is not None and chosen.used == "learned" else [each.classical.picture for each in channels]
    )
    pairs = list(zip(channels, answers, strict=True))
    shown = [shown_part(each.published, answer, settings.strength) for each, answer in pairs]
    return Enhanced(
        enhanced=np.stack([upscaled(picture, settings.scale) for picture in shown]),
        classical=np.stack([each.classical.picture for each in channels]),
        used=chosen.used,
        reason=chosen.reason,
        scale=settings.scale,
        strength=settings.strength,
        model=chosen.model,
        card=dict(chosen.card),
        figures=[
            {"psf_fwhm_px": each.transfer.fwhm_px, "iterations": each.classical.iterations, **each.checks(picture)}
            for each, picture in zip(channels, shown, strict=True)
        ],
        learned=None if learned is None else np.stack(learned),
    )


def _learned(channels: list[Channel], model: Model) -> list[Image]:
    """The learned answer (y, x) of each channel, its light that of the published picture."""
    net = load(model)
    answers = []
    for each in channels:
        width = each.transfer.fwhm_px
        raw = enhanced(net, each.published, each.classical.picture, each.sigma, each.filtered, width, each.background)
        answers.append(same_light(raw, each.published, each.background))
    return answers


def _faults(channels: list[Channel], learned: list[Image] | None, model: Model | None) -> str:
    """What speaks against the learned answer, of the first channel where something does."""
    if learned is None or model is None:
        return ""
    found = (_fault(each, answer, model) for each, answer in zip(channels, learned, strict=True))
    return next((fault for fault in found if fault), "")


def _fault(channel: Channel, answer: Image, model: Model) -> str:
    """What speaks against a learned answer (y, x), without knowing the truth; empty: nothing."""
    relative = float(np.median(channel.sigma)) / light_scale(
        channel.published, channel.classical.picture, channel.background
    )
    outside = outside_domain(model, {"fwhm_px": channel.transfer.fwhm_px, "relative_sigma": relative})
    if outside:
        return outside
    found, classical = channel.checks(answer), channel.checks(channel.classical.picture)
    if found["reblurred_chi2"] > max(classical["reblurred_chi2"] * (1 + CHI2_ROUNDING), MAX_CHI2):
        return f"its re-blurred chi2 {found['reblurred_chi2']:.3g} is above the classical {classical['reblurred_chi2']:.3g}"
    if found["light_ratio"] is not None and abs(found["light_ratio"] - 1) > MAX_LIGHT_CHANGE:
        return f"its light is {found['light_ratio']:.3f} times that of the published picture"
    if found["new_sources"] > classical["new_sources"]:
        return f"it shows {found['new_sources']} point sources that the published picture does not show"
    return ""
