"""Adam (Kingma and Ba 2015): gradient steps in units of the gradient's own running size."""

import math

from torch import Tensor

DECAY = (0.9, 0.99)
"""Per step, of the running mean of the gradient and of its square."""


def adam_step(gradient: Tensor, first: Tensor, second: Tensor, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """(running mean, running mean square, direction) after a gradient; subtract the direction times the step size.

    `first` and `second` are the running means before it, zero at `step` 0.
    """
    first = DECAY[0] * first + (1 - DECAY[0]) * gradient
    second = DECAY[1] * second + (1 - DECAY[1]) * gradient**2
    done = step + 1
    direction = (first / (1 - DECAY[0] ** done)) / ((second / (1 - DECAY[1] ** done)).sqrt() + 1e-12)
    return first, second, direction


def cosine_rate(rate: float, step: int, steps: int) -> float:
    """Step size at `step` of `steps`: falls from `rate` to zero as half a cosine."""
    return rate * 0.5 * (1 + math.cos(math.pi * step / steps))
