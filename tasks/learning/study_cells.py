"""The small trainings that studies are made of: burst denoising, a widened net, matching with and without costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn

from tasks.learning.surgery import Mode, freeze, widened
from tasks.numerics.networks.blocks import GatedUNet
from tasks.numerics.networks.dewarp import DewarpNet
from tasks.numerics.simulator.targets import TARGETS

Image = NDArray[np.float32]
SIGMA = 0.1
"""Noise of a frame, fraction of the range of light."""
BINS = 64
"""Levels of the quantised head."""
LEAK_BELOW = 0.9
"""Residual over noise below which an answer has copied the noise of the frame that it should not know."""
BATCH = 16
FIRST_STEPS = 60
"""Steps for one frame before a net gets a second one."""
DIVERGED_DB = 3.0
"""Loss of a widened net from which its training counts as diverged."""
NO_CONDITIONS = torch.zeros(1, 0)


def burst_cell(
    steps: int, size_px: int, motion: str, middle: bool, input_noise: bool, head: str
) -> dict[str, float | str | int]:
    """Five noisy frames, the middle one is the target; returns PSNR at the best and last check and the residual over noise."""
    torch.manual_seed(0)
    net = GatedUNet((5 if middle else 4, BINS if head == "quantised" else 1), 8)
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    checks: list[tuple[int, float, float]] = []

    def answer(frames: Tensor) -> tuple[Tensor, Tensor]:
        base, out = _burst_answer(net, frames, middle, input_noise)
        return (base + out, out) if head == "value" else _expected(base, out)

    test, clean = _burst_batch(size_px, motion, 64, 10**6)
    for number in range(steps):
        frames, _ = _burst_batch(size_px, motion, BATCH, number)
        mean, scores = answer(frames)
        target = frames[:, 2:3]
        if head == "quantised":
            label = (target.clamp(0, 1) * (BINS - 1)).round().long()[:, 0]
            loss = nn.functional.nll_loss(scores, label)
        else:
            loss = ((mean - target) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if (number + 1) % 25 == 0 or number + 1 == steps:
            with torch.no_grad():
                mean, _ = answer(test)
            ratio = float((mean - test[:, 2:3]).std()) / SIGMA
            checks.append((number + 1, _psnr(mean, clean), ratio))
    return _row(checks)


def _burst_answer(net: nn.Module, frames: Tensor, middle: bool, input_noise: bool) -> tuple[Tensor, Tensor]:
    """(mean of the neighbours, what the net adds)."""
    near = frames[:, [0, 1, 3, 4]]
    given = frames if middle else near
    if middle and input_noise:
        noisier = frames[:, 2:3] + SIGMA * torch.randn_like(frames[:, 2:3])
        given = torch.cat([frames[:, :2], noisier, frames[:, 3:]], 1)
    return near.mean(1, keepdim=True), net(given, NO_CONDITIONS)


def _expected(base: Tensor, out: Tensor) -> tuple[Tensor, Tensor]:
    """(expected light, logarithms of the probabilities of the levels), starting around the neighbours' mean."""
    levels = torch.linspace(0, 1, BINS)[None, :, None, None]
    scores = torch.log_softmax(-(((levels - base) / 0.05) ** 2) / 2 + out, 1)
    return (scores.exp() * levels).sum(1, keepdim=True), scores


def _row(checks: list[tuple[int, float, float]]) -> dict[str, float | str | int]:
    best = max(checks, key=lambda each: each[1])
    ratio = checks[-1][2]
    return {
        "best_db": round(best[1], 2), "best_step": best[0], "last_db": round(checks[-1][1], 2),
        "residual_ratio": round(ratio, 3), "identity_leak": "yes" if ratio < LEAK_BELOW else "no",
    }  # fmt: skip


def surgery_cell(steps: int, policy: str, rate: float, clip: str, mode: Mode) -> dict[str, float | int | str]:
    """A net for one noisy frame gets a second one; returns what training a part of it further gains, dB.

    A training that ends far below where it began has diverged, with or without numbers.
    """
    torch.manual_seed(0)
    net = GatedUNet((1, 1), 8)
    _fit_frames(net, net.parameters(), FIRST_STEPS, 1, lambda p: torch.optim.Adam(p, 3e-3), "none")
    before = _frames_psnr(net, 1)
    net.head = widened(net.head, mode)
    start = _frames_psnr(net, 2)
    trained = freeze(net, policy)
    chosen = [value for value in net.parameters() if value.requires_grad]
    _fit_frames(net, chosen, steps, 2, lambda p: torch.optim.SGD(p, rate), clip)
    after = _frames_psnr(net, 2)
    known = {"one_frame_db": round(before, 2), "widened_db": round(start, 2), "trained_weights": len(trained)}
    if not after > start - DIVERGED_DB:
        return {**known, "failed": f"it diverged, {after:.0f} dB at the end"}
    return {**known, "trained_db": round(after, 2), "gain_db": round(after - start, 2)}


def dewarp_cell(steps: int, net: str) -> dict[str, float | str]:
    """One batch of moved pictures to be learned by heart: with matching costs in the net, or with two pictures alone."""
    torch.manual_seed(0)
    frames, fields = _moved_batch(48, 4)
    costs = DewarpNet(8)
    plain = GatedUNet((2, 2), 8)
    chosen: nn.Module = costs if net == "costs" else plain
    optimiser = torch.optim.Adam(chosen.parameters(), 3e-3)
    zeros = torch.zeros_like(fields)
    distance = zeros
    for _ in range(steps):
        found = costs(frames, zeros, NO_CONDITIONS)[:, :2] if net == "costs" else plain(frames, NO_CONDITIONS)
        distance = torch.sqrt(((found - fields) ** 2).sum(1) + 1e-6)
        optimiser.zero_grad()
        distance.mean().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    zero, end = float(torch.hypot(fields[:, 0], fields[:, 1]).mean()), float(distance.detach().mean())
    return {"zero_px": round(zero, 3), "one_batch_px": round(end, 3), "overfits": "yes" if end < 0.35 * zero else "no"}


def _burst_batch(size: int, motion: str, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """(frames (n, 5, y, x), clean middle frames (n, 1, y, x)) of pieces of a planet; dynamic: they drift."""
    rng = np.random.default_rng([seed, 7])
    sky = _sky(seed % 8)
    found = []
    for _ in range(count):
        top, left = rng.integers(60, 130 - size, 2) + 6
        step = rng.integers(-2, 3, 2) if motion == "dynamic" else np.zeros(2, int)
        corners = [(top + k * step[0], left + k * step[1]) for k in range(-2, 3)]
        found.append(np.stack([sky[y : y + size, x : x + size] for y, x in corners]))
    clean = np.stack(found)
    frames = clean + SIGMA * rng.standard_normal(clean.shape)
    return torch.from_numpy(frames.astype(np.float32)), torch.from_numpy(clean[:, 2:3].astype(np.float32))


_SKIES: dict[int, Image] = {}


def _sky(seed: int) -> Image:
    if seed not in _SKIES:
        _SKIES[seed] = ndimage.gaussian_filter(TARGETS["moon"](192, np.random.default_rng(seed)), 1.5)
        _SKIES[seed] /= _SKIES[seed].max()
    return _SKIES[seed]


def _fit_frames(net: nn.Module, chosen: Any, steps: int, frames: int, build: Any, clip: str) -> None:
    """Train a net that cleans the first of so many frames."""
    weights = list(chosen)
    optimiser = build(weights)
    for number in range(steps):
        given, clean = _burst_batch(32, "static", BATCH, number)
        answer = given[:, :1] + net(given[:, :frames], NO_CONDITIONS)
        loss = ((answer - clean) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        if clip == "value":
            nn.utils.clip_grad_value_(weights, 1.0)
        optimiser.step()


def _frames_psnr(net: nn.Module, frames: int) -> float:
    given, clean = _burst_batch(32, "static", 64, 10**6)
    if frames == 2:
        given = given.clone()
    with torch.no_grad():
        return _psnr(given[:, :1] + net(given[:, :frames], NO_CONDITIONS), clean)


def _psnr(answer: Tensor, clean: Tensor) -> float:
    return -10 * float(torch.log10(((answer - clean) ** 2).mean((1, 2, 3))).mean())


def _moved_batch(size: int, count: int) -> tuple[Tensor, Tensor]:
    """(frame and reference (n, 2, y, x), true field (n, 2, y, x)) with smooth random fields of 1 px."""
    rng = np.random.default_rng(0)
    frames, fields = [], []
    for _ in range(count):
        picture = ndimage.gaussian_filter(rng.standard_normal((size, size)), 1.5)
        picture /= picture.std()
        field = np.stack([ndimage.gaussian_filter(rng.standard_normal((size, size)), 6) for _ in range(2)])
        field *= 1.0 / field.std()
        grid_points = np.indices(picture.shape) + field
        frames.append(np.stack([picture, ndimage.map_coordinates(picture, grid_points, order=3, mode="nearest")]))
        fields.append(field)
    return torch.from_numpy(np.stack(frames).astype(np.float32)), torch.from_numpy(np.stack(fields).astype(np.float32))
