"""`stillsky serve`: the service that restores captures as they come in."""

from typing import Any

import click

from flows.cli.options import FolderPath, restoring


@click.command("serve", short_help="Restore captures as they come in, with a web page.")
@click.option("--inbox", type=FolderPath(), help="Folder watched for finished captures.")
@click.option("--out", type=FolderPath(), help="Folder for results [INBOX/restored].")
@click.option("--cron", default="0 8 * * *", show_default=True, help="When the night run starts; '' is never.")
@click.option("--timezone", help="Of the cron, e.g. Europe/Berlin [this machine's].")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--auth", type=click.Choice(["password", "none"]), default="password", show_default=True, help="Asked of clients."
)
@click.option("--server-name", multiple=True, metavar="NAME", help="Another name browsers use, e.g. of a proxy.")
@click.option("--allow", multiple=True, type=FolderPath(), help="Another folder requests may use; may be repeated.")
@click.option("--port", type=click.IntRange(0, 65535), default=4200, show_default=True, help="0 is any free one.")
@click.option("--database", metavar="URL", help="Prefect's database [SQLite in the store].")
@click.option("--at-once", type=click.IntRange(1, 64), default=2, show_default=True, help="Runs under way at a time.")
@click.option("--name", default="stillsky", show_default=True, help="Of the deployments; one per machine on a server.")
@restoring
def serve_command(**options: Any) -> None:
    """Restore captures as they come in, and every night's, with a web page (Prefect) to watch, start and cancel."""
    from pydantic import ValidationError

    from configs.load import BadConfig
    from configs.request import ServeRequest
    from flows.service.serve import serve

    try:
        request = ServeRequest(**options)
    except ValidationError as error:
        raise BadConfig("; ".join(f"--{e['loc'][0]}: {e['msg']}" for e in error.errors())) from None
    serve(request, click.echo)
