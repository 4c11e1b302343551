"""Registered frames lie on the stack and are as bright."""

from typing import Any

import numpy as np

from tasks.products.clean_frames import open_clean_frames
from tasks.products.contents import Stack
from tasks.products.registered import Registered, around_the_sharpest
from tasks.running.step import Work


def test_frames_lie_on_the_stack(spoiled: Any) -> None:
    work = Work(spoiled.run, spoiled.stack, {}, "test")
    with open_clean_frames(work, spoiled.clean) as clean, work.open(Stack, spoiled.stack) as stack:
        numbers = around_the_sharpest(stack, 9)
        frames = Registered(clean, stack).frames(numbers)
        inner = (slice(10, -10), slice(10, -10))
        for frame in frames[:, 0]:
            assert np.corrcoef(frame[inner].ravel(), stack.stack[0][inner].ravel())[0, 1] > 0.9
        light = frames[:, 0].sum((-2, -1))
        assert light.std() < 0.05 * light.mean(), "clouds are taken out"


def test_only_usable_frames_around_the_sharpest(spoiled: Any) -> None:
    with spoiled.store.view(Stack, spoiled.stack) as stack:
        numbers = around_the_sharpest(stack, 7)
        assert len(numbers) == 7
        assert (np.diff(numbers) > 0).all()
        assert not stack.flags[:][numbers].any()
        assert stack.order[0] in numbers
        assert len(around_the_sharpest(stack, 10_000)) == int((stack.flags[:] == 0).sum())
