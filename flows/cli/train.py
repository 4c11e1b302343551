"""The command `stillsky train`: a learned answer is trained on simulated captures and kept if it beats the classical one."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.options import DEVICE, MODELS, STORE
from flows.cli.progress import Progress, progress_bars

if TYPE_CHECKING:
    from configs.training import TrainRequest

NOT_PROMOTED = 3
"""Exit code: the training went through, but the model did not pass its gate."""


@click.command("train", short_help="Train the learned answer of a step.")
@click.argument("step", type=click.Choice(["fill", "dewarp", "burst", "enhance"]))
@click.option("--profile", type=click.Choice(["cpu", "gpu"]), default="cpu", show_default=True, help="Size of the net.")
@click.option(
    "--recipe",
    type=click.Choice(["conditioned", "fast", "full", "adversarial"]),
    default="conditioned",
    show_default=True,
    help="Of enhance: a smaller net, a larger one, or one that a critic judges, too.",
)
@click.option(
    "--for",
    "observatory",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Your settings (TOML) with the telescope [telescopes of all kinds].",
)
@click.option("--reseal", is_flag=True, help="Test on skies that no training has seen.")
@MODELS
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="One setting of the training; repeatable.")
@DEVICE
@STORE
def train_command(**options: Any) -> None:
    """Train the learned answer of STEP; it is promoted only if it beats the classical answer on skies it never saw."""
    from configs.training import TrainRequest

    with progress_bars() as progress:
        card = train(TrainRequest(**options), progress)
    for line in summary(card):
        click.echo(line)
    if not card["gate"]["passed"]:
        raise click.exceptions.Exit(NOT_PROMOTED)


def train(request: "TrainRequest", progress: Progress | None = None) -> dict[str, Any]:
    """Train under a Prefect server; returns the card of the model."""
    from configs.training import training_settings
    from flows.server import embedded

    training_settings(request)  # a wrong setting is refused before anything starts
    from storage.store import Store
    from tasks.learning.registry import MISSING_LIBRARY, can_load

    if not can_load():
        raise click.ClickException(MISSING_LIBRARY)
    store = Store(request.store or embedded.default_store())
    store.sweep()
    with embedded.recording(store.root) as ended:
        from flows.train import progress_to
        from flows.train import train as flow

        embedded.wait_for_server(ended)
        with progress_to(progress):
            return flow(request.model_copy(update={"store": store.root}))


def summary(card: dict[str, Any]) -> list[str]:
    """The gate's table and verdict as lines of text."""
    lines = [f"{card['step']}/{card['hash']}: {card['stage']}"]
    for row in card["table"]:
        unseen = "" if row["trained_on"] else ", never trained on"
        lines.append(
            f"  {row['family']:10} gain {row['gain']:+.2f}, better on {row['wins']:.0%} of {row['examples']}{unseen}"
        )
    return [*lines, *(f"  gate: {reason}" for reason in card["gate"]["failed"])]
