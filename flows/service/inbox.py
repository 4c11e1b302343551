"""The watched folder: for a capture that is no longer being written a run is created, once."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient

from configs.request import CaptureRequest, printable
from storage.captures.file_stability import StabilityCheck, state_digest
from storage.captures.night import night_at, output_folder


@dataclass
class Inbox:
    """A folder of captures, and those for which runs have been created."""

    folder: Path
    out: Path
    skip: Iterable[Path]
    """What inside the folder holds no captures."""
    watch: StabilityCheck
    sent: set[str] = field(default_factory=set)

    def send(self, client: SyncPrefectClient, deployment: UUID, request: dict[str, Any]) -> list[str]:
        """Create a run for every whole capture; returns the paths of new ones, in the folder. Calling it twice makes one run."""
        names = []
        for recording in night_at(self.folder, [self.out, *self.skip]).captures:
            key = hashlib.sha256(f"{deployment} {recording.path} {state_digest(recording.path)}".encode()).hexdigest()
            if key in self.sent or not self.watch.is_complete(recording.path):
                continue
            out = output_folder(self.out, recording.name)
            wanted = {**request, "capture": str(recording.path), "out": str(out), "night": str(self.folder)}
            run = client.create_flow_run_from_deployment(
                deployment,
                name=CaptureRequest.model_validate(wanted).title,
                parameters={"request": wanted},
                idempotency_key=key,
            )
            self.sent.add(key)
            if run.run_count == 0 and run.state is not None and run.state.is_scheduled():
                names.append(printable(str(recording.path.relative_to(self.folder))))
        return names
