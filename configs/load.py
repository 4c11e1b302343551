"""From TOML files and command-line settings to a checked configuration."""

import copy
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from configs.complaints import explained, root_causes
from configs.observatory import TABLES, another_telescope, observatory_in_use
from configs.rounds import complete_rounds, merge_rounds, misplaced, written_at
from configs.schema import Config, Round

HERE = Path(__file__).parent
MAX_FILE_BYTES = 65536
"""A file of settings has a few kilobytes; larger ones are refused before they are parsed."""
MAX_DOTS = 200
"""More dots than this in one line are refused too."""


class BadConfig(ValueError):
    """A setting is misspelt, of the wrong type or out of range; trying again cannot help."""


@dataclass(frozen=True)
class Sidecars:
    """Settings from the files beside a capture. They come with the captures, not from the user, and may set less."""

    log: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings from the capture program's log; the user's file overrides them."""
    files: tuple[Path, ...] = ()
    """stillsky.toml files, outermost first; they override the user's file."""
    folder: Path | None = None
    """Calibration frames that such a file names must lie in here."""


def load_config(
    file: Path | None = None,
    profile: str | None = None,
    overrides: Iterable[str] = (),
    sidecars: Sidecars | None = None,
) -> Config:
    """Merge the layers of settings, each over those before it, and check the result.

    default.toml < profile < the observatory file < the capture's log < the user's file < files beside the capture
    < key=value overrides.
    """
    sidecars, overrides = sidecars or Sidecars(), tuple(overrides)
    tree = _read(HERE / "default.toml")
    if profile is not None:
        _merge(tree, _read(HERE / f"{profile}.toml"))
    layers = [_anchored(_read(file), file)] if file is not None else []
    layers += [_fenced(_anchored(_read(f), f), f, sidecars.folder) for f in sidecars.files]
    observatory = observatory_in_use()
    own = _observatory(observatory) if observatory is not None else {}
    if another_telescope(_table(own, "telescope"), layers, overrides):
        own.pop("telescope", None)
    _merge(tree, own)
    _merge_log(tree, sidecars.log)
    for layer in layers:
        _one_scale(tree, _table(layer, "telescope"))
        _merge(tree, layer)
    _one_scale(tree, [w.partition("=")[0].strip().removeprefix("telescope.") for w in overrides])
    for override in overrides:
        apply_override(tree, override)
    _drop_half(tree, sidecars.log)
    config, complaints = _checked(tree)
    if config is None or complaints:
        source = ", ".join(str(f) for f in (observatory, file, *sidecars.files) if f is not None) or "the settings"
        raise BadConfig("\n".join([f"{source} cannot be used:", *complaints]))
    return config.with_observatory(observatory if "telescope" in own else None)


def _observatory(file: Path) -> dict[str, Any]:
    """The tables of an observatory file."""
    tree = _read(file)
    if extra := [name for name in tree if name not in TABLES]:
        raise BadConfig(
            f"{file}: [{extra[0]}] is no table of an observatory file ([telescope] and [site] are); write it into a file "
            f"for --config"
        )
    if not all(isinstance(table, dict) for table in tree.values()):
        raise BadConfig(f"{file}: write [telescope] and [site] as tables; `stillsky init` does")
    return tree


def checked_tables(tables: Mapping[str, Any]) -> list[str]:
    """A line for each fault in tables that are laid on the default settings."""
    tree = _read(HERE / "default.toml")
    _merge(tree, copy.deepcopy(dict(tables)))
    return _checked(tree)[1]


def _merge_log(tree: dict[str, Any], log: Mapping[str, Mapping[str, Any]]) -> None:
    """Lay the log on the observatory's telescope: what gives the pixel scale of this capture replaces the usual one."""
    from_log = copy.deepcopy(dict(log))
    telescope = from_log.get("telescope", {})
    if "pixel_scale_arcsec" in telescope:
        _one_scale(tree, ["pixel_scale_arcsec"])
    elif "pixel_scale_arcsec" in _table(tree, "telescope"):  # a focal length without a pixel size says less
        from_log["telescope"] = {k: v for k, v in telescope.items() if k != "focal_length_mm"}
    _merge(tree, from_log)


def _checked(tree: Mapping[str, Any]) -> tuple[Config | None, list[str]]:
    """The configuration, and a line for each fault in it."""
    complaints = [f"  {sentence}" for sentence in misplaced(tree)]
    try:
        return Config.model_validate(complete_rounds(tree)), complaints
    except ValidationError as error:
        faults = ({**e, "loc": written_at(e["loc"], tree)} for e in root_causes(error.errors()))
        # A wrong default is wrong in every round, and is reported once.
        return None, list(dict.fromkeys([*complaints, *(explained(f, (Config, Round)) for f in faults)]))


def _one_scale(tree: dict[str, Any], names: Iterable[str]) -> None:
    """A layer that gives the pixel scale in one way removes the other way from the layers below."""
    ways = ({"pixel_scale_arcsec"}, {"focal_length_mm", "pixel_size_um"})
    telescope, names = _table(tree, "telescope"), set(names)
    for one, other in (ways, ways[::-1]):
        if names & one:
            for name in other:
                telescope.pop(name, None)


def _drop_half(tree: dict[str, Any], log: Mapping[str, Mapping[str, Any]]) -> None:
    """A focal length from the log alone is dropped where the pixel size is missing or the pixel scale is given."""
    telescope, focal = _table(tree, "telescope"), log.get("telescope", {}).get("focal_length_mm")
    if telescope.get("focal_length_mm") == focal and (
        "pixel_size_um" not in telescope or "pixel_scale_arcsec" in telescope
    ):
        telescope.pop("focal_length_mm", None)


def _table(tree: dict[str, Any], name: str) -> dict[str, Any]:
    """A table of the tree; an empty one where there is none, or something else in its place."""
    table = tree.get(name)
    return table if isinstance(table, dict) else {}


def _fenced(tree: dict[str, Any], file: Path, folder: Path | None) -> dict[str, Any]:
    """A file among the captures may describe them; it may not run commands, remove results or read files elsewhere."""
    for name in ("night", "store"):
        if name in tree:
            raise BadConfig(f"{file}: [{name}] is not taken from a file among the captures; write it into --config")
    for name in ("dark", "flat"):
        path = _table(tree, "camera").get(name)
        if isinstance(path, str) and folder is not None and not Path(path).is_relative_to(folder.resolve()):
            raise BadConfig(
                f"{file}: camera.{name} = {path} lies outside the night's folder {folder}; copy it there, or name it "
                f"in a file of your own with --config"
            )
    return tree


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise BadConfig(f"{file} is larger than {MAX_FILE_BYTES} bytes; a configuration is not: check the name")
        return _parsed(content.decode("utf-8"))
    except FileNotFoundError:
        raise BadConfig(
            f"{file}: there is no such configuration file; check the path in --config or STILLSKY_OBSERVATORY"
        ) from None
    except RecursionError:
        raise BadConfig(f"{file} is nested too deep; no setting is: see the README for an example") from None
    except BadConfig:
        raise
    except ValueError as error:  # what is not TOML, not UTF-8, or a number of thousands of digits
        raise BadConfig(f"{file} is not TOML: {error}; see the README for an example") from None
    except OSError as error:
        raise BadConfig(f"{file} cannot be read: {error.strerror}; check its permissions") from None


def _parsed(text: str) -> dict[str, Any]:
    """TOML, but no endless key: the parser's memory grows with the square of the number of its parts."""
    if max(line.count(".") for line in text.split("\n")) > MAX_DOTS:
        raise ValueError(f"a line with more than {MAX_DOTS} dots")
    return tomllib.loads(text)


def _anchored(tree: dict[str, Any], file: Path) -> dict[str, Any]:
    """Make the calibration paths absolute: they are written relative to the file that names them."""
    camera = _table(tree, "camera")
    for name in ("dark", "flat"):
        if isinstance(camera.get(name), str):
            try:
                camera[name] = str((file.parent / camera[name]).resolve())
            except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a name with a null character
                raise BadConfig(f"{file}: camera.{name} = {camera[name]!r} cannot be a file: {error}") from None
    return tree


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> None:
    """Lay `over` on `base`, table by table, the rounds one by one; any other list is replaced whole."""
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        elif key == "rounds" and isinstance(value, list) and isinstance(base.get(key), list):
            merge_rounds(base[key], value, _merge)
        else:
            base[key] = value


def apply_override(tree: dict[str, Any], override: str, example: str = "telescope.aperture_m=0.25") -> None:
    """Apply one `section.key=value` (value in TOML; text without quotes is a string; rounds by number: rounds.0.psfs.steps)."""
    path, sign, text = override.partition("=")
    if not sign or not path.strip():
        raise BadConfig(f"--set {override!r}: write section.key=value, for example --set {example}")
    try:
        value = _parsed(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = text.strip()
    *parents, last = path.strip().split(".")
    node: Any = tree
    for name in parents:
        if not isinstance(node, dict | list):
            break
        try:
            node = node[int(name)] if isinstance(node, list) else node.setdefault(name, {})
        except (ValueError, IndexError):
            raise BadConfig(
                f"--set {override!r}: {name!r} is not one of the {len(node)} rounds (0 is the first)"
            ) from None
    if not isinstance(node, dict):
        raise BadConfig(f"--set {override!r}: {'.'.join(parents)} holds no settings; use a full section.key")
    node[last] = value
