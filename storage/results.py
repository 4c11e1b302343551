"""A finished result on its way to the user: the four files of the output folder, from the evaluated product."""

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from storage.errors import StoreError
from storage.export import save_fits, save_json, save_png, scale_cards
from storage.product import Product
from storage.store import Store


def publish(store: Store, result: Product, report: Mapping[str, Any], out: Path, scale_arcsec: float | None) -> None:
    """Leave sky.fits, stack.fits, sky.png and report.json in `out`."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{out} cannot be made ({error.strerror}); choose another folder with --out") from None
    with store.open(result) as file:
        sky, stack, stretch = file["sky"][:], file["stack"][:], str(file.attrs["stretch"])
    history = [f"settings {key} = {json.dumps(value)}" for key, value in report["settings"].items()]
    for name, picture, what in (("stack", stack, "shift-average"), ("sky", sky, str(report["published"]))):
        cards: dict[str, tuple[Any, str]] = {
            "BUNIT": ("adu", "camera units, linear"),
            "CAPTURE": (str(report["capture"]["name"]).encode("ascii", "replace").decode()[:68], "name of the capture"),
            "FPRINT": (report["capture"]["fingerprint"], ""),
            "CREATOR": (f"stillsky {version('stillsky')}", "software"),
            "PRODUCT": (f"{result.step}/{result.key}", "in the store"),
            "CONTENT": (what, "what this picture is"),
            **scale_cards(scale_arcsec, (sky.shape[-2], sky.shape[-1])),
        }
        save_fits(out / f"{name}.fits", picture, cards, history)
    save_png(out / "sky.png", sky, stretch)
    save_json(out / "report.json", report)
