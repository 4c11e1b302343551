"""Which model a learned step uses, and its net with the weights in; only safetensors are ever loaded."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import nn

from storage.errors import Hopeless
from storage.models import Model, models, weights_of
from tasks.numerics.networks.burst import BurstNet
from tasks.numerics.networks.dewarp import DewarpNet
from tasks.numerics.networks.enhance import EnhanceNet
from tasks.numerics.networks.fill import FillNet

NETS: dict[str, type[nn.Module]] = {
    "fill": FillNet,
    "dewarp": DewarpNet,
    "burst": BurstNet,
    "enhance": EnhanceNet,
}
"""Step: its net, a function of inputs, classical answer and conditions."""
MISSING_LIBRARY = "safetensors is not installed; pip install 'stillsky[learned]' for the learned answers"


def can_load() -> bool:
    """Is the library that reads weights there?"""
    return importlib.util.find_spec("safetensors") is not None


def best_model(step: str, root: Path | None = None) -> Model | None:
    """The newest promoted model of a step, the user's before those that come with stillsky; None: the classical answer."""
    if not can_load():
        return None
    return next((m for m in models(root) if m.step == step and m.stage == "promoted"), None)


def why_none(step: str) -> str:
    """Why `best_model` has none."""
    return f"no promoted model of {step}" if can_load() else MISSING_LIBRARY


def load(model: Model) -> nn.Module:
    """The net of a model, ready to be run; a file that is not exactly this net's is refused."""
    if not can_load():
        raise Hopeless(MISSING_LIBRARY)
    return net_with(model.step, int(model.card.get("width", 16)), weights_of(model))


def net_with(step: str, width: int, weights: bytes) -> nn.Module:
    """A net with these weights (the bytes of a safetensors file), every name and shape checked."""
    import safetensors
    from safetensors.torch import load as read_weights

    net = new_net(step, width)
    try:
        net.load_state_dict(read_weights(weights), strict=True)
    except (safetensors.SafetensorError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise Hopeless(f"the weights do not fit the net of {step} ({width} wide): {reason}. Train it anew") from None
    return net.eval()


def new_net(step: str, width: int, seed: int = 0) -> nn.Module:
    """A net that adds nothing to the classical answer yet; its other weights follow from the seed."""
    if step not in NETS:
        raise Hopeless(f"there is no learned step {step!r}; known: {', '.join(NETS)}")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return NETS[step](width)


def weights_in(net: nn.Module) -> bytes:
    """The bytes of a safetensors file with the weights of a net."""
    from safetensors.torch import save

    return save({name: value.detach().contiguous() for name, value in net.state_dict().items()})
