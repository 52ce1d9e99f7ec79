"""Names that strangers chose."""

import unicodedata
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.intake import names


@given(st.text())
def test_what_is_printed_is_one_short_line_without_control_characters(name: str) -> None:
    shown = names.printable(name)
    assert len(shown) <= 90
    assert all(unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for letter in shown)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("預測 001.wav", "預測 001.wav"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\u202egpj", "\\u202egpj"),
        ("a\nb", "a\\x0ab"),
        ("\udc80", "\\x80"),
    ],
)
def test_printable(name: str, shown: str) -> None:
    assert names.printable(name) == shown


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "..", "/x", "\\x", "\\\\host\\x", "C:\\x", "c:x", "..\\x", "a\0b", "", ".", "./"]
)
def test_names_that_lead_outside_are_refused(name: str) -> None:
    with pytest.raises(names.UnsafeName):
        names.parts_of(name)


@given(st.text(max_size=30), st.lists(st.sampled_from(["..", "/", "\\", "C:", "a", ".", "\0"]), max_size=8))
def test_what_is_taken_stays_inside(name: str, pieces: list[str]) -> None:
    try:
        parts = names.parts_of("".join(pieces) + name)
    except names.UnsafeName:
        return
    assert parts
    assert not any(part in ("", ".", "..") or "/" in part or "\\" in part or "\0" in part for part in parts)


@given(st.text(min_size=1), st.integers(0, 99_999))
def test_a_name_on_disk_is_plain(name: str, index: int) -> None:
    assert names.on_disk(index, (name,)).isascii()
    assert len(names.on_disk(index, (name,))) <= 66
    assert not set(names.on_disk(index, (name,))) & set('/\\:*?"<>|\0')


@pytest.mark.parametrize(
    ("stored", "name", "encoding"),
    [
        ("001.wav", "001.wav", None),
        ("預測".encode("cp950").decode("cp437"), "預測", "cp950"),
        ("預測".encode().decode("cp437"), "預測", "utf-8"),
    ],
)
def test_names_are_recovered(stored: str, name: str, encoding: str | None) -> None:
    assert names.decode_zip_name(zipfile.ZipInfo(stored)) == (name, encoding)


def test_a_flagged_name_is_taken_as_it_is() -> None:
    info = zipfile.ZipInfo("é")
    info.flag_bits = 0x800
    assert names.decode_zip_name(info) == ("é", None)


@pytest.mark.parametrize("name", ["__MACOSX/a", "x/.DS_Store", "Thumbs.db", "a/._001.wav", "x/DESKTOP.INI"])
def test_junk(name: str) -> None:
    assert names.is_junk(names.parts_of(name))


def test_a_clip_is_no_junk() -> None:
    assert not names.is_junk(("r12345678", "001.wav"))
