"""The watched folder: for a capture that is no longer being written a run is created, once; for a colour sky a night run."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient

from configs.colour import Colour, Filter
from configs.request import CaptureRequest, NightRequest, printable
from flows.night_colours import find_groups
from flows.service.deployments import Deployments
from storage.captures.colour_groups import ColourGroup
from storage.captures.file_stability import StabilityCheck, state_digest
from storage.captures.night import Recording, night_at, output_folder
from storage.results.published import published


@dataclass
class Inbox:
    """A folder of captures, and those for which runs have been created."""

    folder: Path
    out: Path
    skip: Iterable[Path]
    """What inside the folder holds no captures."""
    watch: StabilityCheck
    colour: Colour
    """How the parts of colour skies are found, where no settings beside them say otherwise."""
    sent: set[str] = field(default_factory=set)
    complete: dict[str, str] = field(default_factory=dict)
    """Captures that are no longer being written: the state of their files."""
    groups: list[ColourGroup] = field(default_factory=list)
    filters: dict[str, Filter] = field(default_factory=dict)
    """Capture that is part of a colour sky: its filter."""

    def send(self, client: SyncPrefectClient, deployed: Deployments, defaults: dict[str, Any]) -> list[str]:
        """Create a run for every whole capture, and a night run for every colour sky whose parts are restored.

        Returns the paths of new captures, in the folder. Calling it twice makes one run of each.
        """
        recordings = night_at(self.folder, [self.out, *self.skip]).captures
        self._look(recordings, defaults)
        chosen = [recording for recording in recordings if recording.name in self.complete]
        names = [self._name(each) for each in chosen if self._send_capture(client, deployed.capture, each, defaults)]
        for group in self.groups:
            self._send_group(client, deployed.night, group, defaults)
        return names

    def _look(self, recordings: Iterable[Recording], defaults: dict[str, Any]) -> None:
        """Note what is whole; where that has changed, which captures belong to colour skies."""
        recordings = tuple(recordings)
        complete = {r.name: state_digest(r.path) for r in recordings if self.watch.is_complete(r.path)}
        if complete != self.complete:
            self.groups, self.filters = find_groups(
                recordings,
                lambda recording: CaptureRequest.model_validate(self._wanted(recording, defaults)),
                self.colour,
            )
            self.complete = complete

    def _wanted(self, recording: Recording, defaults: dict[str, Any]) -> dict[str, Any]:
        """The request for a capture: a part of a colour sky says its filter, as in a night."""
        out = output_folder(self.out, recording.name)
        wanted = {**defaults, "capture": str(recording.path), "out": str(out), "night": str(self.folder)}
        filter_ = self.filters.get(recording.name)
        return wanted if filter_ is None else {**wanted, "filter": filter_}

    def _send_capture(
        self, client: SyncPrefectClient, deployment: UUID, recording: Recording, defaults: dict[str, Any]
    ) -> bool:
        """Is a run for it new?"""
        filter_ = self.filters.get(recording.name)
        what = f"{recording.path} {self.complete[recording.name]}" + (f" {filter_}" if filter_ else "")
        wanted = self._wanted(recording, defaults)
        return self._create(client, deployment, what, CaptureRequest.model_validate(wanted).title, wanted)

    def _send_group(
        self, client: SyncPrefectClient, deployment: UUID, group: ColourGroup, defaults: dict[str, Any]
    ) -> None:
        """Have the colour sky made when every part has its result: a night run does what is missing of that night."""
        parts = list(group.parts.values())
        if not all(each.name in self.complete and published(output_folder(self.out, each.name)) for each in parts):
            return
        nights = [str(each.night) for each in parts]
        when = {"since": min(nights), "until": max(nights)}
        wanted = {**defaults, "folder": str(self.folder), "out": str(self.out), **when}
        what = " ".join([group.name, *(self.complete[each.name] for each in parts)])
        self._create(client, deployment, what, NightRequest.model_validate(wanted).title, wanted)

    def _create(
        self, client: SyncPrefectClient, deployment: UUID, what: str, name: str, wanted: dict[str, Any]
    ) -> bool:
        """Create a run, once for `what`; is it new?"""
        key = hashlib.sha256(f"{deployment} {what}".encode()).hexdigest()
        if key in self.sent:
            return False
        run = client.create_flow_run_from_deployment(
            deployment, name=name, parameters={"request": wanted}, idempotency_key=key
        )
        self.sent.add(key)
        return run.run_count == 0 and run.state is not None and run.state.is_scheduled()

    def _name(self, recording: Recording) -> str:
        return printable(str(recording.path.relative_to(self.folder)))
