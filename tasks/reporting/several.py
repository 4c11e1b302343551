"""What the reports of skies that are made of several captures have in common."""

import os
from collections.abc import Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from storage.product import Product, result_names
from storage.results.published import Pictures
from storage.results.white_balance import White
from storage.store import Store
from tasks.reporting.round_summary import small_pictures

Report = dict[str, Any]


def joined_report(
    store: Store, product: Product, content: str, names: Sequence[str], reports: Sequence[Report]
) -> Report:
    """The figures of all captures together; `names` say whose time is whose."""
    seconds = {f"{name}, all steps": each["seconds"]["total"] for name, each in zip(names, reports, strict=True)}
    seconds |= {product.step: round(store.seconds(product), 3)}
    return {
        "software": f"stillsky {version('stillsky')}",
        "published": "preview" if is_preview(reports) else content,
        "content": content,
        "frames": {key: sum(each["frames"][key] for each in reports) for key in ("used", "held_out")},
        "seconds": seconds | {"total": round(sum(seconds.values()), 3)},
        "notes": [],
        "solved_frames": sum(each["solved_frames"] for each in reports),
        "product": f"{product.step}/{product.key}",
        "products": result_names([product]),
        "retried": {},
    }


def is_preview(reports: Sequence[Report]) -> bool:
    """Is one of the captures shown by its preview?"""
    return any(each["published"] == "preview" for each in reports)


def joined_capture(name: str, captures: Sequence[Report], shape: tuple[int, ...]) -> Report:
    """What several captures are as one."""
    started = sorted(each["started"] for each in captures if each.get("started"))
    return {
        "name": name,
        "fingerprint": sha256("\n".join(each["fingerprint"] for each in captures).encode()).hexdigest(),
        "frames": sum(each["frames"] for each in captures),
        "shape": list(shape),
        "facts": {},
        "started": started[0] if started else None,
    }


def one_of_several(report: Report, folder: Path, out: Path) -> Report:
    """One capture as the report in `out` has it; its own results are in `folder`."""
    return {
        "name": report["capture"]["name"],
        "fingerprint": report["capture"]["fingerprint"],
        "product": report["product"],
        "folder": str(folder),
        "link": quote(os.fsencode(os.path.relpath(folder / "report.html", out))),
        "frames_used": report["frames"]["used"],
        "d_over_r0": report["channels"][0]["d_over_r0"],
        "published": report["published"],
    }


def pictures_of(made: Any, solved: Any, report: Report, white: White, scale_arcsec: float | None) -> Pictures:
    """What is published of an open product of several captures; its small pictures are noted in the report."""
    stack, published, stretch = made.stack[:], made.published[:], made.stretch
    small = small_pictures(stack, published, stretch, white)
    report["sharpness_gain"] = small.sharpness_gain
    report["thumbnails"] = {"width_arcsec": None if scale_arcsec is None else scale_arcsec * small.width_px}
    finest = min(row["finest_believed_cpp"] for row in report["channels"])
    lights = published, stack, stretch, white, scale_arcsec, solved, made.belief[:]
    return Pictures(*lights, finest, (small.before, small.after))
