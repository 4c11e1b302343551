"""`stillsky restore`: one capture, restored under an own Prefect server unless there is one to join."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.options import WINJUPOS, Duration, FolderPath, restoring
from flows.cli.progress import Progress, echo_verdict, progress_bars
from flows.cli.recorded import recorded

if TYPE_CHECKING:
    from configs.request import CaptureRequest, ColourRequest


@click.command("restore", short_help="Restore one capture, or those of one colour sky.")
@click.argument("captures", metavar="CAPTURE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=FolderPath(), required=True, help="Folder for the results.")
@restoring
@WINJUPOS
@click.option("--quick", is_flag=True, help="A preview: the 64 luckiest frames in few steps; the full run replaces it.")
@click.option("--budget", "budget_s", type=Duration(), help="Longest time, e.g. 20m: the luckiest frames that fit.")
@click.option("--fresh", is_flag=True, help="Forget what the store holds of this capture and do everything again.")
def restore_command(captures: tuple[Path, ...], **options: Any) -> None:
    """Restore one CAPTURE (a video, a FITS cube, a folder of frames) to a still, sharp sky.

    Three or four mono captures through filters (red, green, blue, and luminance) become one colour sky: their names (Jup_R.ser)
    or logs say which is which, else their order. The parts' own results are in the folder `parts` inside it.
    """
    from configs.request import CaptureRequest

    with progress_bars() as progress:
        if len(captures) == 1:
            report = restore(CaptureRequest(capture=captures[0], **options), progress)
        else:
            report = restore_colours(captures, options, progress)
    echo_verdict(report, options["out"])


def restore_colours(captures: tuple[Path, ...], options: dict[str, Any], progress: Progress | None) -> dict[str, Any]:
    """Restore captures through filters, and combine them; leaves their files in the output folder, returns the report."""
    from configs.request import CaptureRequest, ColourRequest
    from storage.captures.colour_groups import group_of
    from storage.captures.night import capture_settings, check_is_capture

    out, here = Path.cwd() / options["out"], Path.cwd()
    paths = [here / path for path in captures]
    for path in paths:
        check_is_capture(path)
    colour = capture_settings(CaptureRequest(capture=paths[0], **options).anchored(here)).colour
    parts = []
    group = group_of(paths, colour)
    for filter_, recording in group.parts.items():
        own = {"capture": recording.path, "filter": filter_, "out": out / "parts" / filter_}
        parts.append(CaptureRequest(**options | own).anchored(here))
    same = {"store": options["store"], "winjupos": options["winjupos"]}
    return restore(ColourRequest(name=group.name, parts=tuple(parts), out=out, **same), progress)


def restore(request: "CaptureRequest | ColourRequest", progress: Progress | None = None) -> dict[str, Any]:
    """Restore one capture, or those of one colour sky; leaves its files in the output folder, returns the report."""
    from configs.request import ColourRequest

    request = request.anchored(Path.cwd())
    if isinstance(request, ColourRequest):
        return recorded(request, request.parts, _colours, progress)
    return recorded(request, (request,), _capture, progress)


def _colours() -> Any:
    from flows.colours import colours

    return colours


def _capture() -> Any:
    from flows.capture import capture

    return capture
