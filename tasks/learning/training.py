"""The steps of a training: shards, ladder and choice, fit, the sealed test; each a product of the store."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.section import Section
from configs.training import Examples, Training
from storage.errors import Hopeless
from storage.product import Product
from tasks.learning.adversary import adversary
from tasks.learning.batches import Sampling, whole
from tasks.learning.checkpoint import Keeper
from tasks.learning.choice import choose, ladder, rate_test
from tasks.learning.fit import PIECE, Fit, Task, run, verdict
from tasks.learning.gate import family_row, judge
from tasks.learning.pairs.base import Pairs, joined
from tasks.learning.pairs.table import lesson_of
from tasks.learning.products import Choice, Fitted, Judged, Shard
from tasks.learning.registry import net_with, new_net, weights_in
from tasks.running.step import Work, step

log = logging.getLogger("stillsky")
F32 = NDArray[np.float32]
PARTS = ("train", "validation", "test")
SEEDS_PER_PART, SEEDS_PER_FAMILY = 100_000_000, 1_000_000
"""Room for seeds: no two skies, and no two airs, of different parts or families share one."""


class ShardRequest(Section):
    """Which examples are simulated."""

    learned_step: str
    family: str
    part: str
    number: int
    """The sealed test set's number; 0 for the others."""


def first_seed(request: ShardRequest, seed: int) -> int:
    """The first seed of a shard."""
    families = (*lesson_of(request.learned_step).families, *lesson_of(request.learned_step).unseen)
    part, family = PARTS.index(request.part), families.index(request.family)
    return part * SEEDS_PER_PART + family * SEEDS_PER_FAMILY + (seed * 50 + request.number) * 1000


@step(version="4")
def simulate_shard(work: Work, request: ShardRequest, settings: Examples) -> None:
    """Simulate the examples of one family: a sky and an air of their own for each seed."""
    lesson, count = lesson_of(request.learned_step), settings.skies if request.part == "train" else settings.test_skies
    first, parts = first_seed(request, settings.seed), []
    if request.part == "test":
        air = settings.air.model_copy(update={"noise": settings.air.test_noise})
        settings = settings.model_copy(update={"air": air})
    for number in range(count):
        parts.append(lesson.simulate(request.family, (first + number, first + number + SEEDS_PER_PART * 5), settings))
        work.progress(number + 1, count)
    pairs = joined(parts)
    work.save(Shard(**vars(pairs), family=request.family, part=request.part))


@step(version="1")
def choose_rate(
    work: Work, learned_step: str, train: tuple[Product, ...], validation: tuple[Product, ...], settings: Training
) -> None:
    """Climb the ladder, try learning rates, and choose one by k-fold."""
    task = _task(work, learned_step, train, validation, settings)
    rungs = ladder(lambda: new_net(learned_step, settings.width, settings.seed).to(work.device), task)
    work.progress(1, 3)
    tried = rate_test(lambda: new_net(learned_step, settings.width, settings.seed).to(work.device), task)
    work.progress(2, 3)
    rate, folds = choose(lambda: new_net(learned_step, settings.width, settings.seed).to(work.device), task)
    work.save(Choice(rate=rate, rungs=rungs, folds=folds, rate_test=tried))


@step(version="2")
def fit_net(
    work: Work,
    learned_step: str,
    train: tuple[Product, ...],
    validation: tuple[Product, ...],
    choice: Product,
    settings: Training,
) -> None:
    """Fit a net; a killed process goes on at the last checkpoint and ends with the same bits."""
    task = _task(work, learned_step, train, validation, settings)
    with work.open(Choice, choice) as chosen:
        rate = chosen.rate
    net = new_net(learned_step, settings.width, settings.seed).to(work.device)
    critics = adversary(task.train, task.sampling, settings.perceptual, settings.adversarial, work.device)
    task = replace(task, adversary=critics)
    keeper = Keeper(work.store.parts(work.product) / "checkpoint.safetensors")
    fit = run(Fit(net, task, rate, settings.steps), keeper, work.progress)
    if fit.best is None:
        raise Hopeless(f"the fit of {learned_step} was never validated: steps = {settings.steps}")
    net.load_state_dict(fit.best[1])
    work.save(
        Fitted(
            weights=np.frombuffer(weights_in(net.cpu()), np.uint8),
            curve=fit.curve,
            events=fit.guard.events,
            clip_share=fit.clipped / max(fit.step, 1),
            verdict=verdict(fit),
            critic=critics.state()[1] if critics else {},
        )
    )


@step(version="2")
def judge_net(work: Work, learned_step: str, fitted: Product, shards: tuple[Product, ...], settings: Training) -> None:
    """Open the sealed test set and compare the learned with the classical answers, family by family."""
    lesson = lesson_of(learned_step)
    with work.open(Fitted, fitted) as trained:
        net = net_with(learned_step, settings.width, trained.weights[:].tobytes())
    rows, figures, samples, sets = [], {}, [], []
    for number, shard in enumerate(shards):
        with work.open(Shard, shard) as opened:
            family, pairs = opened.family, pairs_of(opened)
        answers = answers_of(net, pairs)
        sets.append(pairs)
        figures[family] = lesson.judged(pairs, answers)
        rows.append(family_row(family, figures[family], family in lesson.families))
        samples.append(np.stack([pairs.inputs[0, 0], pairs.classical[0, 0], answers[0, 0], pairs.truth[0, 0]]))
        work.progress(number + 1, len(shards))
    gate = judge(lesson, figures)
    domain = domain_of(learned_step, joined(sets))
    work.save(Judged(table=rows, gate=gate, domain=domain, sample=np.stack(samples), families=list(figures)))


def domain_of(learned_step: str, pairs: Pairs) -> dict[str, list[float]]:
    """The range of each figure that a model was tested in, and may be used in."""
    figures = lesson_of(learned_step).domain(pairs)
    return {name: [float(values.min()), float(values.max())] for name, values in figures.items()}


def pairs_of(shard: Shard) -> Pairs:
    """The examples of an open shard."""
    names = ("inputs", "classical", "truth", "weight", "conditions", "facts", "seeds")
    return Pairs(*(getattr(shard, name)[:] for name in names))


def answers_of(net: Any, pairs: Pairs) -> F32:
    """A net's answers to all examples."""
    import torch

    found = []
    for start in range(0, len(pairs), PIECE):
        part = whole(pairs.at(slice(start, start + PIECE)))
        with torch.no_grad():
            found.append(net(part.inputs, part.classical, part.conditions).numpy())
    return np.concatenate(found)


def check_split(train: Pairs, validation: Pairs) -> None:
    """No sky and no air of the one may be in the other."""
    for column, name in enumerate(("sky", "air")):
        shared = np.intersect1d(train.seeds[:, column], validation.seeds[:, column])
        if shared.size:
            raise Hopeless(f"training and validation share the {name} of seed {shared[0]}: split by other seeds")


def _task(
    work: Work, learned_step: str, train: tuple[Product, ...], validation: tuple[Product, ...], settings: Training
) -> Task:
    lesson, sets = lesson_of(learned_step), []
    for shards in (train, validation):
        parts = []
        for shard in shards:
            with work.open(Shard, shard) as opened:
                if opened.part == "test":
                    raise Hopeless("a sealed test set cannot be trained on: give shards of train and validation")
                parts.append(pairs_of(opened))
        sets.append(joined(parts))
    check_split(*sets)
    sampling = Sampling(settings.batch, settings.crop_px, settings.seed, settings.augment, lesson.vectors)
    return Task(sets[0], sets[1], lesson.loss, settings, sampling, work.device, lesson.unit)
