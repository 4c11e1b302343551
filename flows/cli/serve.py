"""The command line of `stillsky serve`."""

from pathlib import Path
from typing import Any

import click

from flows.cli.options import CONFIG, DASK, DEVICE, PROFILE, SET, STORE


@click.command()
@click.option("--inbox", type=click.Path(path_type=Path, file_okay=False), help="Folder watched for finished captures.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for results [INBOX/restored].")
@click.option("--cron", default="0 8 * * *", show_default=True, help="When the night run starts; '' is never.")
@click.option("--timezone", help="Of the cron, e.g. Europe/Berlin [this machine's].")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=4200, show_default=True, help="0 is any free one.")
@click.option("--database", metavar="URL", help="Prefect's database [SQLite in the store].")
@click.option("--at-once", type=click.IntRange(1, 64), default=2, show_default=True, help="Runs under way at a time.")
@click.option("--name", default="stillsky", show_default=True, help="Of the deployments; one per machine on a server.")
@CONFIG
@PROFILE
@SET
@DEVICE
@DASK
@STORE
def serve(**given: Any) -> None:
    """Restore captures as they come in, and every night's, with a web page (Prefect) to watch, start and cancel."""
    from pydantic import ValidationError

    from configs.load import BadConfig
    from configs.request import ServeRequest
    from flows.service.serve import serve as run

    try:
        request = ServeRequest(**given)
    except ValidationError as error:
        raise BadConfig("; ".join(f"--{e['loc'][0]}: {e['msg']}" for e in error.errors())) from None
    run(request, lambda line: click.echo(line))
