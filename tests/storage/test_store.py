"""The store: a product is there and whole, or it is not there; whatever happens in between."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import h5py
import numpy as np
import pytest

from storage.atomic import HOST, atomic, publish
from storage.declared import Content, Value
from storage.errors import BadCapture, StoreError
from storage.product import Product
from storage.store import Store, clock

SKY = Product("sky", "a" * 32)
OTHER = Product("sky", "b" * 32)
RECIPE = {"version": "1", "inputs": [["shifts", "c" * 32]], "capture": "jupiter.ser"}


@dataclass(frozen=True)
class Number(Content):
    """A part of a journal, and a product of the step `sky`."""

    step: ClassVar[str] = "sky"
    value: Annotated[float, Value("", "A number.")]


def make(store: Store, product: Product = SKY, size: int = 1000) -> None:
    with store.create(product, RECIPE) as file:
        file.create_dataset("sky", data=np.arange(size), chunks=(min(size, 1000),), fletcher32=True)


def files(store: Store) -> list[str]:
    return sorted(str(p.relative_to(store.root)) for p in store.root.rglob("*") if p.is_file())


def python(code: str, *args: Any, limit: float = 60) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=limit)


def killed(code: str, *args: Any) -> int:
    """Start a process, wait until it says `ready`, kill it where it stands; returns its number."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, args)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        return child.pid


def test_what_is_made_can_be_read(store: Store) -> None:
    assert not store.has(SKY)
    make(store)
    assert store.has(SKY)
    with store.open(SKY) as file:
        np.testing.assert_array_equal(file["sky"][:], np.arange(1000))
        assert json.loads(file.attrs["recipe"]) == RECIPE
    assert files(store) == [f"sky/{SKY.key}.h5"]


def test_a_draft_becomes_a_product_with_its_recipe_and_time(store: Store) -> None:
    with store.draft(SKY, RECIPE, lambda: 2.5) as draft:
        draft.fill(Number(7.0))
        assert not store.has(SKY)
    with store.view(Number, SKY) as found:
        assert found == Number(7.0)
    assert store.recipe(SKY) == RECIPE
    assert store.seconds(SKY) == 2.5


def test_a_product_is_seen_only_as_what_its_step_leaves(store: Store) -> None:
    strange = Product("shifts", "c" * 32)
    with pytest.raises(TypeError, match=r"shifts/cccccccccccc is no Number, which sky leaves"):
        store.view(Number, strange).__enter__()
    make(store)
    with pytest.raises(StoreError, match=r"has no value: it is no Number of this version; delete it and run the same"):
        store.view(Number, SKY).__enter__()


def test_nothing_is_visible_before_the_end(store: Store) -> None:
    with store.create(SKY, RECIPE) as file:
        file["sky"] = np.arange(3)
        assert not store.has(SKY)
        assert store.entries() == []
    assert store.has(SKY)


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt(), BadCapture("no light"), MemoryError()])
def test_an_exception_inside_leaves_nothing(store: Store, error: BaseException) -> None:
    def fail() -> None:
        with store.create(SKY, RECIPE) as file:
            file["sky"] = np.arange(3)
            raise error

    with pytest.raises(type(error)) as caught:
        fail()
    assert caught.value is error
    assert files(store) == []


def test_what_goes_wrong_with_the_capture_is_not_blamed_on_the_store(store: Store, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), store.create(SKY, RECIPE):
        (tmp_path / "capture.ser").open()
    assert files(store) == []


def test_a_failed_remake_leaves_the_old_product(store: Store) -> None:
    make(store)
    with pytest.raises(ValueError, match="bad"), store.create(SKY, RECIPE):
        raise ValueError("bad")
    assert store.has(SKY)


IN_THE_MIDDLE = """
    import sys, time
    from pathlib import Path
    import numpy as np
    from storage.product import Product
    from storage.store import Store
    store, product = Store(Path(sys.argv[1])), Product("sky", "a" * 32)
    with store.create(product, {}) as file:
        file["sky"] = np.arange(100000)
        file.flush()
        print("ready", flush=True)
        time.sleep(60)
"""


def test_a_killed_process_leaves_no_product_and_sweep_takes_its_rest(store: Store) -> None:
    pid = killed(IN_THE_MIDDLE, store.root)
    assert not store.has(SKY)
    assert store.entries() == []
    left = files(store)
    assert len(left) == 1
    assert f".{pid}." in left[0]
    with store.create(OTHER, RECIPE) as file:
        file["sky"] = np.arange(3)
        assert store.sweep() == 1, "the killed process's file goes, that of this living one stays"
    assert files(store) == [f"sky/{OTHER.key}.h5"]
    make(store)
    assert store.has(SKY)


def test_sweep_leaves_files_of_other_machines(store: Store) -> None:
    """Their processes may live, whatever their numbers mean here."""
    make(store)
    dead = killed("print('ready', flush=True); import time; time.sleep(60)", store.root)
    ours, theirs = (f".{SKY.key}.h5.{host}.{dead}.abcdef.tmp" for host in (HOST, f"not-{HOST}"))
    for name in (ours, theirs):
        (store.root / "sky" / name).write_text("half")
    assert store.sweep() == 1
    assert sorted(files(store)) == sorted([f"sky/{theirs}", f"sky/{SKY.key}.h5"])
    for name in (ours, theirs):
        (store.root / name.replace(f"{SKY.key}.h5", "sky.png")).write_text("half")
    publish(store.root / "sky.png", lambda path: path.write_bytes(b"whole"))
    assert sorted(path.name for path in store.root.glob(".*.tmp")) == [theirs.replace(f"{SKY.key}.h5", "sky.png")]


def test_sweep_takes_half_a_part_and_leaves_the_whole_ones(store: Store) -> None:
    code = """
        import sys, time
        from pathlib import Path
        from dataclasses import dataclass
        from typing import Annotated
        import numpy as np
        from storage.declared import F32, Array, Content
        from storage.product import Product
        from storage.store import Store
        store, product = Store(Path(sys.argv[1])), Product("sky", "a" * 32)
        class Stays:
            shape, dtype = (1,), "f4"
            def __array__(self, *_, **__):
                print("ready", flush=True)
                time.sleep(60)
        @dataclass(frozen=True)
        class Part(Content):
            values: Annotated[F32, Array("value", "", "Numbers.")]
        with store.part(product, "three", Part, lambda: Part(np.zeros(1, "f4"))):
            store.part(product, "one", Part, lambda: Part(Stays())).__enter__()
    """
    killed(code, store.root)
    assert len(files(store)) == 2
    assert store.sweep() == 1
    assert files(store) == [f"sky/{SKY.key}.parts/three.h5"]


@pytest.mark.parametrize("name", [".swap.tmp", ".a.b.c.tmp", ".nfs0001.tmp"])
def test_sweep_leaves_files_of_strangers(store: Store, name: str) -> None:
    (store.root / "sky").mkdir()
    (store.root / "sky" / name).write_text("not ours")
    assert store.sweep() == 0
    assert files(store) == [f"sky/{name}"]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_product_is_not_there(store: Store, share: float) -> None:
    make(store, size=20000)
    path = store.path(SKY)
    os.truncate(path, int(path.stat().st_size * share))
    assert not store.has(SKY)
    with pytest.raises(StoreError, match="delete it and run the same command again"), store.open(SKY) as file:
        file["sky"][:]


def test_a_file_of_someone_else_is_no_product(store: Store) -> None:
    (store.root / "sky").mkdir()
    with h5py.File(store.path(SKY), "w") as file:
        file["sky"] = [1, 2, 3]
    assert not store.has(SKY)
    assert store.entries() == []


def test_a_rotten_byte_is_noticed(store: Store) -> None:
    make(store)
    content = bytearray(store.path(SKY).read_bytes())
    at = content.index(np.arange(100, 110).tobytes())
    content[at] ^= 1
    store.path(SKY).write_bytes(content)
    with pytest.raises(StoreError, match=r"is damaged .* --fresh"), store.open(SKY) as file:
        file["sky"][:]


def test_a_rotten_input_is_not_told_as_a_full_disk(store: Store) -> None:
    make(store)
    content = bytearray(store.path(SKY).read_bytes())
    content[content.index(np.arange(100, 110).tobytes())] ^= 1
    store.path(SKY).write_bytes(content)
    with pytest.raises(StoreError, match="is damaged"), store.create(OTHER, RECIPE) as file, store.open(SKY) as sky:
        file["sky"] = sky["sky"][:]
    assert not store.has(OTHER)


def test_a_product_that_is_not_there_is_told(store: Store) -> None:
    with pytest.raises(StoreError, match=r"sky/aaaaaaaaaaaa is not in the store .*run the same command again"):
        store.open(SKY).__enter__()


def test_parts_are_made_once(store: Store) -> None:
    made: list[float] = []

    def part(number: float) -> Number:
        made.append(number)
        return Number(number)

    for number in (0.0, 1.0, 0.0, 1.0):
        with store.part(SKY, f"part{number:.0f}", Number, lambda n=number: part(n)) as found:
            assert found.value == number
    assert made == [0.0, 1.0]
    assert files(store) == [f"sky/{SKY.key}.parts/part{number}.h5" for number in (0, 1)]


def test_a_part_that_fails_is_not_there(store: Store) -> None:
    def fail() -> Number:
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        store.part(SKY, "first", Number, fail).__enter__()
    assert files(store) == []


def test_a_parts_file_is_opened_when_its_content_is_known(store: Store) -> None:
    """A long solve holds no file open, and what it needs of other parts is written meanwhile."""

    def make() -> Number:
        assert files(store) == []
        with store.part(SKY, "inner", Number, lambda: Number(2.0)) as inner:
            assert files(store) == [f"sky/{SKY.key}.parts/inner.h5"]
            return Number(1 + inner.value)

    with store.part(SKY, "outer", Number, make) as outer:
        assert outer.value == 3.0
    assert files(store) == [f"sky/{SKY.key}.parts/{name}.h5" for name in ("inner", "outer")]


def test_parts_survive_a_kill_and_go_with_the_product(store: Store) -> None:
    code = """
        import sys, time
        from pathlib import Path
        from dataclasses import dataclass
        from typing import Annotated
        from storage.declared import Content, Value
        from storage.product import Product
        from storage.store import Store
        store, product = Store(Path(sys.argv[1])), Product("sky", "a" * 32)
        @dataclass(frozen=True)
        class Part(Content):
            value: Annotated[float, Value("", "A number.")]
        def stay():
            print("ready", flush=True)
            time.sleep(60)
        with store.create(product, {}) as file:
            for number, make in enumerate((lambda: Part(7.0), lambda: Part(7.0), stay)):
                with store.part(product, f"part{number}", Part, make) as part:
                    pass
    """
    killed(code, store.root)
    assert not store.has(SKY)

    def refuse() -> Number:
        raise AssertionError("made twice")

    with store.create(SKY, RECIPE) as file:
        for number in (0, 1):
            with store.part(SKY, f"part{number}", Number, refuse) as part:
                assert part.value == 7
        with pytest.raises(AssertionError, match="made twice"):
            store.part(SKY, "part2", Number, refuse).__enter__()
        file["sky"] = np.arange(3)
    assert store.has(SKY)
    assert not store.parts(SKY).exists()


def test_a_disk_that_is_full_is_told_and_leaves_nothing(store: Store) -> None:
    """A limit on the size of files refuses like a full disk does: some bytes go through, then none."""
    make(store, OTHER)
    code = """
        import resource, signal, sys
        from pathlib import Path
        import numpy as np
        from storage.errors import StoreError
        from storage.product import Product
        from storage.store import Store
        store = Store(Path(sys.argv[1]))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        try:
            with store.create(Product("sky", "a" * 32), {}) as file:
                raw = file.create_dataset("sky", (0, 1000), maxshape=(None, 1000), chunks=(1, 1000), dtype="f8")
                for k in range(int(sys.argv[2])):
                    raw.resize(k + 1, axis=0)
                    raw[k] = np.random.default_rng(k).random(1000)
        except StoreError as error:
            print(error)
    """
    for rows in (26, 1000):
        told = python(code, store.root, rows)
        assert "cannot be written (File too large; " in told.stdout, told.stderr
        assert "GB free); make room" in told.stdout
        assert files(store) == [f"sky/{OTHER.key}.h5"]
    assert store.has(OTHER)


def test_a_store_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file/store cannot be made: Not a directory; choose another with --store"):
        Store(tmp_path / "file" / "store")
    with pytest.raises(StoreError, match="file cannot be made: File exists"):
        Store(tmp_path / "file")


AS_NOBODY = """
    import os, sys
    from pathlib import Path
    from storage.atomic import publish
    from storage.errors import StoreError
    from storage.product import Product
    from storage.store import Store
    store, product = Store(Path(sys.argv[1])), Product("sky", "a" * 32)
    (store.root / "sky").mkdir(exist_ok=True)
    (store.root / "sky").chmod(0o555)
    (store.root / "out").mkdir(exist_ok=True)
    (store.root / "out").chmod(0o555)
    store.root.chmod(int(sys.argv[2], 8))
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    for attempt in (lambda: Store(store.root), lambda: store.create(product, {}).__enter__(),
                    lambda: publish(store.root / "out" / "sky.png", lambda p: p.write_bytes(b""))):
        try:
            attempt()
            print("done")
        except StoreError as error:
            print(error)
"""


def test_a_store_without_permission_is_told(tmp_path: Path) -> None:
    for parent in (tmp_path, *tmp_path.parents[:3]):
        parent.chmod(parent.stat().st_mode | 0o055) if parent.owner() == Path("~").expanduser().owner() else None
    told = python(AS_NOBODY, tmp_path / "store", "555")
    (tmp_path / "store").chmod(0o755)
    opened, created, published = told.stdout.splitlines()
    assert "cannot be written; change its permissions or choose another with --store" in opened
    assert "cannot be written" in created
    assert "ermission" in created
    assert "cannot be written" in published
    assert "ermission" in published


def test_entries_tell_what_is_there(store: Store) -> None:
    make(store)
    make(store, OTHER)
    os.utime(store.path(SKY), (2e9, 2e9))
    older, newer = store.entries()
    assert (older.product, newer.product) == (OTHER, SKY), "oldest first"
    assert newer.capture == "jupiter.ser"
    assert newer.inputs == (Product("shifts", "c" * 32),)
    assert newer.bytes == store.path(SKY).stat().st_size
    assert newer.made.year == 2033


def test_remove_takes_the_product_and_its_parts(store: Store) -> None:
    make(store)
    make(store, OTHER)
    store.part(SKY, "first", Number, lambda: Number(1.0)).__enter__()
    store.remove(SKY)
    store.remove(SKY)
    assert [e.product for e in store.entries()] == [OTHER]
    assert files(store) == [f"sky/{OTHER.key}.h5"]


def test_free_space_is_that_of_the_disk(store: Store) -> None:
    assert 0 < store.free_bytes() < 1e18


def test_atomic_replaces_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "report.json"
    with atomic(path) as temporary:
        temporary.write_text("old")
        assert not path.exists()

    def fail() -> None:
        with atomic(path) as temporary:
            temporary.write_text("half of the n")
            raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        fail()
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_publish_says_what_the_disk_refused(tmp_path: Path) -> None:
    def refuse(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match=r"sky\.fits cannot be written \(No space left on device\).*--out"):
        publish(tmp_path / "sky.fits", refuse)
    assert list(tmp_path.iterdir()) == []


def test_the_clock_runs_forward() -> None:
    elapsed = clock()
    assert 0 <= elapsed() <= elapsed() < 10


def test_sweep_removes_claims_of_nobody(store: Store) -> None:
    claims = store.root / "claims"
    with store.claim(Product("a", "0" * 32)):
        (claims / "dead.lock").touch()
        store.sweep()
        assert [p.name for p in claims.iterdir()] == ["a-" + "0" * 32 + ".lock"]
    assert list(claims.iterdir()) == []


def test_a_step_may_leave_what_another_one_leaves(store: Store) -> None:
    class Either(Number):
        also_from: ClassVar[tuple[str, ...]] = ("known",)

    for product in (SKY, Product("known", "d" * 32)):
        with store.draft(product, RECIPE, lambda: 0.0) as draft:
            draft.fill(Either(1.0))
        with store.view(Either, product) as found:
            assert found.value == 1.0
    with pytest.raises(TypeError, match="known/dddddddddddd is no Number"):
        store.view(Number, Product("known", "d" * 32)).__enter__()
