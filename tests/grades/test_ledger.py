"""decisions.yaml: every mistake told with file, line and key; contradictions refused; files keep their bytes."""

import json
import re
import threading
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from grader import course as courses
from grader.course import Course
from grader.errors import CourseError, EnvironmentProblem
from grader.grades import ledger, ledger_file
from grader.grades.deciding import decide
from grader.grades.decisions import Bonus, Extension, Points
from grader.grades.ledger import parse
from tests.grades.making import the_rubric

RUBRIC = the_rubric()
HEAD = "- {at: 2023-11-03 14:00, reason: r, by: lin, student: "


def problem(text: str) -> str:
    with pytest.raises(CourseError) as caught:
        parse(text, RUBRIC, "d.yaml")
    assert caught.value.help
    return str(caught.value)


def entries(*lines: str) -> str:
    return "".join(f"{HEAD}{line}}}\n" for line in lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            entries("r1, kind: extenson, days: 1"),
            "d.yaml:1: 0.kind: must be one of .*did you mean extension",
        ),
        (entries("r1"), "d.yaml:1: 0.kind: must be one of .*; missing"),
        (entries("r1, kind: waiver", "r1, kind: extension"), "d.yaml:2: 1: an extension needs either until .* or days"),
        (entries("r1, kind: extension, days: 1, until: 2023-11-05"), "needs either until"),
        (entries("r1, kind: extension, dayss: 1"), "d.yaml:1: 0.dayss: unknown key; did you mean days"),
        (entries("r1, kind: extension, days: -1"), "d.yaml:1: 0.days: must be greater than 0; found -1"),
        (entries("r1, kind: extension, until: Friday"), "0.until: must be a time"),
        (
            entries("r1, kind: points, what: quality, set: 51"),
            "d.yaml:1: 0.set: 51 is more than the 50 points",
        ),
        (entries("r1, kind: points, what: quality, add: -51"), "0.add: -51 is more than the 50"),
        (entries("r1, kind: points, what: final, set: 1, add: 2"), "points need either set or add"),
        (entries("r1, kind: report, points: 50.5"), "0.points: 50.5 is more than the 50"),
        (entries("r1, kind: bonus, what: other"), "bonus other needs points"),
        (entries("r1, kind: bonus, what: loop, points: 6"), "0.points: 6 is more than the 5"),
        (entries("r1, kind: excuse, replaces: true"), "0.replaces: unknown key"),
        ("- {student: r1, kind: excuse, reason: r, by: b}\n", "d.yaml:1: 0.at: missing"),
        ("- {at: 2023-11-03, student: r1, kind: excuse, by: b}\n", "d.yaml:1: 0.reason: missing"),
        (
            "- at: 2023-11-03\n  at: 2023-11-04\n  student: r1\n  kind: excuse\n  reason: r\n  by: b\n",
            "d.yaml:2: 0.at: stands twice",
        ),
        ("- just text\n", "d.yaml:1: 0: must hold keys"),
        ("student: r1\n", "d.yaml:1: is no list of decisions"),
        ("- [1\n", "d.yaml:2: not valid YAML"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_key(text: str, said: str) -> None:
    assert re.search(said, problem(text)), problem(text)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("kind: extension, days: 1", "kind: extension, until: 2023-11-05"),
        ("kind: report, points: 3", "kind: report, points: 4"),
        ("kind: points, what: final, set: 3", "kind: points, what: final, set: 3"),
        ("kind: points, what: final, add: 3", "kind: points, what: final, add: 4"),
        ("kind: bonus, what: loop", "kind: bonus, what: loop"),
        ("kind: excuse", "kind: excuse"),
    ],
)
def test_two_values_of_the_same_thing_contradict_unless_one_replaces_the_other(first: str, second: str) -> None:
    said = problem(entries(f"r1, {first}", f"R1, {second}"))
    assert said.startswith("d.yaml:2: ")
    assert "in line 1" in said
    assert len(parse(entries(f"r1, {first}", f"r2, {second}"), RUBRIC).holding) == 2
    if "excuse" not in first:
        replaced = parse(entries(f"r1, {first}", f"r1, {second}, replaces: true"), RUBRIC)
        assert [entry.line for entry in replaced.holding] == [2]
        assert len(replaced.entries) == 2
    taken_back = parse(
        entries(f"r1, {first}", f"r1, kind: withdraw, of: {first.split()[1].strip(',')}", f"r1, {second}"), RUBRIC
    )
    assert [entry.line for entry in taken_back.holding] == [3]


def test_what_does_not_contradict() -> None:
    text = entries(
        "r1, kind: extension, days: 1, part: report",
        "r1, kind: extension, days: 2, part: prediction",
        "r1, kind: comment",
        "r1, kind: comment",
        "r1, kind: points, what: quality, add: 1",
        "r1, kind: points, what: report, add: 1",
        "r1, kind: points, what: quality, set: 1",
    )
    text += "- {at: 2023-11-03 14:00, reason: another, by: lin, student: r1, kind: points, what: quality, add: 1}\n"
    assert len(parse(text, RUBRIC).of("R1").holding) == 8


def test_replacing_or_withdrawing_nothing_is_a_mistake() -> None:
    assert "no earlier report of R1 to replace" in problem(entries("r1, kind: report, points: 3, replaces: true"))
    assert "no earlier extension report of R1 to withdraw" in problem(
        entries("r1, kind: extension, days: 2, part: prediction", "r1, kind: withdraw, of: extension, part: report")
    )


def test_all_mistakes_are_told_at_once_and_unknown_students_with_who_is_near() -> None:
    assert len(problem(entries("r1, kind: x", "r1, kind: extension")).splitlines()) == 2
    found = parse(entries("r12922001, kind: excuse", "r12922010, kind: excuse"), RUBRIC, "d.yaml")
    with pytest.raises(CourseError, match=r"d.yaml:2: student: .* R12922010; did you mean R12922001\?"):
        found.refuse_unknown({"R12922001"})


@pytest.fixture
def course(tmp_path: Path) -> Course:
    (tmp_path / "rubric.yaml").write_bytes(courses.rubric.default_path().read_bytes())
    (tmp_path / "students.csv").write_text("student_id\nR12922001\nR12922002\n")
    return Course(tmp_path)


def add(course: Course, *words: str, reason: str | None = "because") -> list[str]:
    kind, who, *values = words
    return decide(course, kind, who, values, reason=reason, by="lin", at="2023-11-03 14:00")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("indent", ["", "    "])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_what_stands_there_keeps_its_bytes(course: Course, end: str, indent: str, mark: str) -> None:
    line = "- {kind: excuse, student: r12922002, at: 2023-11-02, by: 'x', reason: \"老師\"}  # !"
    before = f"{mark}# mine: keep{end}{end}{indent}{line}{end}{indent}# last"
    course.ledger_path.write_bytes(before.encode())
    assert add(course, "extension", "r12922001", "days=2.5") == [
        "R12922001: extension by 2.5 d (because; decided by lin, 2023-11-03 14:00)"
    ]
    after = course.ledger_path.read_bytes()
    assert after.startswith(before.encode() + end.encode())
    assert after.count(b"\r\n") == (after.count(b"\n") if end == "\r\n" else 0)
    assert [entry.decision.kind for entry in course.ledger().entries] == ["excuse", "extension"]


def test_a_new_file_says_what_it_is(course: Course) -> None:
    add(course, "points", "r12922001", "what=quality", "add=-5")
    assert course.ledger_path.read_text(encoding="utf-8").startswith("# Decisions about single students")
    (found,) = course.ledger().of("R12922001").of(Points)
    assert (found.add, found.by, found.at) == (-5, "lin", "2023-11-03 14:00")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("extension", "r12922009", "days=2"), "nobody here is called R12922009; did you mean"),
        (("extension", "r12922001", "until=2023-10-30"), "ends no later than the deadline"),
        (("extension", "r12922001", "reason=x"), "'reason=x' is no key=value that can stand here"),
        (("extension", "r12922001", "days"), "'days' is no key=value"),
        (("points", "r12922001", "what=quality", "set=70"), "nothing was added, because .*70 is more than the 50"),
        (("bonuss", "r12922001"), "'bonuss' is no kind of decision; did you mean bonus"),
        (("excuse", "r12922002"), "R12922002 has excuse in line 1 and excuse here"),
    ],
)
def test_a_wrong_decision_changes_nothing(course: Course, words: tuple[str, ...], said: str) -> None:
    course.ledger_path.write_text(entries("r12922002, kind: excuse"))
    with pytest.raises(CourseError, match=said):
        add(course, *words)
    assert course.ledger_path.read_text() == entries("r12922002, kind: excuse")
    assert not list(course.root.glob(".decisions*"))


def test_a_full_disk_leaves_the_ledger_as_it_was(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    course.ledger_path.write_text(entries("r12922002, kind: excuse"))
    course.ledger_path.chmod(0o640)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(EnvironmentProblem, match="cannot be written"):
            add(course, "excuse", "r12922001")
    assert course.ledger_path.read_text() == entries("r12922002, kind: excuse")
    assert not list(course.root.glob(".decisions*"))
    add(course, "excuse", "r12922001")
    assert course.ledger_path.stat().st_mode & 0o777 == 0o640


def test_a_decision_needs_a_reason(course: Course) -> None:
    with pytest.raises(CourseError, match="needs a reason"):
        add(course, "excuse", "r12922001", reason=None)
    assert not course.ledger_path.exists()


@pytest.mark.parametrize("text", ["[]", "[{at: 2023-11-03, student: r12922001, kind: excuse, reason: r, by: b}]"])
def test_a_list_in_brackets_is_left_alone(course: Course, text: str) -> None:
    course.ledger_path.write_text(text)
    with pytest.raises(CourseError, match="written in brackets"):
        add(course, "comment", "r12922001")
    assert course.ledger_path.read_text() == text


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=30).filter(lambda text: text.encode("utf-8", "ignore").decode() == text))
def test_any_reason_is_read_back_as_it_was(reason: str) -> None:
    lines = [{"at": "2023-11-03 14:00", "student": "R1", "kind": "comment", "reason": reason, "by": reason}]
    content = ledger_file._longer(b"", lines, Path("d.yaml"))
    (entry,) = parse(content.decode(), RUBRIC).entries
    assert (entry.decision.reason, entry.decision.by) == (reason, reason)


def test_two_at_once_both_stand(course: Course) -> None:
    threads = [
        threading.Thread(target=add, args=(course, "comment", "r12922001"), kwargs={"reason": f"number {index}"})
        for index in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {entry.decision.reason for entry in course.ledger().entries} == {f"number {index}" for index in range(6)}


def test_votes_are_taken_in_once(course: Course, tmp_path: Path) -> None:
    path = tmp_path / "votes.json"
    record = {
        "kind": "grader-votes",
        "version": 1,
        "title": RUBRIC.title,
        "view": "private",
        "blind": True,
        "ranking": [
            {"student": "R12922002", "points": 9, "place": 1},
            {"student": "R12922001", "points": 4, "place": 2},
        ],
    }
    path.write_text(json.dumps(record))
    said = add(course, "votes", str(path), reason=None)
    assert [line.split(" (")[0] for line in said] == [
        "R12922002: vote place 1 with 9 points",
        "R12922001: vote place 2 with 4 points",
    ]
    with pytest.raises(CourseError, match="R12922002 has vote place 1"):
        add(course, "votes", str(path))
    for change, what in (({"view": "public"}, "public view"), ({"title": "HW1"}, "'HW1'"), ({"blind": False}, "blind")):
        path.write_text(json.dumps({**record, **change}))
        with pytest.raises(CourseError, match=what):
            add(course, "votes", str(path))


def test_a_bonus_that_is_worth_nothing_is_a_mistake() -> None:
    nothing = the_rubric({"bonus.loop": 0})
    with pytest.raises(CourseError, match=r"1: 0.what: the rubric gives nothing for loop \(bonus.loop\)"):
        parse(entries("r1, kind: bonus, what: loop"), nothing)
    assert parse(entries("r1, kind: bonus, what: loop, points: 1"), nothing).holding


PIECES = """- |  |student: |kind: |r1|extension|bonus|[|]|{|}|: |, |'|"|&a |*a|!!int |? |#|days: |1|null|- - |--- |%"""
pieces = st.sampled_from(["\n", "|", *PIECES.split("|")])


@settings(max_examples=150, deadline=None)
@given(st.lists(pieces, max_size=14).map("".join) | st.text(max_size=40))
@example("- &a [*a]")
@example("- {kind: [x]}")
@example("- {kind: extension, kind: {}}")
@example("- {at: 2023-11-03, student: [r1], kind: excuse, reason: {}, by: 1}")
def test_any_text_is_a_ledger_or_a_mistake_that_is_told(text: str) -> None:
    said = ""
    try:
        parse(text, RUBRIC)
    except CourseError as error:
        said = f"{error}{error.help}"
    assert "Error" not in said


def test_kinds_are_found_by_their_type() -> None:
    found = parse(entries("r1, kind: extension, days: 1", "r1, kind: bonus, what: loop", "r2, kind: excuse"), RUBRIC)
    assert [each.days for each in found.of("R1").of(Extension)] == [1]
    assert found.of("R1").first(Points) is None
    assert found.by_student()["R1"].first(Bonus)
    assert ledger.load(Path("nowhere/decisions.yaml"), RUBRIC).entries == ()
