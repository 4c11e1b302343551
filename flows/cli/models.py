"""`stillsky models ls, show, promote, retire`: the trained models and which of them are used."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.cli.options import MODELS

if TYPE_CHECKING:
    from storage.models import Stage


@click.group("models", short_help="List, promote and retire trained models.")
def models_group() -> None:
    """Look at the trained models, promote and retire them."""


@models_group.command("ls")
@MODELS
def ls_command(models: Path | None) -> None:
    """Every model: step, hash, stage, when it was trained, and its smallest gain over the classical answer."""
    from storage import models as registry

    found = registry.models(models)
    for model in found:
        gains = [row["gain"] for row in model.card.get("table", [])]
        least = f"gain at least {min(gains):+.2f}" if gains else "no gate"
        made = datetime.fromtimestamp(model.card.get("made_s", 0), UTC).date()
        click.echo(f"{model.step:8} {model.hash}  {model.stage:12} {made}  {least}")
    if not found:
        click.echo("there are no models; stillsky train STEP makes one")


@models_group.command("show")
@click.argument("name")
@MODELS
def show_command(name: str, models: Path | None) -> None:
    """The card of the model whose hash, or step/hash, begins with NAME."""
    from storage.models import find_model

    model = find_model(name, models)
    click.echo(json.dumps({"hash": model.hash, "stage": model.stage, **model.card}, indent=1, sort_keys=True))


@models_group.command("promote")
@click.argument("name")
@MODELS
def promote_command(name: str, models: Path | None) -> None:
    """Let a model be used; one that did not pass its gate is refused."""
    _put_on("promoted", name, models)


@models_group.command("retire")
@click.argument("name")
@MODELS
def retire_command(name: str, models: Path | None) -> None:
    """Use a model no more; its files stay."""
    _put_on("retired", name, models)


def _put_on(stage: "Stage", name: str, models: Path | None) -> None:
    from storage.models import find_model, set_stage

    model = set_stage(find_model(name, models), stage, models)
    click.echo(f"{model.step}/{model.hash}: {model.stage}")
