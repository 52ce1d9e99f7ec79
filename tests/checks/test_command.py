"""``grader check`` as students and TAs run it."""

import io
import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from grader import rubric
from grader.checks import command, render
from grader.cli import main
from grader.errors import CourseError
from tests.making import good_clips, pdf_bytes, tone, wav_bytes, zipped
from tests.speaking import english_left

CLIPS = good_clips()
HEAVY = {"torch", "librosa", "scipy", "numba", "soxr", "auraloss", "pypdf", "dask"}


def grader(
    *arguments: str | Path, cwd: Path, before: tuple[str, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    settings = {**os.environ, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8", **environment}
    whole = [sys.executable, *before, "-m", "grader", *map(str, arguments)]
    return subprocess.run(whole, cwd=cwd, env=settings, capture_output=True, text=True, encoding="utf-8", check=False)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return zipped(CLIPS, tmp_path / "r12345678.zip")


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    wrong = {f"r12345679/{number:03d}.wav": wav_bytes(tone(0.2, 100 + number), 16000) for number in range(3, 31)}
    return zipped(wrong | {"r12345679/1.wav": wav_bytes(tone())}, tmp_path / "r12345679.zip")


def test_a_good_zip_is_said_to_be_good_in_a_few_lines(good: Path) -> None:
    done = grader("check", good, cwd=good.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert "This can be graded as it is." in done.stdout
    assert len(done.stdout.splitlines()) < 12


def test_a_bad_zip_says_place_reason_and_fix_within_80_columns(bad: Path) -> None:
    done = grader("check", bad, cwd=bad.parent)
    assert (done.returncode, done.stderr) == (1, "")
    said = " ".join(done.stdout.split())
    assert "Of the 30 clips 1 is not there: 002.wav." in said
    assert "r12345679/1.wav It is taken for 001.wav. → Name it 001.wav." in said
    assert "003.wav–030.wav (28 files) Its sample rate is 16000 Hz; 22050 Hz is expected." in said
    assert said.count("16000 Hz") == 1
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert "\x1b" not in done.stdout


def test_colour_only_where_it_is_asked_for(bad: Path) -> None:
    assert "\x1b[" in grader("check", bad, cwd=bad.parent, FORCE_COLOR="1").stdout
    plain = grader("check", bad, cwd=bad.parent, FORCE_COLOR="1", NO_COLOR="1").stdout
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", plain)


@pytest.mark.parametrize("encoding", ["ascii", "cp950", "cp1252"])
def test_terminals_that_know_few_characters(bad: Path, encoding: str) -> None:
    settings = {**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "80"}
    whole = [sys.executable, "-m", "grader", "check", str(bad)]
    done = subprocess.run(whole, cwd=bad.parent, env=settings, capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stderr == b""
    assert "X r12345679/1.wav" in done.stdout.decode(encoding) or "! r12345679/1.wav" in done.stdout.decode(encoding)


def test_names_of_files_cannot_write_on_the_terminal(tmp_path: Path) -> None:
    names = ["\x1b[2J\x1b]0;owned\x07.wav", "a\nb\r.wav", "\u202egpj.wav", "[red]{x}[bold].wav", "\udc80.wav"]
    entries = {f"r12345678/{name}".encode("utf-8", "replace").decode(): b"" for name in names}
    path = zipped(CLIPS | entries, tmp_path / "r12345678.zip")
    done = grader("check", path, cwd=tmp_path)
    assert done.returncode == 0
    controls = {letter for letter in done.stdout if unicodedata.category(letter) in ("Cc", "Cf")}
    assert controls == {"\n"}
    assert "[red]{x}[bold].wav" in done.stdout
    assert "\\x1b[2J" in done.stdout


def test_json_is_ascii_and_whole(bad: Path) -> None:
    done = grader("check", bad, "--json", cwd=bad.parent, PYTHONIOENCODING="ascii")
    record = json.loads(done.stdout)
    assert (record["version"], record["ok"], record["strays"]) == (1, False, [])
    (report,) = record["reports"]
    assert set(report) == {"student_id", "source", "ok", "results", "clips"}
    assert set(report["results"][0]) == {"name", "group", "sentence", "status", "reason", "findings"}
    finding = next(finding for result in report["results"] for finding in result["findings"])
    assert set(finding) == {"code", "severity", "whose", "where", "what", "fix", "template", "facts"}
    assert report["clips"] is None


@pytest.mark.parametrize(
    "arguments", [["check"], ["check", "nothing.zip"], ["check", "."], ["check", "x", "--course", "x"]]
)
def test_wrong_use_is_2(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "x").mkdir()
    done = grader(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_wrong_rubric_is_2(good: Path) -> None:
    (good.parent / "mine.yaml").write_text("title: x\n")
    done = grader("check", good, "--rubric", "mine.yaml", cwd=good.parent)
    assert done.returncode == 2
    assert "mine.yaml:" in done.stderr


def test_a_rubric_of_ones_own(good: Path) -> None:
    text = rubric.default_path().read_text(encoding="utf-8").replace("count: 30", "count: 31")
    (good.parent / "mine.yaml").write_text(text, encoding="utf-8")
    done = grader("check", good, "--rubric", "mine.yaml", cwd=good.parent)
    assert done.returncode == 1
    assert "Of the 31 clips 1 is not there: 031.wav." in done.stdout


@pytest.fixture
def a_class(good: Path, bad: Path) -> Path:
    """A course folder whose submissions hold a good and a bad zip, a resubmission, a report alone, and a stray."""
    submissions = good.parent / "course" / "submissions"
    submissions.mkdir(parents=True)
    (submissions.parent / "rubric.yaml").write_text(rubric.default_path().read_text(encoding="utf-8"), encoding="utf-8")
    (submissions / good.name).write_bytes(bad.read_bytes())
    good.rename(submissions / "r12345678-1.zip")
    bad.rename(submissions / bad.name)
    (submissions / "r12345670_report.pdf").write_bytes(pdf_bytes("R12345670"))
    (submissions / "hw2.zip").write_bytes(b"")
    return submissions


def test_a_class_is_checked_at_once(a_class: Path) -> None:
    planned = command.plan([a_class])
    reports = list(command.run(planned))
    assert [(report.source.name, report.submission is not None) for report in reports] == [
        ("R12345670.zip", False),
        ("r12345678-1.zip", True),
        ("r12345679.zip", False),
    ]
    assert [finding.code for finding in planned.strays] == ["submission-unrecognised"]
    done = grader("check", a_class, cwd=a_class)
    assert done.returncode == 1
    assert "2 of 3 hand-ins" not in done.stdout
    assert "1 of 3 hand-ins can be graded as they are." in done.stdout
    assert "Files that belong to nobody" in done.stdout


def test_documents_are_looked_at_in_a_course_and_where_one_lies_beside(a_class: Path, tmp_path: Path) -> None:
    def beside(path: Path) -> bool:
        ((_, hand_in),) = command.plan([path], course_dir=a_class.parent).uploads
        return hand_in is not None

    assert beside(a_class / "r12345678-1.zip")
    alone = zipped(CLIPS, tmp_path / "r12345678.zip")
    assert not beside(alone)
    (tmp_path / "r12345678_README.txt").write_text("x")
    assert beside(alone)


def test_test_mels_of_the_course_folder_are_used(a_class: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (a_class.parent / "test_mels").mkdir()
    (a_class.parent / "test_mels" / "001.npy").touch()
    assert list(command.plan([a_class / "r12345679.zip"]).mels) == ["001.wav"]
    monkeypatch.chdir(a_class)
    assert list(command.plan([Path("r12345679.zip")]).mels) == ["001.wav"]


def test_a_folder_that_holds_no_hand_in(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="holds no hand-in"):
        command.plan([tmp_path])


def test_neither_check_nor_help_imports_anything_heavy(good: Path) -> None:
    for arguments in (["check", good], ["--help"]):
        done = grader(*arguments, cwd=good.parent, before=("-X", "importtime"))
        assert done.returncode == 0
        imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
        assert "click" in imported
        assert not imported & HEAVY


CPU_SECONDS = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime)
"""


UNZIP_AND_DECODE = """
import io, sys, zipfile
import numpy, soundfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    for name in archive.namelist():
        soundfile.read(io.BytesIO(archive.read(name)), dtype="float32")
"""


@pytest.mark.parametrize(("arguments", "most_times"), [(["-m", "grader", "check"], 4), (["-m", "grader", "--help"], 1)])
def test_it_starts_at_once(tmp_path: Path, arguments: list[str], most_times: float) -> None:
    """CPU time of the whole process against one that unzips and decodes, in turn; 30 noisy clips of 6 s."""
    rng = np.random.default_rng(0)
    noisy = {name: wav_bytes(tone(6) + rng.normal(0, 0.02, 6 * 22050)) for name in CLIPS}
    upload = zipped(noisy, tmp_path / "r12345678.zip")
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}

    def cpu_seconds(*command: str) -> float:
        whole = [sys.executable, "-c", CPU_SECONDS, sys.executable, *command, str(upload)]
        return float(subprocess.check_output(whole, cwd=tmp_path, env=environment))

    pairs = [(cpu_seconds(*arguments), cpu_seconds("-c", UNZIP_AND_DECODE)) for _ in range(3)]
    assert min(whole for whole, _ in pairs) < most_times * min(floor for _, floor in pairs)


def test_it_speaks_chinese_where_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zipped({**CLIPS, "r12345678/003.wav": b""}, tmp_path / "r12345678.zip")
    upload = str(tmp_path / "r12345678.zip")
    english = CliRunner().invoke(main, ["check", upload])
    asked = CliRunner().invoke(main, ["check", upload, "--lang", "zh-TW"])
    assert (english.exit_code, asked.exit_code) == (1, 1)
    assert "The file is empty (0 bytes)." in english.output
    assert "檔案是空的（0 位元組）。" in asked.output
    assert "目前無法評分： 1 個錯誤。" in asked.output
    assert "未檢查：此處沒有測試用的梅爾頻譜" in asked.output
    assert [line for line in asked.output.splitlines() if english_left(line)] == []
    monkeypatch.setenv("LC_ALL", "zh_TW.UTF-8")
    assert CliRunner().invoke(main, ["check", upload]).output == asked.output
    assert CliRunner().invoke(main, ["check", upload, "--lang", "en"]).output == english.output
    as_json = CliRunner().invoke(main, ["check", upload, "--json", "--lang", "zh-TW"])
    assert "The file is empty (0 bytes)." in as_json.output


def test_the_rubric_may_choose_the_language(tmp_path: Path) -> None:
    text = rubric.default_path().read_text(encoding="utf-8")
    (tmp_path / "rubric.yaml").write_text(text.replace("language: en ", "language: zh-TW "), encoding="utf-8")
    zipped(CLIPS, tmp_path / "r12345678.zip")
    assert "可以直接評分" in CliRunner().invoke(main, ["check", str(tmp_path / "r12345678.zip")]).output


def test_a_terminal_that_cannot_show_it_is_spoken_to_in_english() -> None:
    console = Console(file=io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert render.Screen(console, "zh-TW").say("fine") == "This can be graded as it is"
