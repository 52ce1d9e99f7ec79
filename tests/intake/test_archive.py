"""Unpacking: whole or not at all, inside its folder, whatever the bytes."""

import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader import rubric
from grader.checks import check
from grader.errors import EnvironmentProblem
from grader.intake import archive
from tests.making import good_clips, zipped

RUBRIC = rubric.load()
LIMITS = RUBRIC.archive
SMALL = {"a/1.txt": b"one" * 40, "a/2.txt": b"", "b.txt": os.urandom(300)}


def unpack(source: Path, target: Path) -> tuple[archive.StoredFile, ...]:
    return archive.unpack(archive.list_zip(source, LIMITS), target, LIMITS, free_ratio_bytes=10_000)


def test_files_come_out_as_they_went_in(tmp_path: Path) -> None:
    files = unpack(zipped(SMALL, tmp_path / "x.zip"), tmp_path / "out")
    assert {file.name: file.path.read_bytes() for file in files} == SMALL
    assert {file.name: file.size for file in files} == {name: len(data) for name, data in SMALL.items()}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "x.zip"]


def test_another_content_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    unpack(zipped(SMALL, tmp_path / "x.zip"), tmp_path / "out")
    (file,) = unpack(zipped({"c": b"new"}, tmp_path / "y.zip"), tmp_path / "out")
    assert [path.read_bytes() for path in (tmp_path / "out").iterdir()] == [b"new"]
    assert file.path.parent == tmp_path / "out"


def test_the_same_content_stays_for_another_process_that_reads_it(tmp_path: Path) -> None:
    source = zipped(SMALL, tmp_path / "x.zip")
    before = [file.path.stat().st_ino for file in unpack(source, tmp_path / "out")]
    assert [file.path.stat().st_ino for file in unpack(source, tmp_path / "out")] == before


def test_a_damaged_entry_leaves_nothing(tmp_path: Path) -> None:
    source = zipped(SMALL, tmp_path / "x.zip", zipfile.ZIP_STORED)
    source.write_bytes(source.read_bytes().replace(b"oneone", b"onetwo", 1))
    with pytest.raises(archive.ArchiveProblem, match=r"archive-damaged-entry a/1\.txt"):
        unpack(source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


@pytest.mark.parametrize(
    ("limit", "free_ratio_bytes", "code"),
    [({"max_unpacked_mb": 0.5}, 10**9, "archive-too-big"), ({"max_ratio": 20}, 1000, "archive-ratio")],
)
def test_limits_hold_while_streaming(tmp_path: Path, limit: dict[str, float], free_ratio_bytes: int, code: str) -> None:
    source = zipped({"a": bytes(300_000), "b": bytes(300_000)}, tmp_path / "x.zip")
    limits = LIMITS.model_copy(update=limit)
    with pytest.raises(archive.ArchiveProblem, match=code):
        archive.unpack(archive.list_zip(source, limits), tmp_path / "out", limits, free_ratio_bytes=free_ratio_bytes)
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


def test_a_disk_that_takes_nothing_is_the_environments_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_open = Path.open

    def full(path: Path, mode: str = "r", **options: object) -> object:
        if mode == "xb":
            raise OSError(28, "No space left on device")
        return real_open(path, mode, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(EnvironmentProblem, match="No space left"):
        unpack(zipped(SMALL, tmp_path / "x.zip"), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


def test_a_folder_is_listed_without_following_links(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "a").write_bytes(b"12")
    (tmp_path / "in" / "up").symlink_to(tmp_path)
    (tmp_path / "in" / "left").mkdir()
    listing = archive.list_folder(tmp_path / "in", LIMITS, leave_out={tmp_path / "in" / "left"})
    assert [(entry.name, str(entry.kind), entry.size) for entry in listing.entries] == [
        ("deep", "folder", 0),
        ("up", "symbolic link", 0),
        ("deep/a", "file", 2),
    ]


@pytest.fixture(scope="module")
def good_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    entries = dict(list(good_clips(seconds=0.02).items())[:3]) | {"r12345678/x.txt": b"x" * 99}
    return zipped(entries, tmp_path_factory.mktemp("good") / "r12345678.zip").read_bytes()


def check_bytes(data: bytes, folder: Path) -> None:
    """The whole check of these bytes neither raises nor breaks, and leaves nothing behind but what it unpacked."""
    source = folder / "r12345678.zip"
    source.write_bytes(data)
    before = set(folder.parent.rglob("*"))
    report = check(source, RUBRIC, unpack_to=folder / "out")
    assert not report.broke, [finding.what_text() for finding in report.findings]
    assert report.submission is None
    new = {path for path in set(folder.parent.rglob("*")) - before if (folder / "out") not in (path, path.parent)}
    assert new == set()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.tuples(st.floats(0, 0.9999), st.binary(min_size=1, max_size=4)), min_size=1, max_size=6),
    cut=st.one_of(st.none(), st.floats(0, 1)),
)
def test_a_zip_with_changed_bytes_never_breaks_the_check(
    good_bytes: bytes, tmp_path: Path, changes: list[tuple[float, bytes]], cut: float | None
) -> None:
    data = bytearray(good_bytes)
    for place, new in changes:
        at = int(place * len(data))
        data[at : at + len(new)] = new
    check_bytes(bytes(data if cut is None else data[: int(cut * len(data))]), tmp_path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=300), st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", b"7z\xbc\xaf'\x1c", b"Rar!\x1a\x07"])
)
def test_random_bytes_never_break_the_check(tmp_path: Path, data: bytes, magic: bytes) -> None:
    check_bytes(magic + data, tmp_path)
