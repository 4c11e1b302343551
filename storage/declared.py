"""Products as declared dataclasses: written with a check against the declaration, read as typed lazy views.

A declaration is a frozen dataclass whose fields say what the HDF5 file holds:

    stack: Annotated[F32, Array("channel, y, x", "adu", "Mean of the usable frames, registered.")]
    share: Annotated[float, Value("fraction", "Share of the frames in the lucky stack.")]

Arrays stay in the file until they are indexed. `tuple` fields hold one array per channel, `Mapping` fields arrays by name.
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Protocol, TypeVar, cast, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from storage.errors import StoreError

Scalar = TypeVar("Scalar", bound=np.generic, covariant=True)
Kind = TypeVar("Kind", bound="Content")


class LazyArray(Protocol[Scalar]):
    """An array in an open file, or in memory: it is read when it is indexed."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any, /) -> NDArray[Scalar]: ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the numbers."""


F32 = LazyArray[np.float32]
F64 = LazyArray[np.float64]
C64 = LazyArray[np.complex64]
I64 = LazyArray[np.int64]
I8 = LazyArray[np.int8]
U8 = LazyArray[np.uint8]
Flag = LazyArray[np.bool_]
Numbers = LazyArray[Any]
"""Of any number type: the camera's codes, a solver's state."""


@dataclass(frozen=True)
class Array:
    """What an array of a product is."""

    axes: str
    """Its axes in words, outermost first."""
    unit: str
    meaning: str


@dataclass(frozen=True)
class Value:
    """What a number or a text of a product is; kept as an HDF5 attribute."""

    unit: str
    meaning: str


@dataclass(frozen=True)
class Content:
    """What one file of the store holds; subclasses declare the fields."""

    step: ClassVar[str] = ""
    """The step that leaves it; empty for parts of a journal."""
    also_from: ClassVar[tuple[str, ...]] = ()
    """Other steps that leave the same, to stand in its place."""


@dataclass(frozen=True)
class Field:
    """One declared field."""

    name: str
    declaration: Array | Value
    kind: str
    """dtype of an array, or type of a value."""
    form: str
    """one array, a tuple of arrays, a mapping of arrays, or a value."""
    optional: bool


class Streamed:
    """An array that is written block by block and never whole in memory."""

    def __init__(self, shape: tuple[int, ...], dtype: Any, blocks: Iterable[NDArray[Any]]) -> None:
        self.shape, self.dtype, self.blocks = shape, np.dtype(dtype), blocks

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any, /) -> NDArray[Any]:
        raise TypeError("a streamed array can only be written")


class Growing:
    """A dataset of a draft that takes blocks until it is whole."""

    def __init__(self, group: Any, name: str) -> None:
        self._group, self._name = group, name

    def append(self, block: NDArray[Any]) -> None:
        """Add a block along the first axis."""
        dataset = self._group[self._name]
        done = len(dataset)
        dataset.resize(done + len(block), axis=0)
        dataset[done:] = block

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis so far."""
        return tuple(self._group[self._name].shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the numbers."""
        return np.dtype(self._group[self._name].dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any, /) -> NDArray[Any]:
        return np.asarray(self._group[self._name][key])


class Draft:
    """The open file of a product whose size is not known beforehand."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def growing(self, name: str, shape: tuple[int, ...], dtype: Any, compression: str | None = None) -> Growing:
        """A new array of rows of `shape`, one chunk per row, checksummed."""
        self._file.create_dataset(
            name,
            shape=(0, *shape),
            maxshape=(None, *shape),
            chunks=(1, *shape),
            dtype=dtype,
            shuffle=compression is not None,
            compression=compression,
            fletcher32=True,
        )
        return Growing(self._file, name)

    def fill(self, content: Content) -> None:
        """Write the rest of the product; growing arrays are there already."""
        write(self._file, content)


def fields(kind: type[Content]) -> tuple[Field, ...]:
    """The declared fields of a product, in order."""
    hints = get_type_hints(kind, include_extras=True)
    return tuple(_field(field.name, hints[field.name]) for field in dataclasses.fields(kind))


def write(group: Any, content: Content) -> None:
    """Leave the content in an open file or group; every array is checked against its declaration first."""
    for field in fields(type(content)):
        value = getattr(content, field.name)
        if value is None and field.optional:
            continue
        if field.form == "value":
            group.attrs[field.name] = json.dumps(value) if field.kind == "json" else value
        elif field.form == "array":
            _write_array(group, field.name, field, value)
        else:
            pairs = value.items() if field.form == "mapping" else ((str(k), each) for k, each in enumerate(value))
            inner = group.create_group(field.name, track_order=True)
            for name, each in pairs:
                _write_array(inner, name, field, each)


def read(kind: type[Kind], group: Any) -> Kind:
    """A typed view of an open file or group; arrays stay in the file."""
    return kind(**{field.name: _read(field, group, kind) for field in fields(kind)})


def _field(name: str, hint: Any) -> Field:
    inner, declaration = get_args(hint)[:2] if get_origin(hint) is Annotated else (None, None)
    if not isinstance(declaration, Array | Value):
        raise TypeError(f"{name}: declare it as Annotated[type, Array(...)] or Annotated[type, Value(...)]")
    options = [a for a in get_args(inner) if a is not type(None)]
    optional = type(None) in get_args(inner)
    bare = options[0] if optional else inner
    if isinstance(declaration, Value):
        simple = {float: "float", int: "int", str: "str", bool: "bool"}
        return Field(name, declaration, simple.get(bare, "json"), "value", optional)
    form = "tuple" if get_origin(bare) is tuple else "mapping" if get_origin(bare) is Mapping else "array"
    array = {"tuple": lambda: get_args(bare)[0], "mapping": lambda: get_args(bare)[1], "array": lambda: bare}[form]()
    scalar = get_args(array)[0]
    return Field(name, declaration, "any number" if scalar is Any else np.dtype(scalar).name, form, optional)


def _write_array(group: Any, name: str, field: Field, value: Any) -> None:
    axes = cast(Array, field.declaration).axes
    if isinstance(value, Growing):
        _check(name, field, value.dtype, value.shape, axes)
        return
    if isinstance(value, Streamed):
        _check(name, field, value.dtype, value.shape, axes)
        dataset, row = group.create_dataset(name, value.shape, value.dtype), 0
        for block in value.blocks:
            dataset[row : row + len(block)] = block
            row += len(block)
        if row != value.shape[0]:
            raise ValueError(f"{name}: {row} rows came, {value.shape[0]} were declared")
        return
    array = np.asarray(value)
    _check(name, field, array.dtype, array.shape, axes)
    group.create_dataset(name, data=array)


def _check(name: str, field: Field, dtype: Any, shape: tuple[int, ...], axes: str) -> None:
    if field.kind != "any number" and np.dtype(dtype).name != field.kind:
        raise TypeError(f"{name} is {np.dtype(dtype).name}, declared is {field.kind}")
    wanted = 0 if not axes else axes.count(",") + 1
    if "..." not in axes and len(shape) != wanted:
        raise TypeError(f"{name} has the shape {shape}, declared are the axes ({axes})")


def _read(field: Field, group: Any, kind: type[Content]) -> Any:
    place = group.attrs if field.form == "value" else group
    if field.name not in place:
        if field.optional:
            return None
        raise StoreError(
            f"{group.file.filename} has no {field.name}: it is no {kind.__name__} of this version; delete it and run the "
            f"same command again"
        )
    found = place[field.name]
    if field.form == "value":
        plain = found.item() if isinstance(found, np.generic) else found
        return json.loads(plain) if field.kind == "json" else plain
    if field.form == "tuple":
        return tuple(found[str(k)] for k in range(len(found)))
    return {name: found[name] for name in found} if field.form == "mapping" else found


def documented(kind: type[Content]) -> Iterator[str]:
    """The declaration of a product as Markdown."""
    yield f"## {kind.step}"
    yield f"{(kind.__doc__ or '').strip()}"
    yield "| name | axes | type | unit | meaning |\n|---|---|---|---|---|\n" + "\n".join(map(_row, fields(kind)))


def _row(field: Field) -> str:
    axes = f"({field.declaration.axes})" if isinstance(field.declaration, Array) else "attribute"
    name = f"{field.name}/…" if field.form in ("tuple", "mapping") else field.name
    meaning = field.declaration.meaning + (" Not always there." if field.optional else "")
    return f"| `{name}` | {axes} | {field.kind} | {field.declaration.unit} | {meaning} |"
