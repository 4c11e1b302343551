"""The adversarial recipe: a perceptual loss on features of our own, and a critic that learns to tell answers from truths."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tasks.learning.batches import Batch, Sampling, batch_at
from tasks.learning.pairs.base import Pairs
from tasks.numerics.networks.features import Critic, FeatureNet

FEATURE_STEPS, FEATURE_RATE = 120, 3e-3
"""Steps and rate in which the features are learned: from pictures, what they were simulated with."""
CRITIC_RATE = 0.01
"""Rate of the critic, plain gradient descent: its weights are all that a checkpoint needs."""
MEMORY = 0.98
"""Share of the last steps in the critic's running success."""
TOO_GOOD = 0.95
"""A critic that is right so often teaches nothing: it is left out from then on, and the card says so."""


@dataclass
class Adversary:
    """Features that stay as they are, a critic that learns, and how well it does."""

    features: FeatureNet
    critic: Critic
    perceptual: float
    adversarial: float
    right: float = 0.5
    """Running share of pictures that the critic judges rightly."""
    left_out_at: int | None = None
    """Step from which the critic was too good and is left out."""

    def loss(self, answer: Tensor, batch: Batch) -> Tensor:
        """What is added to the loss (n,): the distance of the features in dB, and the critic's displeasure."""
        mine, true = self.features.features(answer[:, :1]), self.features.features(batch.truth[:, :1])
        apart = torch.stack([((a - b) ** 2).mean((1, 2, 3)) for a, b in zip(mine, true, strict=True)])
        total: Tensor = self.perceptual * 10 * torch.log10(apart.mean(0) + 1e-7)
        if self.left_out_at is None:
            total = total - self.adversarial * self.critic(mine)
        return total

    def learn(self, answer: Tensor, batch: Batch, step: int) -> None:
        """One step of the critic with answers and truths (hinge loss)."""
        if self.left_out_at is not None:
            return
        mine, true = self.features.features(answer.detach()[:, :1]), self.features.features(batch.truth[:, :1])
        false_score, true_score = self.critic(mine), self.critic(true)
        loss = (nn.functional.relu(1 + false_score) + nn.functional.relu(1 - true_score)).mean()
        weights = list(self.critic.parameters())
        with torch.no_grad():
            for weight, slope in zip(weights, torch.autograd.grad(loss, weights), strict=True):
                weight.sub_(CRITIC_RATE * slope)
        now = float(torch.cat([(false_score < 0), (true_score > 0)]).float().mean())
        self.right = MEMORY * self.right + (1 - MEMORY) * now
        if self.right > TOO_GOOD:
            self.left_out_at = step

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Weights and facts for a checkpoint."""
        return copy.deepcopy(self.critic.state_dict()), {"right": self.right, "left_out_at": self.left_out_at}

    def go_back(self, weights: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """To a state of before."""
        self.critic.load_state_dict(weights)
        self.right, self.left_out_at = facts["right"], facts["left_out_at"]


def adversary(pairs: Pairs, sampling: Sampling, perceptual: float, adversarial: float, device: str) -> Adversary | None:
    """Features learned from the training examples, and a new critic; None where neither has a weight."""
    if not (perceptual or adversarial):
        return None
    with torch.random.fork_rng():
        torch.manual_seed(sampling.seed)
        return Adversary(learned_features(pairs, sampling).to(device), Critic().to(device), perceptual, adversarial)


def learned_features(pairs: Pairs, sampling: Sampling) -> FeatureNet:
    """A net that tells from given pictures and true ones with what they were simulated; frozen."""
    net = FeatureNet(pairs.conditions.shape[1] + 1)
    optimiser = torch.optim.Adam(net.parameters(), FEATURE_RATE)
    for step in range(FEATURE_STEPS):
        batch = batch_at(pairs, sampling, step)
        one = torch.ones(len(batch.conditions), 1)
        spoiled, true = net(batch.inputs[:, :1]), net(batch.truth[:, :1])
        loss = ((spoiled - torch.cat([batch.conditions, one], 1)) ** 2).mean() + ((true[:, -1:] + one) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return net.requires_grad_(False).eval()
