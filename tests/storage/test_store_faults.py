"""The store on a bad disk: damaged files, a full disk, a folder without permission."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from storage.errors import StoreError
from storage.store import Store
from tests.storage.products import OTHER, RECIPE, SKY, files, make, python


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


@pytest.mark.parametrize("compression", [None, "lzf"])
def test_a_full_disk_ends_no_process_that_still_holds_the_array(store: Store, compression: str | None) -> None:
    """The failed array goes after the file: with an error's traceback, or here by hand."""
    code = """
        import gc, resource, signal, sys
        from pathlib import Path
        import numpy as np
        from storage.errors import StoreError
        from storage.product import Product
        from storage.store import Store
        store = Store(Path(sys.argv[1]))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        try:
            with store.draft(Product("sky", "a" * 32), {}, lambda: 0.0) as draft:
                raw = draft.growing("raw", (1000,), np.float32, {"lzf": "lzf"}.get(sys.argv[2]))
                for k in range(100):
                    raw.append(np.random.default_rng(k).random((1, 1000)).astype(np.float32))
        except StoreError as error:
            print(error)
        del raw
        gc.collect()
        print("goes on", flush=True)
    """
    told = python(code, store.root, compression)
    assert "cannot be written (File too large; " in told.stdout
    assert told.stdout.endswith("goes on\n"), told.stderr
    assert files(store) == []


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
