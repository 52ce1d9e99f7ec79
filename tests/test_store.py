"""Records by content: kept, found again, never changed; damaged files and full disks."""

import math
import multiprocessing
import os
import shutil
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from grader import salvage
from grader.errors import EnvironmentProblem
from grader.store import Store, content_key, file_sha256, unpack


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "records.sqlite"


def test_a_record_outlives_its_store(path: Path) -> None:
    arrays = {"f0_hz": np.array([220.5, 0.1]), "audio": np.zeros((2, 3), np.float32)}
    with Store(path) as store:
        store.put("metric", "key", {"value": 0.1 + 0.2, "name": "陳", "none": None}, arrays)
    with Store(path) as store:
        assert store.get("metric", "key") == {"value": 0.1 + 0.2, "name": "陳", "none": None}
        found = store.arrays("metric", "key")
        assert found is not None
        assert {name: (array.dtype, array.tolist()) for name, array in found.items()} == {
            name: (array.dtype, array.tolist()) for name, array in arrays.items()
        }
        assert store.get("other stage", "key") is None
        assert store.arrays("metric", "other key") is None
        assert store.set_aside is None


def test_a_record_is_never_changed(path: Path) -> None:
    with Store(path) as store:
        store.put("metric", "key", {"value": 1})
        store.put("metric", "key", {"value": 2})
        assert store.get("metric", "key") == {"value": 1}
        assert store.arrays("metric", "key") is None


def test_many_at_once(path: Path) -> None:
    with Store(path) as store:
        for number in range(0, 1200, 2):
            store.put("metric", str(number), {"value": number})
        found = store.get_many("metric", [str(number) for number in range(1200)])
    assert found == {str(number): {"value": number} for number in range(0, 1200, 2)}


def test_what_is_no_number_is_not_kept(path: Path) -> None:
    with Store(path) as store, pytest.raises(ValueError, match="JSON"):
        store.put("metric", "key", {"value": math.nan})


def test_keys_depend_on_every_part_and_not_on_order() -> None:
    assert content_key(a=1, b={"x": [1.5, None]}) == content_key(b={"x": [1.5, None]}, a=1)
    assert len({content_key(a=1), content_key(a=2), content_key(b=1), content_key(a="1"), content_key(a=[1])}) == 5


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_a_files_hash_is_remembered_until_the_file_changes(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "clip.wav"
    file.write_bytes(b"one")
    age(file, 60)
    reads = []
    monkeypatch.setattr("grader.store.file_sha256", lambda path: reads.append(path) or file_sha256(path))
    with Store(path) as store:
        first = store.sha256(file)
        assert (store.sha256(file), len(reads)) == (first, 1)
        file.write_bytes(b"two")
        age(file, 30)
        assert store.sha256(file) != first
        assert len(reads) == 2


def test_a_file_changed_within_the_clocks_grain_is_read_again(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "clip.wav"
    with Store(path) as store:
        file.write_bytes(b"one")
        stat = file.stat()
        first = store.sha256(file)
        file.write_bytes(b"two")
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert store.sha256(file) != first


def write_many(path: Path, start: int) -> None:
    with Store(path) as store:
        for number in range(start, start + 200):
            store.put("metric", str(number), {"value": number})


def test_two_processes_at_once_lose_nothing(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=write_many, args=(path, start)) for start in (0, 100)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
    assert [process.exitcode for process in processes] == [0, 0]
    with Store(path) as store:
        assert store.get_many("metric", [str(n) for n in range(300)]) == {str(n): {"value": n} for n in range(300)}


@pytest.mark.parametrize("content", [b"not a database, but long enough to look like one" * 100, b"SQLite format 3\0"])
def test_a_file_that_is_no_store_is_set_aside(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with Store(path) as store:
        store.put("metric", "key", {"value": 1})
        assert store.get("metric", "key") == {"value": 1}
        assert store.set_aside is not None
        assert store.set_aside.read_bytes() == content


def test_a_store_of_another_layout_is_set_aside(path: Path) -> None:
    Store(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=99")
    db.close()
    with Store(path) as store:
        assert store.set_aside is not None


def test_damage_found_in_use_is_said_and_the_next_run_begins_anew(path: Path) -> None:
    with Store(path) as store:
        for number in range(400):
            store.put("metric", str(number), {"value": number, "filler": "x" * 200})
    content = bytearray(path.read_bytes())
    content[4096 * 2 :] = os.urandom(len(content) - 4096 * 2)
    path.write_bytes(content)
    every = [str(number) for number in range(400)]
    with Store(path) as store, pytest.raises(EnvironmentProblem, match=r"damaged .* moved to records\.damaged-"):
        store.get_many("metric", every)
    with Store(path) as store:
        assert store.get("metric", "1") is None
        store.put("metric", "1", {"value": 1})
        assert store.get("metric", "1") == {"value": 1}


def test_whole_records_are_found_page_by_page_also_in_the_log_and_where_they_are_long(path: Path) -> None:
    random = np.random.default_rng(0)
    arrays = {str(number): {"audio": random.normal(size=number * 40)} for number in range(200)}

    def check() -> None:
        found = {key: unpack(blob) for _, key, _, _, blob, _, _ in salvage.rows(path) if blob is not None}
        assert found.keys() == arrays.keys()
        for key, of_key in arrays.items():
            np.testing.assert_array_equal(found[key]["audio"], of_key["audio"])

    with Store(path) as store:
        for key, of_key in arrays.items():
            store.put("metric", key, {"value": key}, of_key)
        assert path.with_name(f"{path.name}-wal").stat().st_size > 0
        check()
    check()
    content = path.read_bytes()
    for damage in (b"", content[:50], bytes(5000), os.urandom(20_000), content[: len(content) // 3]):
        path.write_bytes(damage)
        assert len(list(salvage.rows(path))) < 200


def test_what_is_whole_in_a_damaged_store_is_kept_and_one_of_several_graders_mends_it(path: Path) -> None:
    with Store(path) as store:
        for number in range(300):
            store.put("metric", str(number), {"value": number, "filler": "x" * 300})
    content = path.read_bytes()
    path.write_bytes(os.urandom(100) + content[100:-30_000])

    def use(_: int) -> tuple[int, int]:
        with Store(path) as store:
            found = store.get_many("metric", [str(number) for number in range(300)])
            assert all(record["value"] == int(key) for key, record in found.items())
            return store.saved, len(found)

    with ThreadPoolExecutor(4) as pool:
        used = list(pool.map(use, range(4)))
    assert len(list(path.parent.glob("records.damaged-*.sqlite"))) == 1
    saved, found = max(used)
    assert 100 < saved == found < 300
    assert sum(bool(each) for each, _ in used) == 1
    assert {each for _, each in used} == {found}


def test_a_flipped_bit_makes_a_record_unknown_never_another_number(path: Path) -> None:
    with Store(path) as store:
        store.put("metric", "key", {"value": 1.25}, {"embedding": np.ones(100)})
        store.put("metric", "other", {"value": 2.5})
    content = path.read_bytes()
    assert content.count(b'{"value": 1.25}') == 1
    path.write_bytes(content.replace(b'{"value": 1.25}', b'{"value": 1.35}'))
    with Store(path) as store:
        assert store.get("metric", "key") is None
        assert store.get("metric", "other") == {"value": 2.5}
        store.put("metric", "key", {"value": 1.25}, {"embedding": np.ones(100)})
        assert store.get("metric", "key") == {"value": 1.25}
        store.close()
        ones = np.ones(10).tobytes()
        content = path.read_bytes()
        assert ones in content
        path.write_bytes(content.replace(ones, np.full(10, 2.0).tobytes(), 1))
    with Store(path) as store:
        assert store.arrays("metric", "key") is None
        assert store.get("metric", "key") is None


def test_a_full_disk_is_the_environments_and_loses_nothing(path: Path) -> None:
    with Store(path) as store:
        store.put("metric", "before", {"value": 1})
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count={pages + 2}")
        with pytest.raises(EnvironmentProblem, match="full") as caught:
            store.put("metric", "large", {}, {"audio": np.random.default_rng(0).normal(size=10_000)})
        assert "disk has room" in caught.value.help
        assert store.get("metric", "before") == {"value": 1}
        assert store.get("metric", "large") is None


def test_a_folder_that_cannot_be_made_is_the_environments(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(EnvironmentProblem, match="cannot be opened"):
        Store(tmp_path / "state" / "records.sqlite")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked child")
def test_killed_while_writing_it_keeps_what_was_finished(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=write_forever, args=(path,))
    process.start()
    while not path.exists() or shutil.disk_usage(path).free == 0 or count(path) < 50:
        time.sleep(0.01)
    process.kill()
    process.join()
    with Store(path) as store:
        kept = store.get_many("metric", [str(number) for number in range(100_000)])
    assert len(kept) >= 50
    assert kept == {str(number): {"value": number} for number in range(len(kept))}


def write_forever(path: Path) -> None:
    with Store(path) as store:
        for number in range(100_000):
            store.put("metric", str(number), {"value": number}, {"zeros": np.zeros(1000)})


def count(path: Path) -> int:
    with Store(path) as store:
        return int(store._db.execute("SELECT count(*) FROM record").fetchone()[0])
