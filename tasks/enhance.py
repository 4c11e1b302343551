"""enhance: a sharper picture beside the published one; the published one is not touched."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.finishing import Enhance
from configs.schema import Telescope
from storage.product import CaptureProducts, Product
from tasks.numerics.finishing.point_sources import new_sources
from tasks.numerics.finishing.richardson_lucy import Deconvolved, deconvolved, reblurred_chi2, shown_part
from tasks.numerics.finishing.scale import upscaled
from tasks.numerics.finishing.transfer import Transfer
from tasks.products.contents import Enhanced, Evaluated, Mean, Seeing, Sky, Stack
from tasks.products.cutout import cutout_of
from tasks.products.effective_transfer import transfer_of
from tasks.running.step import Work, step

log = logging.getLogger("stillsky")
Image = NDArray[np.float32]


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


@step(version="1", passes="evaluated")
def enhance(
    work: Work, evaluated: Product, inputs: CaptureProducts, sky: Product, telescope: Telescope, settings: Enhance
) -> None:
    """Sharpen what is published with its own PSF, and check the result against it."""
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
    content = _content(channels, settings)
    log.info("enhance: %s, %s", content.used, content.reason)
    work.save(content)


def _content(channels: list[Channel], settings: Enhance) -> Enhanced:
    shown = [shown_part(each.published, each.classical.picture, settings.strength) for each in channels]
    return Enhanced(
        enhanced=np.stack([upscaled(picture, settings.scale) for picture in shown]),
        classical=np.stack([each.classical.picture for each in channels]),
        used="classical",
        reason=_reason(settings.mode),
        scale=settings.scale,
        strength=settings.strength,
        model="",
        card={},
        figures=[_figures(each, picture) for each, picture in zip(channels, shown, strict=True)],
    )


def _reason(mode: str) -> str:
    """Why the classical answer is shown."""
    if mode == "classical":
        return "as [enhance] mode says"
    return "no learned model is installed"


def _figures(channel: Channel, shown: Image) -> dict[str, Any]:
    """What is checked without knowing the truth: does the picture still follow from the result, and only that?"""
    light, before = (float((each - channel.background).sum()) for each in (shown, channel.published))
    return {
        "psf_fwhm_px": channel.transfer.fwhm_px,
        "iterations": channel.classical.iterations,
        "reblurred_chi2": reblurred_chi2(shown, channel.published, channel.transfer, channel.sigma),
        "light_ratio": light / before if before > 0 else None,
        "new_sources": new_sources(shown, channel.published, float(np.median(channel.sigma))),
    }
