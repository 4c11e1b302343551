"""The store after a kill: no half product, parts that are kept, and what sweep removes."""

import numpy as np
import pytest

from storage.atomic import HOST, publish
from storage.product import Product
from storage.store import Store
from tests.storage.products import OTHER, RECIPE, SKY, Number, files, killed, make

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


def test_sweep_removes_claims_of_nobody(store: Store) -> None:
    claims = store.root / "claims"
    with store.claim(Product("a", "0" * 32)):
        (claims / "dead.lock").touch()
        store.sweep()
        assert [p.name for p in claims.iterdir()] == ["a-" + "0" * 32 + ".lock"]
    assert list(claims.iterdir()) == []
