"""The law of the house: who may import whom, how big things may be, and that every setting says what it means."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = ("flows", "tasks", "storage", "configs")
LONGEST_FUNCTION, LONGEST_FILE, MOST_ARGUMENTS = 40, 300, 7

DISK = ("storage", "configs")
INNER = ("tasks.running", "tasks.products", "tasks.reporting", "tasks.benchmark", "tasks.learning", "tasks.numerics")
"""Rooms inside tasks; what else is there are the steps."""
MAY_IMPORT = {
    "flows": (
        "flows", "tasks", "tasks.running", "tasks.products", "tasks.reporting", "tasks.benchmark", "tasks.learning", *DISK
    ),
    "tasks": ("tasks.running", "tasks.products", "tasks.learning", "tasks.numerics", *DISK),
    "tasks.running": ("tasks.running", *DISK),
    "tasks.products": ("tasks.products", "tasks.running", "tasks.numerics", *DISK),
    "tasks.reporting": ("tasks.reporting", "tasks.products", "tasks.numerics", *DISK),
    "tasks.benchmark": (
        "tasks.benchmark", "tasks.products", "tasks.reporting", "tasks.numerics", "tasks.running", *DISK
    ),
    "tasks.learning": ("tasks.learning", "tasks.running", "tasks.numerics", *DISK),
    "tasks.numerics": ("tasks.numerics",),
    "storage": DISK,
    "configs": ("configs",),
}  # fmt: skip
"""Room: the rooms it may import. Flows reach numerics through a task, never past it; no step calls another step."""
IMPORT_EXCEPTIONS = {
    (
        "tasks.reporting.report",
        "tasks.benchmark.oracle",
    ): "the report of a simulated capture tells how far its PSFs are off",
}
"""(module, what it imports) against MAY_IMPORT: the reason."""

NUMERICS_ORDER = (
    ("adam", "fourier", "networks", "robust"),
    ("optics", "globe"),
    ("frames", "seeing", "simulator"),
    ("sky", "finishing"),
    ("judging", "psf_models"),
)
"""Rooms and single files of numerics: each imports itself and those of earlier rows."""

ONLY_IN = {
    "prefect": ("flows.", "tasks.running.prefect_task"),
    "h5py": ("storage.",),
    "astropy": ("storage.",),
    "torch": ("tasks.",),
    "dask": ("storage.", "tasks."),
    "distributed": ("storage.", "tasks."),
    "click": ("flows.cli.",),
}
"""Library: the modules that may import it, by the beginning of their names."""

NUMERICS_MAY = {"numpy", "scipy", "torch", "PIL", "skimage"}
NUMERICS_MAY_NOT = {"pathlib", "os", "io", "logging", "shutil", "tempfile", "subprocess"}
SLOW = ("torch", "prefect", "h5py", "astropy", "dask", "distributed", "numpy", "scipy", "av")

UNITS = ("m", "mm", "um", "nm", "px", "arcsec", "deg", "rad", "s", "adu", "bytes", "gb", "cpp", "hz", "sigma")
COUNTS = ("frames", "rounds", "steps", "modes", "share", "shares", "seed", "workers", "retries", "port")
DIMENSIONLESS = ("fraction", "share", "multiplied", "factor", "ratio", "how many", "number of")
"""Words in a docstring that say a number has no unit."""

EXCEPTIONS: dict[str, str] = {}
"""`file:name` of what may break a guard: the reason. Every entry is argued for where it is added."""
WITHOUT_MODULE = {
    "tests/test_architecture.py": "the tree itself",
    "tests/test_documents.py": "the tests that docs/learned.md names",
    "tests/test_torchvision.py": "a broken torchvision beside ours",
    "tests/test_release.py": "what goes out with a release: version, documents, units",
    "tests/flows/test_postgres.py": "a promise of serve as a whole: its records in PostgreSQL by one option",
    "tests/flows/test_resume.py": "a promise of the whole recipe: killed anywhere, it goes on and ends the same",
    "tests/flows/test_kills.py": "a promise of all that can be killed, by the script that counts kills",
    "tests/flows/test_night_faults.py": "a promise of the whole night: whatever ends it, nothing is lost or done twice",
    "tests/tasks/test_finer_grid.py": "a promise of the whole recipe: wide pixels give a sky on a finer grid",
    "tests/tasks/test_window.py": "a promise of all that reads frames: a window gives what whole frames give",
    "tests/tasks/test_mosaic.py": "a promise of the whole recipe: a raw Bayer capture becomes a colour sky",
    "tests/storage/test_store_interrupted.py": "the store's promises after a kill",
    "tests/storage/test_store_faults.py": "the store's promises on a bad disk",
    "tests/storage/captures/test_night_settings.py": "the settings of a night's captures, from all that lies beside them",
    "tests/tasks/running/test_step_keys.py": "what the key of a step's product depends on",
    "tests/flows/service/test_serve_interrupted.py": "a promise of serve as a whole: killed or cancelled, it goes on",
    "tests/flows/ui/test_artifacts_in_browser.py": "artifacts as a real browser shows them",
    "tests/storage/captures/readers/test_contract.py": "one contract for the whole READERS table",
    "tests/storage/captures/test_bad_inputs.py": "a promise of all that reads what a night's folder holds",
    "tests/storage/captures/readers/test_real.py": "files of real programs, whatever reader takes them",
}
"""Tests of no single module: what they test."""


@dataclass(frozen=True)
class Module:
    """One source file."""

    path: Path

    @property
    def name(self) -> str:
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def room(self) -> str:
        inner = next((room for room in INNER if f"{self.name}.".startswith(f"{room}.")), None)
        return inner or self.name.split(".")[0]

    @property
    def where(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def tree(self) -> ast.Module:
        return _parsed(self.path)

    def imports(self, top: bool = False) -> Iterator[tuple[int, str]]:
        """(line, module) of every import, those inside functions too unless only the top is wanted."""
        for node in _at_import(self.tree) if top else ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = "." * node.level + (node.module or "")
                for alias in node.names:
                    inner = f"{base}.{alias.name}"
                    yield node.lineno, inner if inner in _names() else base


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def modules() -> tuple[Module, ...]:
    return tuple(Module(p) for room in ROOMS for p in sorted((ROOT / room).rglob("*.py")))


@cache
def _names() -> frozenset[str]:
    return frozenset(m.name for m in modules())


def _at_import(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes that run when the module is imported: everything outside functions and `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        typing_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        if not typing_only and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from _at_import(child)


def _room(module: str) -> str:
    return Module(ROOT / (module.replace(".", "/") + ".py")).room


def _ours(module: str) -> bool:
    return module.split(".")[0] in ROOMS


def _none(faults: list[str], law: str) -> None:
    assert not faults, f"{law}:\n" + "\n".join(f"  {fault}" for fault in faults)


def _guarded(faults: dict[str, str], law: str) -> None:
    _none([text for key, text in faults.items() if key not in EXCEPTIONS], law)


def test_the_rooms_are_there() -> None:
    assert {m.room for m in modules()} == set(MAY_IMPORT)


def test_imports_point_down() -> None:
    faults = [
        f"{m.where}:{line} imports {name}"
        for m in modules()
        for line, name in m.imports()
        if _ours(name) and _room(name) not in MAY_IMPORT[m.room] and (m.name, name) not in IMPORT_EXCEPTIONS
    ]
    _none(faults, "flows -> tasks -> tasks.numerics; flows, tasks -> storage -> configs")


def test_import_exceptions_are_still_needed() -> None:
    used = {(m.name, name) for m in modules() for _, name in m.imports()}
    _none(
        [f"{one} imports {other}" for one, other in IMPORT_EXCEPTIONS if (one, other) not in used], "no idle exceptions"
    )


def test_only_steps_stand_at_the_top_of_tasks() -> None:
    """One step per file, of the file's name."""
    faults = []
    for m in modules():
        if m.room == "tasks" and m.path.name != "__init__.py":
            steps = [
                node.name
                for node in m.tree.body
                if isinstance(node, ast.FunctionDef) and any("step(" in ast.unparse(d) for d in node.decorator_list)
            ]
            if steps != [m.path.stem]:
                faults.append(f"{m.where} has the steps {steps}")
    _none(faults, "tasks/NAME.py holds the step NAME and nothing else that is one")


OPEN_FILES = ("file", "group", "dataset", "part", "source", "product", "content")


def test_open_files_have_types() -> None:
    """What a step reads is a declared product: a misspelt array is a type error, not a KeyError at night."""
    faults = []
    for m, node in _functions():
        if m.room.split(".")[0] in ("flows", "tasks"):
            for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
                annotation = ast.unparse(argument.annotation) if argument.annotation else ""
                if argument.arg in OPEN_FILES and annotation in ("Any", "typing.Any", "object", ""):
                    faults.append(f"{m.where}:{node.lineno} {node.name}({argument.arg}: {annotation or 'nothing'})")
    _none(faults, "open files are typed views")


def test_imports_are_absolute() -> None:
    faults = [f"{m.where}:{line} imports {name}" for m in modules() for line, name in m.imports() if name[0] == "."]
    _none(faults, "imports are absolute")


def test_libraries_stay_in_their_rooms() -> None:
    faults = []
    for m in modules():
        for line, name in m.imports():
            library = name.split(".")[0]
            if library in ONLY_IN and not f"{m.name}.".startswith(tuple(ONLY_IN[library])):
                faults.append(f"{m.where}:{line} imports {name}: only {', '.join(ONLY_IN[library])} may")
    _none(faults, "each library has its rooms")


def test_numerics_know_nothing_but_arrays() -> None:
    faults = []
    for m in modules():
        for line, name in m.imports() if m.room == "tasks.numerics" else ():
            library = name.split(".")[0]
            known = library in sys.stdlib_module_names or library in NUMERICS_MAY or _ours(name)
            if not known or library in NUMERICS_MAY_NOT:
                faults.append(f"{m.where}:{line} imports {name}")
    _none(faults, "numerics import numpy, scipy, torch, libraries of pictures and pure parts of the standard library")


def _numerics_room(module: str) -> str:
    """The room or single file of numerics that a module stands in; empty for the package itself."""
    return module.removeprefix("tasks.numerics").lstrip(".").split(".")[0]


def test_numerics_rooms_import_earlier_ones() -> None:
    rank = {room: number for number, rooms in enumerate(NUMERICS_ORDER) for room in rooms}
    assert {_numerics_room(m.name) for m in modules() if m.room == "tasks.numerics"} - {""} == set(rank)
    faults = []
    for m in modules():
        for line, name in m.imports() if m.room == "tasks.numerics" else ():
            own, other = _numerics_room(m.name), _numerics_room(name)
            if _ours(name) and own != other and rank[own] <= rank[other]:
                faults.append(f"{m.where}:{line} imports {name}")
    _none(faults, "; ".join(", ".join(rooms) for rooms in NUMERICS_ORDER) + ": each imports itself and earlier ones")


def test_no_import_cycles() -> None:
    """Imports inside functions count: a cycle hidden in one is a cycle."""
    graph = {m.name: {n for _, n in m.imports() if n in _names() and n != m.name} for m in modules()}
    done: set[str] = set()
    cycles: list[str] = []

    def visit(name: str, line: list[str]) -> None:
        if name in line:
            cycles.append(" -> ".join([*line[line.index(name) :], name]))
        elif name not in done:
            for other in sorted(graph[name]):
                visit(other, [*line, name])
            done.add(name)

    for name in graph:
        visit(name, [])
    _none(cycles, "no import cycles")


def _functions() -> Iterator[tuple[Module, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for m in modules():
        for node in ast.walk(m.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield m, node


def test_functions_are_short() -> None:
    faults = {}
    for m, node in _functions():
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > LONGEST_FUNCTION:
            faults[f"{m.where}:{node.name}"] = f"{m.where}:{node.lineno} {node.name} has {lines} lines"
    _guarded(faults, f"a function has at most {LONGEST_FUNCTION} lines")


def test_functions_take_few_arguments() -> None:
    faults = {}
    for m, node in _functions():
        a = node.args
        names = [x.arg for x in (*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg) if x is not None]
        names = names[1:] if names[:1] in (["self"], ["cls"], ["work"]) else names  # `work` is what self is to a method
        if len(names) > MOST_ARGUMENTS:
            faults[f"{m.where}:{node.name}"] = f"{m.where}:{node.lineno} {node.name} takes {len(names)}: {names}"
    _guarded(faults, f"a function takes at most {MOST_ARGUMENTS} arguments")


def test_files_are_short() -> None:
    faults = {}
    for m in modules():
        lines = len(m.path.read_text(encoding="utf-8").splitlines())
        if lines > LONGEST_FILE:
            faults[m.where] = f"{m.where} has {lines} lines"
    _guarded(faults, f"a file has at most {LONGEST_FILE} lines")


def test_every_module_says_its_job_in_one_sentence() -> None:
    faults = []
    for m in modules():
        first = (ast.get_docstring(m.tree) or "").partition("\n")[0]
        if not first.endswith((".", "?")) or ". " in first.replace("e.g. ", "").replace("i.e. ", ""):
            faults.append(f"{m.where}: {first!r}")
    _none(faults, "the first line of a module is one sentence that says its job")


def _settings() -> Iterator[tuple[str, str, str]]:
    """(Section.name, annotation, docstring) of every setting in the schema."""
    trees = [
        _parsed(ROOT / "configs" / name)
        for name in ("section.py", "finishing.py", "timeouts.py", "observatory.py", "store.py", "schema.py")
    ]
    for section in (n for tree in trees for n in tree.body if isinstance(n, ast.ClassDef)):
        for node, after in zip(section.body, [*section.body[1:], None], strict=True):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                text = str(after.value.value) if told else ""  # type: ignore[union-attr]
                if not ast.unparse(node.annotation).startswith("ClassVar"):
                    yield f"{section.name}.{node.target.id}", ast.unparse(node.annotation), text


def test_every_setting_has_a_docstring() -> None:
    found = list(_settings())
    assert len(found) > 20
    _none(
        [name for name, _, text in found if len(text.split()) < 1 or not text.endswith(".")],
        "settings say what they are",
    )


def test_every_number_has_a_unit_or_needs_none() -> None:
    """A unit at the end of the name; a count or share by its name; or a docstring that says the number has no unit."""
    faults = []
    for name, annotation, text in _settings():
        kinds = {n.id for n in ast.walk(ast.parse(annotation)) if isinstance(n, ast.Name)}
        last = name.rsplit(".", 1)[1].rsplit("_", 1)[-1]
        with_unit = last in COUNTS or (last in UNITS and name.rsplit(".", 1)[1] != last)
        number = kinds & {"int", "float", "Positive", "Share", "Count", "Wavelength"}
        if number and not with_unit and not any(w in text.lower() for w in DIMENSIONLESS):
            faults.append(f"{name}: {text}")
    _none(faults, "a number is nothing without its meaning: name its unit, or say that it has none")


def test_the_tests_mirror_the_tree() -> None:
    faults = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        inner = path.relative_to(ROOT / "tests")
        module = ROOT / inner.with_name(inner.name.removeprefix("test_"))
        package = module.with_suffix("") / "__init__.py"
        if not (module.exists() or package.exists()) and str(path.relative_to(ROOT)) not in WITHOUT_MODULE:
            faults.append(f"{path.relative_to(ROOT)}: there is no {module.relative_to(ROOT)}")
    _none(faults, "the tests mirror the tree, file for file")


def test_exceptions_are_of_things_that_exist() -> None:
    assert all(
        (ROOT / key.split(":")[0]).exists() and reason for key, reason in {**EXCEPTIONS, **WITHOUT_MODULE}.items()
    )


def test_the_command_line_starts_without_heavy_imports() -> None:
    """`stillsky --help` answers at once: what costs seconds is imported inside the commands."""
    code = f"import sys, flows.cli.main; print([m for m in {SLOW!r} if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert (told.returncode, told.stdout.strip()) == (0, "[]"), told.stderr
