"""The command line: thin commands over flows/, each importing what it needs when it runs, for Prefect costs seconds."""

import sys
from types import TracebackType
from typing import Any

import click

from flows.cli.bench import bench_command
from flows.cli.demo import demo_command
from flows.cli.doctor import doctor_command
from flows.cli.finish import finish_command
from flows.cli.gallery import gallery_command
from flows.cli.init import init_command
from flows.cli.models import models_group
from flows.cli.night import night_command
from flows.cli.restore import restore_command
from flows.cli.serve import serve_command
from flows.cli.session import session_command
from flows.cli.simulate import simulate_command
from flows.cli.store import store_group
from flows.cli.study import study_command
from flows.cli.train import train_command

FAILED, BAD_USE, INTERRUPTED = 1, 2, 130
"""Exit codes: the work failed; the request cannot be understood; Ctrl-C."""


class ErrorReportingGroup(click.Group):
    """A group whose commands answer every error stillsky knows with a sentence and an exit code, not a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they were added: what is used most comes first."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; the classes of the errors are imported only when there is one."""
        _silence_repeated_disk_errors()
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            click.echo("stillsky: stopped; the same command goes on from here", err=True)
            sys.exit(INTERRUPTED)
        except Exception as error:
            from configs.load import BadConfig
            from storage.errors import StillskyError

            if not isinstance(error, BadConfig | StillskyError):
                raise
            click.echo(f"stillsky: {error}", err=True)
            sys.exit(BAD_USE if isinstance(error, BadConfig) else FAILED)


@click.group(
    cls=ErrorReportingGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(package_name="stillsky", prog_name="stillsky")
def main() -> None:
    """Turn a night's shaky telescope videos into still, sharp skies, unattended."""


for _command in (
    restore_command,
    night_command,
    serve_command,
    session_command,
    finish_command,
    gallery_command,
    init_command,
    demo_command,
    doctor_command,
    store_group,
    simulate_command,
    bench_command,
    models_group,
    train_command,
    study_command,
):
    main.add_command(_command)


def _silence_repeated_disk_errors() -> None:
    """HDF5 objects of a file that a full disk refused raise again when they are freed; the first error was reported."""
    excepthook, unraisablehook = sys.excepthook, sys.unraisablehook

    def repeated(trace: TracebackType | None) -> bool:
        return trace is not None and trace.tb_frame.f_code.co_name.endswith("ObjectID._dealloc")

    sys.excepthook = lambda kind, error, trace: None if repeated(trace) else excepthook(kind, error, trace)
    sys.unraisablehook = lambda args: None if repeated(args.exc_traceback) else unraisablehook(args)


if __name__ == "__main__":
    main()
