"""What the steps of a training leave in the store: shards of pairs, the choice, the fitted weights, the verdict."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from storage.declared import F32, I64, U8, Array, Content, Value


@dataclass(frozen=True)
class Shard(Content):
    """Simulated examples of one family of targets."""

    step: ClassVar[str] = "simulate_shard"

    inputs: Annotated[F32, Array("example, input, y, x", "", "What the net is given, in its own light.")]
    classical: Annotated[F32, Array("example, output, y, x", "", "The classical answer.")]
    truth: Annotated[F32, Array("example, output, y, x", "", "The true answer.")]
    weight: Annotated[F32, Array("example, one, y, x", "", "1 where the answer counts.")]
    conditions: Annotated[F32, Array("example, condition", "", "Numbers that the net is told.")]
    facts: Annotated[F32, Array("example, fact", "", "What judging needs besides.")]
    seeds: Annotated[I64, Array("example, sky air", "", "Seed of the sky and of the air.")]
    family: Annotated[str, Value("", "Kind of target.")]
    part: Annotated[str, Value("", "train, validation or test.")]


@dataclass(frozen=True)
class Choice(Content):
    """Rungs of the ladder, test of the rates, k-fold, and the rate that was chosen."""

    step: ClassVar[str] = "choose_rate"

    rate: Annotated[float, Value("", "Learning rate, relative change of a weight per step.")]
    rungs: Annotated[dict[str, Any], Value("", "What each rung of the ladder gained over the classical answer.")]
    folds: Annotated[list[dict[str, Any]], Value("", "Gain of each rate, mean and standard deviation over the folds.")]
    rate_test: Annotated[list[dict[str, Any]], Value("", "Loss while the rate rises from step to step.")]


@dataclass(frozen=True)
class Fitted(Content):
    """A trained net."""

    step: ClassVar[str] = "fit_net"

    weights: Annotated[U8, Array("byte", "", "A safetensors file: the weights of the best validation.")]
    curve: Annotated[list[dict[str, Any]], Value("", "Gain over the classical answer in training and validation.")]
    events: Annotated[list[dict[str, Any]], Value("", "Reverts and what caused them.")]
    clip_share: Annotated[float, Value("fraction", "Steps whose gradient was clipped.")]
    verdict: Annotated[str, Value("", "fits, underfits, overfits or stuck.")]
    critic: Annotated[dict[str, Any], Value("", "Success of the critic, and from which step it was left out.")]


@dataclass(frozen=True)
class Judged(Content):
    """The sealed test set, opened."""

    step: ClassVar[str] = "judge_net"

    table: Annotated[list[dict[str, Any]], Value("", "Figures of each family of targets.")]
    gate: Annotated[dict[str, Any], Value("", "Did it pass, and what failed.")]
    domain: Annotated[dict[str, list[float]], Value("", "Range of each figure in which the examples lie.")]
    sample: Annotated[
        F32, Array("family, picture, y, x", "", "Input, classical, learned answer and truth of one each.")
    ]
    families: Annotated[list[str], Value("", "Families of the samples.")]
