"""Artifacts of a run in the Prefect UI: progress inside long steps, the sky of every round, before and after at the end."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.logging import get_run_logger
from prefect.runtime import flow_run, task_run
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from configs.schema import Config
from flows.ui.markdown import code, figure, how_far, picture, slug, table, text
from flows.ui.report_links import address, gallery_address
from storage.captures.capture import Capture
from storage.product import Product
from storage.store import Store
from tasks.reporting.figures import figures
from tasks.reporting.round_summary import before_and_after, round_picture, rounds_so_far
from tasks.running.step import Work

MIN_STEP_S = 3.0
"""A step that is done sooner gets no progress bar."""
UPDATE_S = 2.0
"""Least time between two updates of a bar."""
CLIENT_TIMEOUT_S = 5.0
"""Longest wait for the server to take an artifact; after one failure the run goes on without."""

CHANNELS = {1: ("light",), 3: ("red", "green", "blue")}
"""Names of the channels of a capture with so many."""
TRUTH = {"psnr_db": "PSNR, dB", "ssim": "SSIM", "frc_cutoff_cpp": "agrees to, cycles/px"}
"""The same of a comparison with the truth."""

REPORTS = {"The whole report": "report.html", "the same for programs": "report.json"}
"""Where more is to be read; browsers follow no link from the UI to a file, so the path is there to be copied, too."""


@dataclass
class ProgressBar:
    """Progress of the step that runs now."""

    key: str
    begun: float
    updated: float = 0.0
    """When it was last sent to the server."""
    artifact: UUID | None = None


class ProgressArtifacts:
    """Progress bars of long steps. What the server does not take is logged and left out: no run fails for it."""

    def __init__(self, key: str) -> None:
        self.key = key
        """How the names of the artifacts begin."""
        self.bar: ProgressBar | None = None
        self.disabled = False
        self.tries: Counter[str] = Counter()
        """How often each step was begun."""

    def with_artifacts(self, work: Work, make: Callable[[], None]) -> Callable[[], None]:
        """`make` with a progress bar, and with what is shown of a product once it is made."""

        def make_with_artifacts() -> None:
            self.tries[work.label] += 1
            missing = not work.store.has(work.product)
            self.bar = ProgressBar(f"{self.key}-{slug(work.label)}", time.monotonic())
            try:
                make()
                self._try(lambda: self._complete_bar(work.label))
                if missing:
                    self._try(lambda: self._show(work))
            finally:
                self.bar = None

        return make_with_artifacts

    def _show(self, work: Work) -> None:
        """What else is shown of a product that was just made: nothing."""

    @property
    def retried(self) -> dict[str, int]:
        """Steps that were begun more than once, and how often."""
        return {label: count for label, count in self.tries.items() if count > 1}

    def update_progress(self, label: str, done: float, total: int) -> None:
        """Called by the steps: a bar for what takes long, updated at most every two seconds."""
        bar, now = self.bar, time.monotonic()
        if bar is not None and done < total and now - bar.begun >= MIN_STEP_S and now - bar.updated >= UPDATE_S:
            bar.updated = now
            description = how_far(label, done, total, now - bar.begun)
            self._try(lambda: self._update_bar(bar, 100 * done / total, description))

    def _update_bar(self, bar: ProgressBar, percent: float, description: str) -> None:
        if bar.artifact is None:
            bar.artifact = self._create("progress", bar.key, description, percent)
        else:
            with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}), _client() as client:
                client.update_artifact(bar.artifact, ArtifactUpdate(data=percent, description=description))

    def _complete_bar(self, label: str) -> None:
        if self.bar is not None and self.bar.artifact is not None:
            self._update_bar(self.bar, 100.0, f"{label}: done in {time.monotonic() - self.bar.begun:.1f} s")

    def _create(self, kind: str, key: str, description: str, data: Any) -> UUID:
        artifact = ArtifactCreate(type=kind, key=key, description=description, data=data)
        artifact.flow_run_id = UUID(flow_run.id)
        artifact.task_run_id = UUID(task_run.id) if task_run.id else None
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}), _client() as client:
            return client.create_artifact(artifact).id

    def _try(self, create: Callable[[], object]) -> None:
        """Create an artifact; after one failure create none for the rest of the run, which goes on."""
        if self.disabled:
            return
        try:
            create()
        except Exception as error:
            self.disabled = True
            get_run_logger().warning("the UI misses pictures and progress of this run: %s", error)


class RunArtifacts(ProgressArtifacts):
    """The artifacts of one run: progress, the sky of every round, before and after at the end."""

    def __init__(self, capture: Capture, config: Config) -> None:
        super().__init__(f"{slug(capture.name)}-{capture.fingerprint[:8]}")
        self.name = capture.name
        self.config = config

    def publish_result(self, store: Store, result: Product, report: dict[str, Any], out: Path) -> None:
        """Before and after, the verdict, the metrics, and where everything is."""
        self._try(lambda: self._publish_result(store, result, report, out))

    def _show(self, work: Work) -> None:
        if work.product.step == "solve_sky":
            self._create_round(work)

    def _create_round(self, work: Work) -> None:
        rows = rounds_so_far(work.store, work.product, self.config.sky_telescope)
        parts = [
            f"# {text(self.name)}: {text(work.label)}",
            picture(round_picture(work.store, work.product, self.config.evaluate.stretch), "the sky after this round"),
            table([{name: figure(value) for name, value in row.items()} for row in rows]),
        ]
        self._create("markdown", f"{self.key}-round-{len(rows)}", f"Sky of {text(work.label)}", "\n\n".join(parts))

    def _publish_result(self, store: Store, result: Product, report: dict[str, Any], out: Path) -> None:
        small = before_and_after(store, result, self.config.colour.white)
        channels = [
            {"channel": name, **{label: figure(value) for label, value in figures(report, number).items()}}
            for number, name in enumerate(CHANNELS.get(len(report["channels"]), CHANNELS[1]))
        ]
        truth = [
            {"against the truth": what, **{label: figure(row[name]) for name, label in TRUTH.items()}}
            for what, row in report["truth"].items()
        ]
        parts = [
            f"# {text(self.name)}",
            *(text(line) for line in report["verdict"]),
            f"Before, the stack; after, the {report['published']}:",
            f"{picture(small.before, 'before')} {picture(small.after, 'after')}",
            _transposed(channels),
            *([table(truth)] if truth else []),
            *([f"[Open the whole report]({page})"] if (page := address(out)) else []),
            *([f"[All results]({results})"] if (results := gallery_address()) else []),
            *(f"{what}: {code(str((out / name).absolute()))}" for what, name in REPORTS.items()),
            f"Steps took {figure(report['seconds']['total'])} s when they were made.",
        ]
        self._create("markdown", f"{self.key}-result", "Before and after", "\n\n".join(parts))


def _client() -> Any:
    """A client with a short timeout: the solver waits for it."""
    return get_client({"timeout": CLIENT_TIMEOUT_S}, sync_client=True)


def _transposed(columns: list[dict[str, str]]) -> str:
    """A table with the figures downwards and a column per channel."""
    rows = [{"": name} | {c["channel"]: c[name] for c in columns} for name in columns[0] if name != "channel"]
    return table(rows)
