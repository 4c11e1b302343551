"""`stillsky doctor`: is everything here that stillsky needs, and what to do where it is not."""

import os
import platform
import sys
import urllib.request
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.cli.options import DEVICE, STORE

if TYPE_CHECKING:
    from packaging.requirements import Requirement

PACKAGES = ("flows", "tasks", "storage", "configs")
"""stillsky's own."""
MIN_FREE_BYTES = 2_000_000_000
"""With less free space a night of captures will not fit."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    name: str
    value: str
    ok: bool = True
    remedy: str = ""
    """What to do where it is not ok."""

    @property
    def line(self) -> str:
        """As text."""
        return f"{'ok ' if self.ok else 'BAD'} {self.name:16} {self.value}" + (
            f"\n      -> {self.remedy}" if self.remedy else ""
        )


@click.command("doctor", short_help="Check the installation and this machine.")
@DEVICE
@STORE
def doctor_command(device: str, store: Path | None) -> None:
    """Say what is found on this machine, and what to do about each problem. Exit code 1 where there is one."""
    from flows.server.embedded import default_store

    findings = examine(store or default_store(), device)
    for finding in findings:
        click.echo(finding.line)
    sys.exit(0 if all(finding.ok for finding in findings) else 1)


def examine(root: Path, device: str = "auto") -> list[Finding]:
    """Look at versions, devices, settings, store and Prefect; nothing is changed but that the store's folder is made."""
    return [*_packages(), *_versions(), *_devices(device), _observatory(), *_store(root), *_prefect(root)]


def _observatory() -> Finding:
    """The observatory file, and the telescope in it."""
    from configs.load import BadConfig, load_config
    from configs.observatory import VARIABLE, observatory_file, observatory_in_use

    file = observatory_file()
    if (named := observatory_in_use()) is not None and not named.exists():
        return Finding("observatory", str(named), False, f"{VARIABLE} names it, and it is not there: `stillsky init`")
    try:
        config = load_config()
    except BadConfig as error:
        return Finding("observatory", str(file), False, f"{error}; write it anew with `stillsky init --force`")
    if config.observatory is None:
        return Finding("observatory", "none: `stillsky init` writes your telescope where every command finds it")
    telescope = config.telescope
    aperture = f"{telescope.aperture_m:g} m" if telescope.aperture_m else "no aperture"
    scale = f"{telescope.scale_arcsec:.3g} arcsec/px" if telescope.scale_arcsec else "no pixel scale"
    return Finding("observatory", f"{config.observatory} ({aperture}, obstruction {telescope.obstruction:g}, {scale})")


def _packages() -> list[Finding]:
    """Are the packages stillsky's own? Another program's of the same name in this environment would hide them."""
    own = Path(__file__).parents[2]
    strange = []
    for name in PACKAGES:
        spec = find_spec(name)
        places = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
        if places != [own / name]:
            strange.append(f"{name} from {places[0] if places else 'nowhere'}")
    remedy = "another program's packages hide stillsky's: install it in an environment of its own (pipx install .)"
    return [
        Finding(
            "packages",
            "; ".join(strange) or f"{', '.join(PACKAGES)} from {own}",
            not strange,
            remedy if strange else "",
        )
    ]


def _versions() -> list[Finding]:
    from packaging.requirements import Requirement

    found = [Finding("python", f"{platform.python_version()} on {platform.platform(terse=True)}")]
    try:
        found.append(Finding("stillsky", metadata.version("stillsky")))
        wanted = [Requirement(text) for text in metadata.requires("stillsky") or []]
    except metadata.PackageNotFoundError:
        return [
            *found,
            Finding("stillsky", "not installed", False, "run `pip install -c constraints.txt .` in its folder"),
        ]
    found += [_version(w) for w in wanted if w.marker is None or w.marker.evaluate({"extra": ""})]
    try:
        version = metadata.version("torchvision")
        found.append(
            Finding(
                "torchvision", version, False, "it breaks with another torch than its own: pip uninstall torchvision"
            )
        )
    except metadata.PackageNotFoundError:
        pass
    return found


def _version(wanted: "Requirement") -> Finding:
    """An installed package against the range in which stillsky is known to work."""
    limits = str(wanted.specifier)
    remedy = f'pip install -c constraints.txt "{wanted.name}{limits}"'
    try:
        version = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return Finding(wanted.name, f"missing (needed {limits})", False, remedy)
    if not wanted.specifier.contains(version, prereleases=True):
        return Finding(wanted.name, f"{version} (needed {limits})", False, remedy)
    return Finding(wanted.name, version)


def _devices(wanted: str) -> list[Finding]:
    from storage.errors import StillskyError
    from storage.housekeeping import human_bytes

    try:
        from tasks.running.devices import cuda_trouble, describe_devices, pick_device
    except (ImportError, OSError) as error:
        return [
            Finding(
                "device",
                f"torch cannot be loaded ({error})",
                False,
                "install it again: pip install -c constraints.txt torch",
            )
        ]
    found = [Finding(d.name, f"{d.model}, {human_bytes(d.memory_bytes)}") for d in describe_devices()]
    if len(found) == 1:
        found.append(Finding("cuda", f"none: {cuda_trouble()}"))
    try:
        found.append(Finding("device", f"{pick_device(wanted)} (asked for: {wanted})"))
    except StillskyError as error:
        found.append(Finding("device", f"{wanted} cannot be used", False, str(error)))
    return found


def _store(root: Path) -> list[Finding]:
    from storage.errors import StillskyError
    from storage.housekeeping import human_bytes
    from storage.store import Store

    try:
        store = Store(root)
        entries, free = store.entries(), store.free_bytes()
    except (StillskyError, OSError) as error:
        return [Finding("store", f"{root}", False, str(error))]
    size = human_bytes(sum(e.bytes for e in entries))
    tight = free < MIN_FREE_BYTES
    remedy = "make room with `stillsky store prune`, or choose another disk with --store" if tight else ""
    return [
        Finding("store", f"{store.root} ({len(entries)} products, {size})"),
        Finding("free space", human_bytes(free), not tight, remedy),
    ]


def _prefect(root: Path) -> list[Finding]:
    home = os.environ.get("PREFECT_HOME") or f"{root / 'prefect'}"
    url = os.environ.get("PREFECT_API_URL", "")
    if not url:
        return [Finding("prefect home", home), Finding("prefect api", "none set: each command starts its own")]
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=3):
            return [Finding("prefect home", home), Finding("prefect api", f"{url} answers")]
    except (OSError, ValueError) as error:
        remedy = "start it (`prefect server start`), or unset PREFECT_API_URL"
        return [
            Finding("prefect home", home),
            Finding("prefect api", f"{url} does not answer ({error})", False, remedy),
        ]
