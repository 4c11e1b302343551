"""combine: the results of mono captures through filters laid on each other as one colour sky."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from storage.errors import Hopeless
from storage.product import Product
from tasks.numerics.finishing.colour_group import Placed, placed, with_luminance
from tasks.products.contents import Evaluated
from tasks.products.finished_contents import Combined
from tasks.running.step import Work, step

Image = NDArray[np.float32]
GREEN, COLOURS = 1, 3
"""The part that the others are laid on; how many parts are channels."""


@step(version="1")
def combine(
    work: Work, parts: tuple[Product, ...], filters: tuple[str, ...], pixel_widths: tuple[float, ...], align: bool
) -> None:
    """Bring evaluated skies to one size and lay them on green to a hundredth of a pixel; luminance gives the brightness.

    `parts` are red, green, blue and perhaps luminance, as `filters` name them; `pixel_widths` are those of their skies in one
    unit. Without `align` their middles lie on each other.
    """
    pictures: dict[str, list[Image]] = {name: [] for name in ("published", "sky", "stack", "belief")}
    verdicts, stretches = [], []
    for part, filter_ in zip(parts, filters, strict=True):
        with work.open(Evaluated, part) as judged:
            if len(judged.published) != 1:
                raise Hopeless(
                    f"the {filter_} part has {len(judged.published)} colours of its own; a colour sky is made of mono captures"
                )
            for name, planes in pictures.items():
                planes.append(getattr(judged, name)[0])
            verdicts.append(judged.verdict)
            stretches.append(judged.stretch)
    beside = [pictures[name] for name in ("sky", "stack", "belief")]
    registered = placed(pictures["published"], beside, pixel_widths, GREEN, align)
    if registered is None:
        sizes = ", ".join(f"{plane.shape[1]} x {plane.shape[0]}" for plane in pictures["published"])
        raise Hopeless(
            f"the parts ({', '.join(filters)}; {sizes} px) show no area in common; leave out one, or say [colour] align = false"
        )
    content = _content(registered, filters, verdicts, (stretches[GREEN], min(pixel_widths)))
    least = min(float(plane.min()) for plane in pictures["belief"])  # moved light may ring below it
    work.save(replace(content, belief=np.maximum(content.belief[:], least)))


def _content(registered: Placed, filters: Sequence[str], verdicts: Sequence[str], shown: tuple[str, float]) -> Combined:
    """The product of parts that lie on each other; `shown` are the stretch and the width of a pixel."""
    sky, stack, belief = registered.beside
    worth, words = _luminance(verdicts)
    made = [planes[:COLOURS] for planes in (registered.pictures, sky)]
    if worth:
        made = [
            with_luminance(each, planes[COLOURS]) for each, planes in zip(made, (registered.pictures, sky), strict=True)
        ]
    used = set(verdicts if worth else verdicts[:COLOURS])
    return Combined(
        published=made[0],
        sky=made[1],
        stack=stack[:COLOURS],
        belief=belief[:COLOURS],
        filters=list(filters),
        offsets=registered.offsets,
        verdict=used.pop() if len(used) == 1 else "blend",
        stretch=shown[0],
        pixel_width=shown[1],
        luminance=words,
    )


def _luminance(verdicts: Sequence[str]) -> tuple[bool, str]:
    """Is there a luminance that shows no less than the colours? And what is done with it, in words."""
    if len(verdicts) == COLOURS:
        return False, ""
    if verdicts[COLOURS] == "stack" and set(verdicts[:COLOURS]) != {"stack"}:
        return False, "Luminance is left out: of it only the stack is believed, of the colours more."
    return True, "Luminance gives the brightness, red, green and blue the colour."
