"""Outputs of hostile runs: nothing but regular files of a sane size crosses."""

import os
from pathlib import Path

from grader.rerun.outputs import collect

NAMES = ["001.wav", "002.wav", "003.wav"]


def test_clips_are_found_by_name_and_by_number(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "r12345678").mkdir(parents=True)
    (out / "001.wav").write_bytes(b"one")
    (out / "r12345678" / "002.WAV").write_bytes(b"two")
    (out / "003_generated_e2e.wav").write_bytes(b"three")
    (out / "log.txt").write_bytes(b"x")
    found = collect(out, NAMES, tmp_path / "mine", 100)
    assert [path.read_bytes() for path in found.clips.values()] == [b"one", b"two", b"three"]
    assert found.renamed == {"002.wav": "r12345678/002.WAV", "003.wav": "003_generated_e2e.wav"}
    assert found.refused == {}


def test_the_file_of_that_very_name_goes_first(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in ("001.wav", "001_generated.wav", "2.wav", "002_b.wav"):
        (out / name).write_bytes(name.encode())
    found = collect(out, NAMES, tmp_path / "mine", 100)
    assert found.clips["001.wav"].read_bytes() == b"001.wav"
    assert "several files" in found.refused["002.wav"]
    assert "003.wav" not in found.clips


def test_links_pipes_folders_and_giants_are_refused(tmp_path: Path) -> None:
    out, secret = tmp_path / "out", tmp_path / "secret"
    out.mkdir()
    secret.write_bytes(b"the reference")
    (out / "001.wav").symlink_to(secret)
    os.mkfifo(out / "002.wav")
    with (out / "003.wav").open("wb") as file:
        file.truncate(10_000_000_000)  # sparse: it takes no disk
    found = collect(out, NAMES, tmp_path / "mine", 1_000_000)
    assert found.clips == {}
    assert found.refused == {
        "001.wav": "is a symbolic link",
        "002.wav": "is no regular file",
        "003.wav": "is 10000 MB large",
    }
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_folder_called_like_a_clip_and_a_linked_folder(tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    (out / "001.wav").mkdir(parents=True)
    other.mkdir()
    (other / "002.wav").write_bytes(b"another student's")
    (out / "linked").symlink_to(other)
    assert collect(out, NAMES, tmp_path / "mine", 100).clips == {}


def test_deep_and_crowded_trees_end(tmp_path: Path) -> None:
    deep = tmp_path / "out"
    for _ in range(60):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (deep / "001.wav").write_bytes(b"x")
    assert collect(tmp_path / "out", NAMES, tmp_path / "mine", 100).clips == {}
