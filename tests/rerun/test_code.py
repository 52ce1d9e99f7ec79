"""Code out of zips and folders: names kept, nothing outside, the student's files untouched."""

import os
import zipfile
from pathlib import Path

import pytest

from grader import rubric
from grader.errors import CourseError
from grader.rerun.code import CodeError, lay_out

LIMITS = rubric.load().archive


def zipped(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def test_a_zip_with_a_wrapper_folder_and_names_with_blanks(tmp_path: Path) -> None:
    source = zipped(tmp_path / "c.zip", {"my code/inference.py": "x", "my code/cp/g 1.pth": "yy", "__MACOSX/._a": "z"})
    code = lay_out(source, tmp_path / "out", LIMITS)
    assert code.sizes == {"inference.py": 1, "cp/g 1.pth": 2}
    assert code.root == tmp_path / "out" / "my code"
    assert code.find("INFERENCE.PY") == code.root / "inference.py"
    assert not (tmp_path / "out.unpacking").exists()


def test_a_folder_is_copied_and_links_are_left_out(tmp_path: Path) -> None:
    source = tmp_path / "code"
    (source / "sub").mkdir(parents=True)
    (source / "inference.py").write_text("x")
    (source / "sub" / "a.py").write_text("y")
    (source / "secret").symlink_to("/etc/passwd")
    os.mkfifo(source / "pipe")
    code = lay_out(source, tmp_path / "out", LIMITS)
    assert set(code.sizes) == {"inference.py", "sub/a.py"}
    (code.root / "inference.py").write_text("changed")
    assert (source / "inference.py").read_text() == "x"


def test_weights_from_elsewhere_are_put_where_the_ta_says(tmp_path: Path) -> None:
    source = zipped(tmp_path / "c.zip", {"inference.py": "x"})
    weights = tmp_path / "drive"
    weights.mkdir()
    (weights / "g_01").write_text("w")
    code = lay_out(source, tmp_path / "out", LIMITS, {"cp": weights, "one/g": weights / "g_01"})
    assert set(code.sizes) == {"inference.py", "cp/g_01", "one/g"}
    with pytest.raises(CourseError, match="outside"):
        lay_out(source, tmp_path / "out", LIMITS, {"../x": weights})
    with pytest.raises(CourseError, match="does not exist"):
        lay_out(source, tmp_path / "out", LIMITS, {"x": tmp_path / "nothing"})


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"../evil.py": "x"}, "evil"),
        ({"/etc/x": "x"}, "absolute"),
        ({"a": "x", "a/b": "y"}, "file and a folder"),
        ({}, "no file"),
        ({"n" * 300: "x"}, "too long"),
    ],
)
def test_bad_zips_are_refused_with_the_entry(files: dict[str, str], words: str, tmp_path: Path) -> None:
    source = zipped(tmp_path / "c.zip", files)
    with pytest.raises(CodeError, match=words):
        lay_out(source, tmp_path / "out", LIMITS)
    assert not (tmp_path / "evil.py").exists()


def test_what_is_no_zip_is_named(tmp_path: Path) -> None:
    source = tmp_path / "c.zip"
    source.write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(50))
    with pytest.raises(CodeError, match="7z"):
        lay_out(source, tmp_path / "out", LIMITS)


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "c.zip"
    with zipfile.ZipFile(source, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(CodeError, match="symbolic link"):
        lay_out(source, tmp_path / "out", LIMITS)
