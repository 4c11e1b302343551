"""What a run may be asked for through the API or the form: some settings and folders are not taken from there."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from configs.request import CaptureRequest, NightRequest, ServeRequest, calibration_path
from storage.errors import Hopeless
from storage.results.published import published

VARIABLE = "STILLSKY_REQUEST_LIMITS"
"""Environment variable that hands the limits from serve to the processes of runs."""
REQUESTS: dict[str, type[CaptureRequest] | type[NightRequest]] = {"capture": CaptureRequest, "night": NightRequest}
"""Flow: what its parameter `request` is."""
CLOSED_SECTIONS = ("night", "store")
"""Sections that can run commands or remove results."""
CAMERA_SETTINGS = ("camera.dark", "camera.flat", "camera.exposure_s")


@dataclass(frozen=True)
class RequestLimits:
    """What the user of `stillsky serve` said on its command line; a request may repeat it, but say nothing else instead."""

    store: str
    config: str | None
    dask: str | None
    overrides: tuple[str, ...]
    readable: tuple[str, ...]
    """Folders that captures and calibration frames may be read from."""
    writable: tuple[str, ...]
    """Folders that results may be written to."""

    def check(self, flow: str, parameters: dict[str, Any], job_variables: dict[str, Any] | None) -> None:
        """Raise Hopeless, with the reason, where a run asks for what may not be asked for."""
        if flow not in REQUESTS:
            raise Hopeless(f"the flow {flow!r} is none of stillsky's ({', '.join(REQUESTS)})")
        if job_variables:
            raise Hopeless(f"job variables are not taken ({', '.join(job_variables)}); leave them empty")
        try:
            request = REQUESTS[flow].model_validate(parameters.get("request"))
        except ValidationError as error:
            raise Hopeless(f"the request cannot be understood: {error}") from None
        for name in ("store", "config", "dask"):
            asked, own = getattr(request, name), getattr(self, name)
            if asked is not None and str(asked) != own:
                raise Hopeless(f"{name} = {asked} is not taken from a request; start `stillsky serve` with --{name}")
        self._check_paths(request)
        if isinstance(request, CaptureRequest):
            _check_preview(request)
        for override in request.overrides:
            if override not in self.overrides:
                self._check_override(override)

    def _check_paths(self, request: CaptureRequest | NightRequest) -> None:
        if isinstance(request, CaptureRequest):
            read = {"capture": request.capture, "night": request.night}
        else:
            read = {"folder": request.folder}
            if request.out is None:
                read["out"] = request.folder / "restored"
        for name, path in read.items():
            if path is not None:
                _check_inside(name, path, self.writable if name == "out" else self.readable)
        if request.out is not None:
            _check_inside("out", request.out, self.writable)

    def _check_override(self, override: str) -> None:
        key = override.partition("=")[0].strip()
        section = key.split(".")[0].strip()
        closed = section in CLOSED_SECTIONS or (section == "camera" and key not in CAMERA_SETTINGS)
        if closed:
            raise Hopeless(f"{key} is not taken from a request; start `stillsky serve` with --set {key}=...")
        if path := calibration_path(override):
            _check_inside(key, Path(path), self.readable)


def limits_of(request: ServeRequest, root: Path) -> RequestLimits:
    """The limits for the requests to a serve; its paths are absolute."""
    allowed = [str(path) for path in request.allow]
    inbox, results = ([str(path)] if path else [] for path in (request.inbox, request.results))
    return RequestLimits(
        store=str(root),
        config=str(request.config) if request.config else None,
        dask=request.dask,
        overrides=request.overrides,
        readable=(*inbox, *allowed),
        writable=(*results, *allowed),
    )


def hand_down(limits: RequestLimits) -> None:
    """Give the limits to every process started from here on."""
    os.environ[VARIABLE] = json.dumps(asdict(limits))


def handed_down() -> RequestLimits:
    """The limits that serve gave to this process."""
    values: dict[str, Any] = json.loads(os.environ[VARIABLE])
    for name in ("overrides", "readable", "writable"):
        values[name] = tuple(values[name])
    return RequestLimits(**values)


def _check_preview(request: CaptureRequest) -> None:
    """A preview replaces a preview, never a full result: who asks over the network may not see what lies there."""
    if request.quick and request.out is not None and published(request.out).get("published", "preview") != "preview":
        raise Hopeless(
            f"{request.out} holds a full result, which a preview would replace; ask without quick, or for another out"
        )


def _check_inside(name: str, path: Path, folders: tuple[str, ...]) -> None:
    if not path.is_absolute():
        raise Hopeless(f"{name} = {path} is relative; write the whole path")
    resolved = path.resolve()
    if not any(resolved.is_relative_to(Path(folder).resolve()) for folder in folders):
        named = ", ".join(folders) or "none is configured"
        leads = f", leads to {resolved}," if resolved != path else ""
        raise Hopeless(
            f"{name} = {path}{leads} lies outside the folders that requests may use ({named}); start `stillsky serve` with "
            f"--allow FOLDER"
        )
