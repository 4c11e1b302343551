"""merge: the skies of a session of a turning planet as one sky."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.finishing import Session
from storage.errors import Hopeless, NothingToDo
from storage.product import CaptureProducts, Product
from storage.store import Store
from tasks.numerics.fourier.rings import RINGS
from tasks.numerics.frames.colours import colour_offsets, laid_on_each_other
from tasks.numerics.globe.derotation import Rings
from tasks.numerics.globe.session import SkyPart
from tasks.numerics.globe.spheroid import View
from tasks.numerics.globe.whole_session import Aspect, SessionMade, session_sky, views_of
from tasks.numerics.judging.disc import disc_of
from tasks.products.contents import Evaluated, Seeing, Sky
from tasks.products.half_sums import half_agreement
from tasks.products.session_contents import SessionSky
from tasks.running.step import Work, step

Image = NDArray[np.float32]
GREEN = 1
"""The channel that others are laid on, where there are three."""
SHARES = 129
"""At so many equal steps from 0 to 0.5 cycles/px it is told what the sums of a sky know."""


@dataclass(frozen=True)
class OpenedPart:
    """A capture's result."""

    published: Image
    stack: Image
    belief: Image
    known: NDArray[np.float64]
    """(channel, ring) share of the sky's power that its sums know; 0 where it is not believed."""
    amplitude_sigma: NDArray[np.float64]
    """(channel, ring) standard deviation of the logarithm of its amplitude."""
    verdict: str
    stretch: str

    @property
    def picture(self) -> Image:
        """(y, x) of all its channels."""
        return np.asarray(self.published.mean(axis=0), np.float32)


@step(version="3")
def merge(
    work: Work,
    parts: tuple[Product, ...],
    slots: tuple[int, ...],
    aspects: tuple[tuple[float, ...], ...],
    globe: tuple[float, ...],
    session: Session,
) -> None:
    """Undo the rotation between evaluated skies, register them, and take each ring of frequency from those that know it.

    `slots` are the channels that captures through filters make, -1 for all of a capture's own. `aspects` are, for the middle of
    the session and then for each part, the numbers of `whole_session.Aspect`. `globe` is the flattening, and inner and outer
    radius of rings (0: none).
    """
    opened = [opened_part(work.store, part) for part in parts]
    if len({len(each.published) for each in opened}) > 1:
        raise Hopeless(
            "captures of one colour and of three do not make one session; restore them in folders of their own"
        )
    rings = Rings(*globe[1:]) if globe[2] else None
    middle, *own = (Aspect(*each) for each in aspects)
    views = views_of([each.picture for each in opened], [_disc(each, rings) for each in opened], own, globe[0])
    if views is None:
        raise NothingToDo(
            "no session: the disc has no limb that could be measured, and no pixel scale was given; set [telescope]"
        )
    skies = [
        SkyPart(o.published, o.stack, o.belief, view, o.known, o.amplitude_sigma)
        for o, view in zip(opened, views, strict=True)
    ]
    groups = [[sky for sky, slot in zip(skies, slots, strict=True) if slot == wanted] for wanted in sorted(set(slots))]
    given = None if session.north_deg is None else (session.north_deg, session.mirrored)
    made = session_sky(groups, middle, rings, given)
    if made.why_not:
        raise NothingToDo(f"no session: {made.why_not}")
    work.save(_content(opened, slots, made, _nearest(own, middle)))


def opened_part(store: Store, part: Product) -> OpenedPart:
    """The result of a capture, with what its sums and its seeing know."""
    made_from = store.recipe(part)["arguments"]
    sky, seeing = Product(*made_from["sky"]), CaptureProducts(*(Product(*each) for each in made_from["inputs"])).seeing
    with store.view(Evaluated, part) as judged, store.view(Sky, sky) as solved, store.view(Seeing, seeing) as air:
        believed = [row["finest_believed_cpp"] for row in judged.figures["channels"]]
        known = np.stack([_known(half_agreement(solved, channel), cpp) for channel, cpp in enumerate(believed)])
        share = 0.0 if judged.verdict == "stack" else 1.0
        return OpenedPart(
            judged.published[:], judged.stack[:], judged.belief[:], share * known, _amplitude_sigma(air), judged.verdict,
            judged.stretch,
        )  # fmt: skip


def _amplitude_sigma(air: Seeing) -> NDArray[np.float64]:
    """Standard deviation (channel, ring) of the logarithm of the sky's amplitude, at SHARES steps: half that of the power."""
    frequency = np.linspace(0, 0.5, SHARES)
    pairs = zip(air.cutoff_cpp[:], air.log_power_sigma[:], strict=True)
    return np.stack([np.interp(frequency, RINGS * cutoff, sigma) / 2 for cutoff, sigma in pairs])


def _known(agreement: NDArray[np.float64], believed_cpp: float) -> NDArray[np.float64]:
    """What is common to the half-sets, at SHARES steps, up to the finest frequency that is believed."""
    frequency = np.linspace(0, 0.5, SHARES)
    common = np.interp(frequency, np.linspace(0, 0.5, len(agreement)), agreement)
    return np.where(frequency <= believed_cpp, common, 0.0)


def _disc(opened: OpenedPart, rings: Rings | None) -> tuple[float, float, float] | None:
    """(y, x, diameter) of the disc; rings leave no limb that could be measured."""
    found = disc_of(opened.picture) if rings is None else None
    return (*found.centre_px, found.diameter_px) if found else None


def _nearest(own: Sequence[Aspect], middle: Aspect) -> int:
    """The part nearest to the middle of the session."""
    return int(np.argmin([abs((a.meridian_deg - middle.meridian_deg + 180) % 360 - 180) for a in own]))


def _content(opened: Sequence[OpenedPart], slots: Sequence[int], made: SessionMade, nearest: int) -> SessionSky:
    """The product; the groups of filters become its channels, laid on green."""
    pictures, stacks, errors = (
        np.concatenate([getattr(sky, name) for sky in made.skies]) for name in ("picture", "stack", "error")
    )
    if len(made.skies) > 1:
        offsets = colour_offsets(pictures, GREEN)
        pictures, stacks = laid_on_each_other(pictures, offsets), laid_on_each_other(stacks, offsets)
    order = [k for slot in sorted(set(slots)) for k, other in enumerate(slots) if other == slot]
    weights, moves = (np.concatenate([getattr(sky, name) for sky in made.skies]) for name in ("weights", "moves_px"))
    back = np.argsort(order)
    views = [view for sky in made.skies for view in sky.views]
    verdicts = {each.verdict for each in opened}
    return SessionSky(
        published=pictures,
        stack=stacks,
        single=opened[nearest].published,
        belief=errors,
        weights=weights[back].astype(np.float32),
        moves=moves[back].astype(np.float32),
        verdict=verdicts.pop() if len(verdicts) == 1 else "blend",
        stretch=opened[nearest].stretch,
        figures=_figures(made, nearest) | {"discs": [_disc_row(views[k]) for k in back]},
    )


def _disc_row(view: View) -> dict[str, Any]:
    """Where the disc of a part is, px, and how it stands."""
    return {
        "centre_px": list(view.centre_px),
        "radius_px": view.radius_px,
        "meridian_deg": view.meridian_deg,
        "north_deg": view.north_deg,
    }


def _figures(made: SessionMade, nearest: int) -> dict[str, Any]:
    """Where the disc is and how north was found."""
    view, found = made.view, made.orientation
    assert view is not None
    return {
        "nearest": nearest,
        "darkening": made.darkening,
        "centre_px": list(view.centre_px),
        "radius_px": view.radius_px,
        "meridian_deg": view.meridian_deg,
        "north_deg": view.north_deg,
        "mirrored": view.mirrored,
        "north": "given or not needed" if found is None else "found",
        "agreement": None if found is None else [found.agreement, found.agreement_still, found.agreement_against],
        "is_sided": None if found is None else found.is_sided,
    }
