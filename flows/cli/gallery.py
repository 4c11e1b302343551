"""`stillsky gallery`: one page over every result in a folder and below, to be opened from the disk."""

from pathlib import Path

import click

from flows.cli.options import FolderPath


@click.command("gallery", short_help="Write a page over all results in a folder.")
@click.argument("folder", type=FolderPath(exists=True), default=".")
def gallery_command(folder: Path) -> None:
    """Write index.html over all results in FOLDER [.] and below: small pictures, filters, the seeing over the nights.

    Every night writes one into its own folder of results; this makes one over many nights.
    """
    from tasks.reporting.gallery import INDEX, write_gallery

    count = write_gallery(folder)
    click.echo(f"{count} {'result' if count == 1 else 'results'}; {folder / INDEX}")
