"""solve_sky: from the summed A and B of all frames so far to the sky, its mean PSF power held to what the air allows."""

import contextlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from configs.schema import Sky, Telescope
from storage.product import Product
from tasks.field import field_of
from tasks.numerics.deliver import Delivered, deliver
from tasks.numerics.likelihood import Sums
from tasks.optics import cutoff_cpp, obstruction
from tasks.step import Work, step


@step(version="1")
def solve_sky(
    work: Work, mean: Product, first: Product, air: Product, psfs: Product, before: Product,
    telescope: Telescope, settings: Sky,
) -> None:  # fmt: skip
    """Sum the batches onto the sums of the round before; leave the sky as this telescope would show it without air."""
    with contextlib.ExitStack() as stack:
        average, stacked, seen, solved = (stack.enter_context(work.open(p)) for p in (mean, first, air, psfs))
        last = stack.enter_context(work.open(before)) if before.step == "solve_sky" else None
        frames = solved["frames"][:] if last is None else np.concatenate([last["frames"][:], solved["frames"][:]])
        noises: list[float] = []
        found: dict[str, list[NDArray[Any]]] = {}
        for channel in range(len(stacked["stack"])):
            field = field_of(stacked, channel)
            target = _mean_power(seen[f"channel{channel}"], frames)
            group = solved[f"channel{channel}"]
            noise = float(last["noise"][channel] if last is not None and not len(group["A"]) else group.attrs["noise"])
            noises.append(noise)
            sums, half = (_summed(group, last, channel, tail) for tail in ("", "_half"))
            diameter = min(cutoff_cpp(telescope, channel, average), 0.5) * field.size
            eye = (diameter, obstruction(telescope))
            whole = deliver(sums, noise, target, eye, settings.prior)
            parts = [deliver(s, noise, target, eye, settings.prior, whole.sky_power) for s in (half, sums - half)]
            _gather(found, sums, half, whole, [field.back(p.sky.cpu().numpy()) for p in (whole, *parts)])
        with work.create() as file:
            file["frames"], file["noise"] = frames, noises
            for name, rows in found.items():
                file[name] = np.stack(rows)
            file["halves"] = np.stack([np.stack(found["half_a"]), np.stack(found["half_b"])])


def _summed(group: Any, last: Any, channel: int, tail: str) -> Sums:
    """A and B over all batches, and over the rounds before, one batch in memory at a time."""
    size = group[f"A{tail}"].shape[1:]
    power, cross = np.zeros(size, np.float32), np.zeros(size, np.complex64)
    frames = 0
    if last is not None:
        power, cross = last[f"A{tail}"][channel], last[f"B{tail}"][channel]
    for number in range(len(group[f"A{tail}"])):
        power, cross = power + group[f"A{tail}"][number], cross + group[f"B{tail}"][number]
    frames = round(float(power[0, 0]))
    return Sums(torch.from_numpy(power), torch.from_numpy(cross), frames)


def _mean_power(group: Any, frames: NDArray[np.int64]) -> NDArray[np.float64]:
    """<|H|^2> (ring,) of these frames: the air's over all frames, times how much more power these show. Sky-free."""
    everything, noise = group["frame_power"][:], float(group.attrs["noise"])
    seen = np.nanmean(everything, axis=0) - noise
    these = np.nanmean(everything[frames], axis=0) - noise
    good = (seen > 0.5 * noise) & (these > 0.25 * noise)
    good[:2] = False
    rings = np.arange(len(seen))
    ratio = np.interp(rings, np.append(0, rings[good]), np.append(1.0, these[good] / seen[good]))
    return np.asarray(group["mean_power"][:] * ratio)


def _gather(
    found: dict[str, list[NDArray[Any]]], sums: Sums, half: Sums, whole: Delivered, skies: list[NDArray[np.float32]]
) -> None:
    rows = {
        "A": sums.power, "B": sums.cross, "A_half": half.power, "B_half": half.cross,
        "spectrum": whole.spectrum, "sky_power": whole.sky_power,
    }  # fmt: skip
    for name, tensor in rows.items():
        found.setdefault(name, []).append(tensor.cpu().numpy())
    for name, sky in zip(("sky", "half_a", "half_b"), skies, strict=True):
        found.setdefault(name, []).append(sky)
