"""Which file is which clip."""

import random
from pathlib import Path

import pytest

from grader.checks.layout import Layout, arrange, clip_number
from grader.intake.archive import StoredFile

NAMES = [f"{number:03d}.wav" for number in range(1, 5)]


def files(*names: str) -> list[StoredFile]:
    return [StoredFile(name, tuple(name.split("/")), Path(name), 9) for name in names]


def arranged(*names: str) -> Layout:
    return arrange(files(*names), NAMES, "r12345678")


def chosen(layout: Layout) -> dict[str, str]:
    return {name: file.name for name, file in layout.chosen.items()}


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("003.wav", 3),
        ("3.wav", 3),
        ("003.WAV", 3),
        ("003.wav.wav", 3),
        ("0003.wav", 3),
        ("clip 3.wav", 3),
        ("003_generated.wav", 3),
        ("００３.wav", 3),
        ("000.wav", 0),
        ("31.wav", 31),
        ("003.mp3", None),
        ("3", None),
        ("a.wav", None),
        ("003_e2e.wav", None),
        ("003 (1).wav", None),
        (".wav", None),
        ("9" * 40 + ".wav", None),
    ],
)
def test_the_clip_a_name_means(name: str, number: int | None) -> None:
    assert clip_number(name, NAMES) == number


def test_exact_names_win_over_likely_ones() -> None:
    layout = arranged("1.wav", "001.wav", "2.wav", "003.wav")
    assert chosen(layout) == {"001.wav": "001.wav", "002.wav": "2.wav", "003.wav": "003.wav"}
    assert layout.misnamed == ("002.wav",)
    assert layout.missing == ("004.wav",)
    assert [file.name for file in layout.copies["001.wav"]] == ["1.wav"]


def test_two_likely_names_are_unclear() -> None:
    layout = arranged("1.wav", "01.wav", "002.wav")
    assert [file.name for file in layout.unclear["001.wav"]] == ["01.wav", "1.wav"]
    assert layout.missing == ("003.wav", "004.wav")


def test_the_folder_with_most_clips_wins() -> None:
    layout = arranged("old/001.wav", "new/001.wav", "new/002.wav")
    assert layout.folder == ("new",)
    assert chosen(layout)["001.wav"] == "new/001.wav"


def test_of_folders_as_full_the_students_own_wins() -> None:
    layout = arranged("a/001.wav", "R12345678-1/001.wav", "001.wav")
    assert chosen(layout) == {"001.wav": "R12345678-1/001.wav"}


def test_what_one_folder_lacks_another_may_give() -> None:
    assert len(arranged("a/001.wav", "a/002.wav", "b/003.wav", "b/004.wav").chosen) == 4


def test_the_order_of_files_never_matters() -> None:
    names = files(
        "x/001.wav", "y/001.wav", "y/1.wav", "002.wav", "x/02.wav", "x/2.wav", "z/003.WAV", "004.wav", "a.txt"
    )
    expected = arrange(names, NAMES, "r12345678")
    for seed in range(20):
        assert arrange(random.Random(seed).sample(names, len(names)), NAMES, "r12345678") == expected
