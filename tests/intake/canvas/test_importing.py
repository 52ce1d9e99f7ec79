"""A bulk download brought into a course."""

import dataclasses
import json
import shutil
import stat
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from grader.cli import main
from grader.course import Course
from grader.errors import CourseError, GraderError
from grader.intake import handins
from grader.intake.canvas import importing, record
from grader.intake.canvas.importing import Outcome
from grader.progress import Progress
from tests.hostile import archives
from tests.intake.canvas.making import BRIEN, CHEN, JANE, User, a_course, download, entry_name, gradebook, inner_zip

USERS = (JANE, CHEN, BRIEN)


@pytest.fixture
def course(tmp_path: Path) -> Course:
    (tmp_path / "export.csv").write_bytes(gradebook(USERS))
    return a_course(tmp_path / "course")


def bring(course: Course, entries: dict[str, bytes], name: str = "submissions.zip") -> Outcome:
    source = download(course.root.parent / name, entries)
    return importing.bring_in(source, course.root.parent / "export.csv", course, Progress())


def codes(outcome: Outcome) -> list[str]:
    return sorted(finding.code for finding in outcome.findings if finding.code != "canvas-no-times")


def files(course: Course) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(course.submissions.iterdir())}


def test_everything_of_a_student_is_laid_out_and_found_again(course: Course) -> None:
    zips = {user: inner_zip(content=user.login.encode(), folder="clips") for user in USERS}
    outcome = bring(
        course,
        {
            entry_name(JANE, 700, "r12345678.zip"): zips[JANE],
            entry_name(JANE, 701, "r12345678_report.pdf"): b"%PDF-1",
            entry_name(JANE, 702, "r12345678_code.zip"): zips[CHEN],
            entry_name(CHEN, 710, "B10902017-1.zip", late=True): zips[CHEN],
            entry_name(CHEN, 711, "報告.pdf", late=True): b"%PDF-2",
            entry_name(BRIEN, 720, "requirements.txt"): b"numpy",
            entry_name(BRIEN, 721, "README.txt"): b"read me",
            entry_name(BRIEN, 719, "HW2.zip"): zips[BRIEN],
        },
    )
    assert outcome.complete
    assert files(course) == {
        "r12345678.zip": zips[JANE],
        "r12345678_report.pdf": b"%PDF-1",
        "r12345678_code.zip": zips[CHEN],
        "b10902017-1.zip": zips[CHEN],
        "b10902017_report.pdf": b"%PDF-2",
        "d11944011_requirements.txt": b"numpy",
        "d11944011_README.txt": b"read me",
        "d11944011.zip": zips[BRIEN],
    }
    hand_ins, unplaced = handins.collect(course.submissions, course.rubric)
    assert unplaced == []
    assert [hand_in.student_id for hand_in in hand_ins] == ["B10902017", "D11944011", "R12345678"]
    assert codes(outcome) == ["canvas-late-no-time", "canvas-recognised", "canvas-recognised"]
    stored = record.load(course.state)
    assert stored.late() == {"B10902017": True, "D11944011": False, "R12345678": False}
    assert stored.files[711].entry == entry_name(CHEN, 711, "報告.pdf", late=True)
    assert stored.files[711].placed == "b10902017_report.pdf"


def test_importing_again_changes_nothing(course: Course) -> None:
    entries = {
        entry_name(JANE, 700, "r12345678.zip"): inner_zip(),
        entry_name(JANE, 701, "report.pdf"): b"%PDF",
        entry_name(CHEN, 710, "r99999999.zip"): inner_zip("x"),
    }
    first = bring(course, entries)
    assert (len(first.added), len(first.known)) == (3, 0)
    before = files(course), record.path_in(course.state).read_bytes()
    second = bring(course, entries)
    assert (len(second.added), len(second.known)) == (0, 3)
    assert (files(course), record.path_in(course.state).read_bytes()) == before
    assert [path.name for path in (course.state / "imports").iterdir()] == ["canvas.json"]
    record.path_in(course.state).unlink()  # and without the record what lies there is recognised
    third = bring(course, entries)
    assert (len(third.added), len(third.known)) == (0, 3)
    assert (files(course), record.path_in(course.state).read_bytes()) == before


def test_a_later_download_adds_versions_and_the_newest_counts(course: Course) -> None:
    first, second, third = (inner_zip(content=content) for content in (b"one", b"two", b"three"))
    bring(course, {entry_name(JANE, 700, "r12345678.zip"): first})
    bring(course, {entry_name(JANE, 750, "r12345678-1.zip"): second}, "later.zip")
    outcome = bring(course, {entry_name(JANE, 790, "final.zip"): third}, "last.zip")
    assert files(course) == {"r12345678.zip": first, "r12345678-1.zip": second, "r12345678-2.zip": third}
    assert [each.placed for each in outcome.added] == ["r12345678-2.zip"]
    (hand_in,), _ = handins.collect(course.submissions, course.rubric)
    assert [attempt.path.name for attempt in hand_in.attempts][-1] == "r12345678-2.zip"


def test_downloads_in_the_wrong_order_never_make_an_old_version_count(course: Course) -> None:
    old, new = inner_zip(content=b"old"), inner_zip(content=b"new")
    bring(course, {entry_name(JANE, 750, "r12345678-1.zip"): new})
    bring(course, {entry_name(JANE, 700, "r12345678.zip"): old})
    assert files(course) == {"r12345678.zip": old, "r12345678-1.zip": new}
    outcome = bring(course, {entry_name(JANE, 690, "first.zip"): inner_zip(content=b"oldest")})
    assert codes(outcome) == ["canvas-recognised", "canvas-unplaced"]
    assert not outcome.complete
    assert files(course) == {"r12345678.zip": old, "r12345678-1.zip": new}


def test_a_version_handed_in_again_after_another_counts(course: Course) -> None:
    one, two = inner_zip(content=b"one"), inner_zip(content=b"two")
    for attachment, content in ((700, one), (710, two), (720, one)):
        bring(course, {entry_name(JANE, attachment, "r12345678.zip"): content})
    assert files(course) == {"r12345678.zip": one, "r12345678-1.zip": two, "r12345678-2.zip": one}
    again = bring(course, {entry_name(JANE, 730, "r12345678.zip"): one})
    assert (len(again.added), len(again.known)) == (0, 1)


def test_what_lies_there_is_never_overwritten(course: Course) -> None:
    (course.submissions / "R12345678.ZIP").write_bytes(b"put here by hand")
    content = inner_zip()
    bring(course, {entry_name(JANE, 700, "r12345678.zip"): content})
    assert files(course) == {"R12345678.ZIP": b"put here by hand", "r12345678-1.zip": content}
    (course.submissions / "r12345678-1.zip").write_bytes(b"mended by the TA")
    outcome = bring(course, {entry_name(JANE, 700, "r12345678.zip"): content})
    assert codes(outcome) == ["canvas-edited"]
    assert files(course)["r12345678-1.zip"] == b"mended by the TA"
    (course.submissions / "r12345678-1.zip").unlink()
    assert len(bring(course, {entry_name(JANE, 700, "r12345678.zip"): content}).added) == 1


def test_a_changed_attachment_or_owner_is_refused(course: Course) -> None:
    name = entry_name(JANE, 700, "r12345678.zip")
    content = inner_zip()
    bring(course, {name: content})
    assert codes(bring(course, {name: inner_zip(content=b"other")})) == ["canvas-unplaced"]
    other = dataclasses.replace(JANE, login="r99999999")
    (course.root.parent / "export.csv").write_bytes(gradebook((other, CHEN)))
    outcome = bring(course, {name: content})
    assert "gradebook says r99999999" in outcome.findings[0].what_text()
    assert files(course) == {"r12345678.zip": content}


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        (User(6000, "Nobody, Knows", "r1"), "Canvas user 6000 is not in export.csv"),
        (User(5004, "No, Login", "someone"), "'someone' where a student ID"),
        (User(5005, "Two, Ids", "r11111111", "r22222222"), "two student IDs"),
        (User(5006, "Same, Id", "r12345678"), "in more than one row"),
    ],
)
def test_whoever_cannot_be_mapped_is_listed_with_the_reason(course: Course, user: User, reason: str) -> None:
    known = [] if user.canvas_id == 6000 else [user]
    (course.root.parent / "export.csv").write_bytes(gradebook((JANE, CHEN, *known)))
    outcome = bring(
        course,
        {entry_name(user, 700, "r12345678.zip"): inner_zip(), entry_name(CHEN, 701, "B10902017.zip"): inner_zip("x")},
    )
    assert codes(outcome) == ["canvas-unplaced"]
    assert reason in outcome.findings[0].what_text()
    assert outcome.findings[0].fix_text()
    assert list(files(course)) == ["b10902017.zip"]
    assert not outcome.complete


def test_another_students_id_on_a_file_or_inside_is_told(course: Course) -> None:
    outcome = bring(
        course,
        {
            entry_name(JANE, 700, "b10902017.zip"): inner_zip("clips"),
            entry_name(CHEN, 701, "b10902017.zip"): inner_zip("d11944011"),
        },
    )
    told = [finding.what_text() for finding in outcome.findings if finding.code == "canvas-other-id"]
    assert [text.split(";")[0] for text in told] == [
        "b10902017 uploaded this, but it names D11944011",
        "r12345678 uploaded this, but it names B10902017",
    ]
    assert set(files(course)) == {"r12345678.zip", "b10902017.zip"}


def test_late_marks_and_known_times_are_compared(course: Course) -> None:
    (course.root / "submissions.csv").write_text(
        "student_id,submitted_at\nr12345678,2023-11-01 20:00\nb10902017,2023-11-02 09:00\n", encoding="utf-8"
    )
    outcome = bring(
        course,
        {
            entry_name(JANE, 700, "r12345678.zip", late=True): inner_zip(),
            entry_name(CHEN, 701, "b10902017.zip"): inner_zip("x"),
            entry_name(BRIEN, 702, "d11944011.zip", late=True): inner_zip("x"),
        },
    )
    assert codes(outcome) == ["canvas-late-early", "canvas-late-no-time", "canvas-not-late"]
    assert outcome.complete
    (course.root / "decisions.yaml").write_text(
        "- at: 2023-11-01 12:00\n  student: b10902017\n  kind: extension\n  days: 1\n  reason: sick\n  by: Lin\n",
        encoding="utf-8",
    )
    again = bring(course, {entry_name(CHEN, 701, "b10902017.zip"): inner_zip("x")})
    assert codes(again) == []


def test_without_times_a_file_has_the_latest_it_can_have(course: Course) -> None:
    bring(
        course,
        {
            entry_name(JANE, 700, "r12345678.zip"): inner_zip(),
            entry_name(CHEN, 701, "b10902017.zip", late=True): inner_zip("x"),
        },
    )
    hand_ins, _ = handins.collect(course.submissions, course.rubric)
    times = {hand_in.student_id: hand_in.attempts[-1].file_time for hand_in in hand_ins}
    assert abs((times["R12345678"] - course.rubric.deadline_at).total_seconds()) < 1
    assert times["B10902017"].astimezone(course.rubric.zone).isoformat() == "2023-11-03T09:00:00+08:00"


def test_typed_text_and_comments_give_links(course: Course) -> None:
    table = 'Student,ID,Comment\r\n"Doe, Jane",5001,"code: https://example.org/jane (see there)"\r\nX,77,https://example.org/x\r\n'
    outcome = bring(
        course,
        {
            entry_name(CHEN, 0, "").replace(
                "_0_", "_text.html"
            ): b'<p>See <a href="https://example.org/chen?a=1&amp;b=2">x</a></p>',
            "submission_comments.csv": table.encode("utf-8-sig"),
            "comments.html": b"<ul><li>d11944011: https://example.org/pat</li><li>b10902017 nothing</li></ul>",
        },
    )
    assert [(link.student_id, link.url) for link in outcome.links] == [
        ("b10902017", "https://example.org/chen?a=1&b=2"),
        ("d11944011", "https://example.org/pat"),
        ("r12345678", "https://example.org/jane"),
    ]
    assert codes(outcome) == ["canvas-unplaced"]
    assert "https://example.org/x" in outcome.findings[0].what_text()


def test_who_handed_in_nothing_is_named(course: Course) -> None:
    assert bring(course, {entry_name(JANE, 700, "r12345678.zip"): inner_zip()}).nothing == ["b10902017", "d11944011"]


def test_the_test_student_and_junk_are_left_out_quietly(course: Course) -> None:
    tester = User(5999, "Student, Test", "0f3a")
    outcome = bring(
        course,
        {entry_name(tester, 700, "r12345678.zip"): inner_zip(), "__MACOSX/._x": b"", ".DS_Store": b"", "folder/": b""},
    )
    assert outcome.complete
    assert codes(outcome) == ["canvas-test-student"]
    assert files(course) == {}


def hostile(path: Path, course: Course) -> Outcome:
    return importing.bring_in(path, course.root.parent / "export.csv", course, Progress())


def test_a_hostile_entry_is_left_out_and_holds_up_no_other(course: Course, tmp_path: Path) -> None:
    path = tmp_path / "submissions.zip"
    good = inner_zip()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../" + entry_name(JANE, 690, "r12345678.zip"), good)
        link = zipfile.ZipInfo(entry_name(JANE, 691, "report.pdf"))
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr(entry_name(CHEN, 692, "b10902017.zip"), bytes(60_000_000), zipfile.ZIP_DEFLATED)
        archive.writestr(entry_name(JANE, 700, "r12345678.zip"), good)
        archive.writestr(entry_name(BRIEN, 701, "d11944011.zip"), b"some bytes that will be damaged")
    content = path.read_bytes().replace(b"some bytes that", b"SOME bytes that")
    path.write_bytes(content)
    outcome = hostile(path, course)
    assert codes(outcome) == ["canvas-unplaced"] * 4
    assert files(course) == {"r12345678.zip": good}
    assert not (tmp_path.parent / entry_name(JANE, 690, "r12345678.zip")).exists()


def test_a_download_that_is_none_is_refused(course: Course, tmp_path: Path) -> None:
    overlapping = archives.overlapping_bomb(tmp_path)
    for source in (write(tmp_path / "a.zip", b"no zip"), write(tmp_path / "b.zip", b""), overlapping):
        with pytest.raises(CourseError):
            hostile(source, course)
    with pytest.raises(CourseError, match="is no gradebook export"):
        importing.bring_in(
            download(tmp_path / "c.zip", {}), write(tmp_path / "x.csv", b"a,b\n1,2\n"), course, Progress()
        )
    assert files(course) == {}


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_the_command_prints_and_exits(course: Course, tmp_path: Path) -> None:
    source = download(tmp_path / "s.zip", {entry_name(JANE, 700, "r12345678.zip"): inner_zip(), "x_9_9_a.zip": b""})
    arguments = [
        "import",
        "canvas",
        str(source),
        "--gradebook",
        str(tmp_path / "export.csv"),
        "--course",
        str(course.root),
    ]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 1
    assert "1 new file (1 × predictions)" in done.output
    assert "Canvas user 9 is not in export.csv" in done.output
    done = CliRunner().invoke(main, [*arguments, "--json"])
    assert json.loads(done.stdout)["complete"] is False


def test_what_a_killed_import_left_is_removed(course: Course) -> None:
    left = course.state / "imports" / "unpacking-4194999-abc"
    left.mkdir(parents=True)
    (left / "000001").write_bytes(b"half")
    bring(course, {entry_name(JANE, 700, "r12345678.zip"): inner_zip()})
    assert [path.name for path in (course.state / "imports").iterdir()] == ["canvas.json"]


def test_a_full_disk_is_told(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(course.root)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=3))
    with pytest.raises(GraderError, match="MB are free"):
        bring(course, {entry_name(JANE, 700, "r12345678.zip"): inner_zip()})
    assert files(course) == {}
