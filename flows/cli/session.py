"""`stillsky session`: captures of one turning planet as one sky, under an own Prefect server unless there is one to join."""

from pathlib import Path
from typing import Any

import click

from flows.cli.options import FolderPath, restoring
from flows.cli.progress import Progress, echo_verdict, progress_bars
from flows.cli.recorded import recorded


@click.command("session", short_help="Restore a turning planet's captures as one sky.")
@click.argument("captures", metavar="CAPTURE...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=FolderPath(), required=True, help="Folder for the results.")
@restoring
def session_command(captures: tuple[Path, ...], **options: Any) -> None:
    """Restore CAPTUREs of Jupiter, Saturn or Mars, undo the rotation between them, and make one sky of all.

    Two or more videos, or one folder that holds them; through red, green and blue filters in turns they make a colour sky.
    `stillsky night` does the same by itself. The captures' own results are in the folder `parts` inside --out.
    """
    with progress_bars() as progress:
        report = restore_session(captures, options, progress)
    echo_verdict(report, options["out"])


def restore_session(captures: tuple[Path, ...], options: dict[str, Any], progress: Progress | None) -> dict[str, Any]:
    """Restore the captures of a session and merge them; leaves their files in the output folder, returns the report."""
    from configs.request import CaptureRequest
    from configs.session_request import SessionRequest
    from storage.captures.night import folder_name
    from storage.captures.sessions import session_of

    here = Path.cwd()
    group = session_of([here / path for path in captures], skip=[here / options["out"]])
    out = here / options["out"]
    parts = [
        CaptureRequest(capture=each.path, **options | {"out": out / "parts" / folder_name(each.path)}).anchored(here)
        for each in group.parts
    ]
    request = SessionRequest(
        name=group.name, planet=group.planet, parts=tuple(parts), slots=group.slots, out=out, store=parts[0].store
    )
    return recorded(request, request.parts, _session, progress)


def _session() -> Any:
    from flows.sessions import session

    return session
