"""`stillsky restore`: one capture, restored under an own Prefect server unless there is one to join."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.options import CONFIG, DASK, DEVICE, PROFILE, SET, STORE, Duration, FolderPath
from flows.cli.progress import Progress, echo_verdict, progress_bars

if TYPE_CHECKING:
    from configs.request import CaptureRequest


@click.command("restore", short_help="Restore one capture.")
@click.argument("capture", type=click.Path(path_type=Path))
@click.option("--out", type=FolderPath(), required=True, help="Folder for the results.")
@CONFIG
@PROFILE
@SET
@DEVICE
@DASK
@STORE
@click.option("--quick", is_flag=True, help="A preview: the 64 luckiest frames in few steps; the full run replaces it.")
@click.option("--budget", "budget_s", type=Duration(), help="Longest time, e.g. 20m: the luckiest frames that fit.")
@click.option("--fresh", is_flag=True, help="Forget what the store holds of this capture and do everything again.")
def restore_command(**options: Any) -> None:
    """Restore one CAPTURE (a video, a FITS cube, a folder of frames) to a still, sharp sky."""
    from configs.request import CaptureRequest

    with progress_bars() as progress:
        report = restore(CaptureRequest(**options), progress)
    echo_verdict(report, options["out"])


def restore(request: "CaptureRequest", progress: Progress | None = None) -> dict[str, Any]:
    """Restore one capture; leaves its files in the output folder, returns the report."""
    from flows.server import embedded

    request = request.anchored(Path.cwd())
    from storage.captures.night import capture_settings, check_is_capture
    from storage.results.published import check_folder
    from storage.store import Store

    capture_settings(request)  # a misspelt setting is refused before anything starts
    check_is_capture(request.capture)
    store = Store(request.store or embedded.default_store())
    store.sweep()
    if request.out is not None:
        check_folder(request.out)
    with embedded.recording(store.root) as ended:
        from flows.capture import capture, progress_to

        embedded.wait_for_server(ended)
        from flows.forecast import forecast_to

        with contextlib.ExitStack() as listening:
            if progress is not None:
                listening.enter_context(progress_to(progress))
                listening.enter_context(forecast_to(progress.begin))
            return capture(request.model_copy(update={"store": store.root}))
