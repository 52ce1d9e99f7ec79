"""The public view: every byte of it searched for what is private, as it lies there and decoded."""

import base64
import io
import json
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner
from PIL import Image

from grader.cli import main
from grader.errors import EnvironmentProblem, GraderError
from grader.grades.leaderboard import Leaderboard
from grader.site import aliases
from tests.site.sounding import CLIPS, FIRST, NAME, REPORT, SAID, SECOND, SILENT, Sounding, make


@pytest.fixture
def sounding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sounding:
    return make(tmp_path, monkeypatch)


def public(sounding: Sounding) -> Path:
    folder = sounding.course.root / "site-public"
    sounding.build(folder)
    return folder


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file's name and bytes, and what is inside: base64 decoded, metadata of pictures, zlib streams."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        name, content = path.relative_to(folder).as_posix(), path.read_bytes()
        yield name, name.encode() + b"\n" + content
        for coded in re.findall(rb"[A-Za-z0-9+/]{24,}={0,2}", content):
            decoded = base64.b64decode(coded[: len(coded) // 4 * 4])
            yield f"{name} (base64)", decoded
            with suppress(zlib.error):
                yield f"{name} (deflated)", zlib.decompress(decoded)
        if path.suffix == ".webp":
            with Image.open(path) as picture:
                yield f"{name} (metadata)", repr(picture.info).encode()
        if path.suffix == ".mp3":
            with sf.SoundFile(path) as file:
                yield f"{name} (tags)", repr(file.copy_metadata()).encode()


def private_words(sounding: Sounding, board: Leaderboard) -> dict[str, bytes]:
    """What must not stand anywhere in public, by what it is."""
    words: dict[str, str] = {f"ID {student}": student for student in REPORT}
    words |= {f"id {student}": student.lower() for student in REPORT}
    words |= {"name": NAME, "part of a name": "Wang", "finding": SAID, "failure": "is silent"}
    words |= {"time": "03:21:09", "time of another": "09:08:07", "table": "submissions.csv", "upload": ".zip"}
    for row in board.rows:
        grade = row.grade
        for what in ("quality_points", "provisional_points", "final_points", "semester_percent", "report_points"):
            value = getattr(grade, what)
            if value:
                words[f"{what} of {grade.student_id}"] = f"{value:.2f}"
    for owner, recordings in sounding.found.recordings.items():
        words |= {f"upload {owner} {one.name}": one.sha256[:16] for one in recordings}
    words |= {f"hash of reference {one.name}": one.sha256[:16] for one in sounding.found.references}
    found = {what: word.encode() for what, word in words.items()}
    for one in sounding.found.references:
        samples = one.path.read_bytes()[44:]
        found[f"samples of reference {one.name}"] = samples[6000:6064]
    return found


def test_no_byte_of_it_is_private(sounding: Sounding) -> None:
    folder = sounding.course.root / "site-public"
    board = sounding.build(folder)
    forbidden = private_words(sounding, board)
    private = list(contents(sounding.course.site))
    for what, word in forbidden.items():  # what is searched for is really there to be found in the private site
        if what.startswith(("ID", "name", "finding", "failure", "time", "final", "report")):
            assert any(word in content for _, content in private), what
    seen = list(contents(folder))
    assert {Path(name.split(" ")[0]).suffix for name, _ in seen} >= {".html", ".js", ".css", ".mp3", ".webp"}
    assert [(what, name) for what, word in forbidden.items() for name, content in seen if word in content] == []


def test_no_reference_can_be_heard_or_seen(sounding: Sounding) -> None:
    folder = public(sounding)
    references = [sf.read(one.path, dtype="float32")[0] for one in sounding.found.references]
    for path in (folder / "audio").iterdir():
        decoded, _ = sf.read(path, dtype="float32")
        for reference in references:
            size = min(len(decoded), len(reference))
            assert abs(np.corrcoef(decoded[:size], reference[:size])[0, 1]) < 0.5
    for name in CLIPS:
        data = clip(folder, name)
        assert [source["kind"] for source in data["sources"]] == ["baseline", "student", "student"]
        assert {source["difference"] for source in data["sources"]} == {None}
        mine = clip(sounding.course.site, name)["sources"][0]
        assert mine["kind"] == "reference"
        for file in (mine["audio"], mine["mel"], mine["linear"]):
            assert not (folder / file).exists()


def clip(folder: Path, name: str) -> dict:
    stem = Path(name).stem
    text = (folder / f"clips/{stem}.js").read_text()
    return json.loads(text.removeprefix(f'grader.clip("{stem}",').removesuffix(");\n"))


def test_only_what_the_pages_name_lies_there(sounding: Sounding) -> None:
    folder = public(sounding)
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    named = {
        source[kind]
        for name in CLIPS
        for source in clip(folder, name)["sources"]
        for kind in ("audio", "mel", "linear")
    }
    assets = {name for name in there if name.startswith("assets/")}
    assert there == named | assets | {"index.html", "listen.html", "clips/001.js", "clips/002.js"}


def test_pictures_and_sound_carry_no_metadata(sounding: Sounding) -> None:
    folder = public(sounding)
    for path in (folder / "pictures").iterdir():
        assert path.read_bytes()[12:16] == b"VP8 "
    for path in (folder / "audio").iterdir():
        content = path.read_bytes()
        assert content[:2] == b"\xff\xf3"  # the first frame, no tag before it
        assert content[-128:-125] != b"TAG"
        with sf.SoundFile(io.BytesIO(content)) as file:
            assert not any(file.copy_metadata().values())


def test_references_are_shown_where_the_rubric_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sounding = make(tmp_path, monkeypatch, {"public_references: false": "public_references: true"})
    folder = public(sounding)
    data = clip(folder, "001.wav")
    assert [source["kind"] for source in data["sources"]] == ["reference", "baseline", "student", "student"]
    assert (folder / data["sources"][0]["audio"]).is_file()
    assert (folder / data["sources"][-1]["difference"]).is_file()


def test_who_opted_in_is_named_and_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = f"opt_in: {{{FIRST.lower()}: 小明}}"
    sounding = make(tmp_path, monkeypatch, {"opt_in: {}": named})
    folder = public(sounding)
    assert "小明" in (folder / "index.html").read_text(encoding="utf-8")
    labels = [source["label"] for source in clip(folder, "001.wav")["sources"]]
    assert "小明" in labels
    everything = b"".join(content for _, content in contents(folder))
    assert FIRST.encode() not in everything.upper()
    assert SECOND.encode() not in everything.upper()


def test_aliases_stay_and_are_not_to_be_computed(tmp_path: Path) -> None:
    ids = [f"R129220{number:02d}" for number in range(80)]
    first = aliases.people(tmp_path / "a.json", ids[:40], {})
    again = aliases.people(tmp_path / "a.json", ids, {})
    assert {student: again[student] for student in ids[:40]} == first
    assert len({person.key for person in again.values()}) == len(ids)
    other = aliases.people(tmp_path / "b.json", ids, {})
    assert sum(other[student] == again[student] for student in ids) < 5
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o600
    assert aliases.who_is(tmp_path / "a.json") == {person.key: student for student, person in again.items()}


def test_a_class_larger_than_there_are_names(tmp_path: Path) -> None:
    everyone = aliases.people(tmp_path / "a.json", map(str, range(5600)), {})
    assert len({person.key for person in everyone.values()}) == 5600


@pytest.mark.parametrize("text", ["", "[]", '{"seed": "xyz", "aliases": {}}', '{"seed": "00"}'])
def test_a_damaged_table_of_aliases_is_refused_not_drawn_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "aliases.json").write_text(text)
    with pytest.raises(EnvironmentProblem, match=r"aliases\.json: the table of aliases cannot be read"):
        aliases.people(tmp_path / "aliases.json", ["R1"], {})
    assert (tmp_path / "aliases.json").read_text() == text


def test_what_an_earlier_run_left_in_the_public_folder_is_gone(sounding: Sounding) -> None:
    folder = sounding.course.root / "site-public"
    for name in (
        "leaderboard.json",
        "clips.csv",
        f"students/{FIRST}.html",
        "tells.html",
        "audio/0123456789abcdef0123.mp3",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(FIRST)
    (folder / "robots.txt").write_text("the web server's own")
    public(sounding)
    left = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert "robots.txt" in left
    assert not {name for name in left if FIRST in name or name.endswith((".csv", ".json")) or "tells" in name}
    assert not (folder / "audio/0123456789abcdef0123.mp3").exists()


def test_the_public_folder_may_not_be_the_private_one(sounding: Sounding) -> None:
    for folder in (sounding.course.site, sounding.course.site / "public"):
        with pytest.raises(GraderError, match="cannot lie in the private ones' folder"):
            sounding.build(folder)


def test_the_command(sounding: Sounding) -> None:
    course = sounding.course.root
    done = CliRunner().invoke(main, ["leaderboard", "--course", str(course), "--jobs", "1", "--public"])
    assert done.exit_code == 0, done.output
    assert f"for everyone: {course / 'site-public' / 'index.html'}" in done.output
    assert SILENT not in (course / "site-public/index.html").read_text(encoding="utf-8")
    out = course / "elsewhere"
    CliRunner().invoke(main, ["leaderboard", "--course", str(course), "--jobs", "1", "--public", "--out", str(out)])
    assert (out / "index.html").read_bytes() == (course / "site-public/index.html").read_bytes()
    done = CliRunner().invoke(main, ["leaderboard", "--course", str(course), "--out", str(out)])
    assert done.exit_code == 2
