"""Numbered snapshots of a leaderboard: every input of every grade and what came of it, so that two can be compared.

One JSON file each in ``.grader/snapshots/``, written whole or not at all and never changed. Where nothing has changed
since the last one, none is written.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from grader import checks
from grader.errors import CourseError, EnvironmentProblem
from grader.grades.facts import Facts
from grader.grades.grade import NOTHING, Basis
from grader.grades.ledger import Decisions, Ledger, from_records
from grader.grades.points import Anchor, Curve, Scale
from grader.grades.records import Grade, Leaderboard
from grader.rubric import Rubric
from grader.store import content_key

FORMAT = 1
RESULTS = (
    "rank",
    "score",
    "quality_percent",
    "quality_points",
    "report_points",
    "bonus_points",
    "provisional_points",
    "final_points",
    "semester_percent",
    "excused",
)
_NAME = re.compile(r"([0-9]{4,})\.json")


@dataclass(frozen=True)
class Snapshot:
    """inputs: metric settings, the references' hash, the version of the checks. results: by student ID, as RESULTS.

    number: 0 for one that is in no file.
    """

    number: int
    made_at: str
    rubric: Rubric
    scale: Scale
    fad_name: str
    inputs: Mapping[str, Any]
    facts: Mapping[str, Facts]
    decisions: Mapping[str, Decisions]
    results: Mapping[str, Mapping[str, Any]]

    @property
    def basis(self) -> Basis:
        return Basis(self.rubric, self.scale, self.fad_name)

    @property
    def name(self) -> str:
        return f"snapshot {self.number}" if self.number else "now"


def now(board: Leaderboard) -> Snapshot:
    """A leaderboard as a snapshot that is in no file, just as it would be read from one."""
    return _from_record({"number": 0, **_record(_of(board))})


def _of(board: Leaderboard) -> Snapshot:
    assert board.scale is not None
    ledger = board.ledger or Ledger()
    return Snapshot(
        0,
        dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        board.rubric,
        board.scale,
        board.fad_name,
        {**board.inputs, "checks": checks.VERSION},
        board.facts,
        {student_id: decisions for student_id, decisions in ledger.by_student().items() if student_id in board.facts},
        {row.grade.student_id: _result(row.grade) for row in board.rows},
    )


def _result(grade: Grade) -> dict[str, Any]:
    late = grade.lateness
    return {
        **{name: getattr(grade, name) for name in RESULTS},
        "late_percent": late.percent if late else None,
        "failure": grade.failure,
    }


def take(board: Leaderboard, folder: Path) -> tuple[int, bool]:
    """Keep a snapshot where something has changed since the last; returns the last one's number, and whether it is new.

    Raises :class:`EnvironmentProblem` where it cannot be written.
    """
    record = _record(_of(board))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            known = numbers(folder)
            last = known[-1] if known else 0
            if known and _identity(path_of(folder, last)) == record["identity"]:
                return last, False
            if _write_new(path_of(folder, last + 1), {"number": last + 1, **record}):
                return last + 1, True
    except OSError as error:
        raise EnvironmentProblem(
            f"{folder}: the snapshot cannot be written: {error}",
            help="check that the folder can be written and the disk is not full; the scores are kept",
        ) from None


def numbers(folder: Path) -> list[int]:
    """The numbers of the snapshots there are, in order."""
    if not folder.is_dir():
        return []
    return sorted(int(match[1]) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name)))


def path_of(folder: Path, number: int) -> Path:
    return folder / f"{number:04d}.json"


def load(folder: Path, number: int) -> Snapshot:
    """Read one; raises :class:`CourseError` where it is not there, damaged, or of another version of the grader."""
    path = path_of(folder, number)
    if not path.is_file():
        there = numbers(folder)
        kept = f"kept are {there[0]} to {there[-1]}" if there else "none is kept yet"
        raise CourseError(
            f"there is no snapshot {number}; {kept}", help="every `grader leaderboard` that changes keeps one"
        )
    try:
        return _from_record(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, LookupError, TypeError, ValidationError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        raise CourseError(
            f"{path}: cannot be read as a snapshot of this version of grader ({reason})",
            help="delete it, or compare others; the next `grader leaderboard` keeps a new one",
        ) from None


def _record(snapshot: Snapshot) -> dict[str, Any]:
    students = {
        student_id: {
            "facts": facts.as_json(),
            "decisions": [each.model_dump() for each in snapshot.decisions.get(student_id, NOTHING).holding],
            "result": dict(snapshot.results[student_id]),
        }
        for student_id, facts in snapshot.facts.items()
    }
    scale = snapshot.scale
    content = {
        "format": FORMAT,
        "rubric": snapshot.rubric.model_dump(),
        "scale": {"curves": [asdict(line) for line in scale.curves], "weights": list(scale.weights)},
        "fad_name": snapshot.fad_name,
        "inputs": dict(snapshot.inputs),
        "students": students,
    }
    content = json.loads(json.dumps(content))
    return {"made_at": snapshot.made_at, "identity": content_key(**content), **content}


def _from_record(record: Mapping[str, Any]) -> Snapshot:
    if record["format"] != FORMAT:
        raise ValueError(f"format {record['format']}")
    students = record["students"]
    curves = tuple(
        Curve(line["metric"], line["label"], tuple(Anchor(**anchor) for anchor in line["anchors"]))
        for line in record["scale"]["curves"]
    )
    return Snapshot(
        record["number"],
        record["made_at"],
        Rubric.model_validate(record["rubric"]),
        Scale(curves, tuple(record["scale"]["weights"])),
        record["fad_name"],
        record["inputs"],
        {student_id: Facts.from_json(each["facts"]) for student_id, each in students.items()},
        {student_id: from_records(each["decisions"]) for student_id, each in students.items()},
        {student_id: each["result"] for student_id, each in students.items()},
    )


def _identity(path: Path) -> str | None:
    """What a kept snapshot says it holds; None where it is damaged."""
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["identity"])
    except (ValueError, LookupError, TypeError):
        return None


def _write_new(path: Path, record: Mapping[str, Any]) -> bool:
    """Write a file that is not there yet; False where another process was first."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("w", encoding="utf-8") as file:
            json.dump(record, file, ensure_ascii=False, allow_nan=False)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)
        except FileExistsError:
            return False
        except OSError:  # a disk without hard links
            if path.exists():
                return False
            part.replace(path)
        return True
    finally:
        part.unlink(missing_ok=True)


def chosen(names: tuple[str, ...], there: list[int]) -> tuple[int | None, int | None]:
    """The two snapshots that ``grader diff [A [B]]`` means; None stands for now. Raises :class:`CourseError`."""
    if len(names) < 2 and len(there) < (1 if names else 2):
        raise CourseError(
            f"{'one snapshot is' if there else 'no snapshots are'} kept so far, and two are compared",
            help="every `grader leaderboard` after a change keeps one; `grader diff N now` compares with what is now",
        )
    wanted = names or (str(there[-2]), str(there[-1]))
    if len(wanted) == 1:
        wanted = (wanted[0], str(there[-1]))
    return _number_of(wanted[0]), _number_of(wanted[1])


def _number_of(text: str) -> int | None:
    if text == "now":
        return None
    if not text.isdecimal():
        raise CourseError(f"{text!r} is no snapshot", help="name snapshots by number, or say now")
    return int(text)
