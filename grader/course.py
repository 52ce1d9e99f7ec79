"""A course folder: where its rubric, hand-ins, test mels, references and results are.

The repository's own root has the same shape, so the commands work in the checkout and in any folder of a TA's.
"""

from __future__ import annotations

import csv
import datetime as dt
import zoneinfo
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast, get_args

from grader import rubric
from grader.errors import CourseError
from grader.grades import ledger
from grader.grades.ledger import Ledger
from grader.grades.times import Part, Sent
from grader.rubric import Rubric
from grader.store import Store

AUDIO_SUFFIXES = (".wav", ".flac")


@dataclass(frozen=True)
class Course:
    """Paths of one course. Nothing is read before it is asked for."""

    root: Path

    @property
    def rubric_path(self) -> Path:
        return self.root / "rubric.yaml"

    @property
    def submissions(self) -> Path:
        return self.root / "submissions"

    @property
    def test_mels(self) -> Path:
        return self.root / "test_mels"

    @property
    def references(self) -> Path:
        return self.root / "references"

    @property
    def ledger_path(self) -> Path:
        return self.root / ledger.NAME

    @property
    def state(self) -> Path:
        """What the grader keeps between runs."""
        return self.root / ".grader"

    @property
    def snapshots(self) -> Path:
        return self.state / "snapshots"

    @property
    def site(self) -> Path:
        return self.root / "site"

    @cached_property
    def rubric(self) -> Rubric:
        return rubric.load(self.rubric_path)

    def store(self) -> Store:
        return Store(self.state / "records.sqlite")

    def mel_paths(self) -> dict[str, Path]:
        """Test mels by clip name (``001.wav`` → ``test_mels/001.npy``), those that exist."""
        paths = {name: self.test_mels / f"{Path(name).stem}.npy" for name in self.rubric.clips.names()}
        return {name: path for name, path in paths.items() if path.is_file()}

    def reference_paths(self) -> dict[str, Path]:
        """Private recordings by clip name, wav or FLAC; raises :class:`CourseError` naming all that are missing."""
        found, missing = {}, []
        for name in self.rubric.clips.names():
            stem = Path(name).stem
            path = next((p for s in AUDIO_SUFFIXES if (p := self.references / f"{stem}{s}").is_file()), None)
            if path is None:
                missing.append(stem)
            else:
                found[name] = path
        if missing:
            raise CourseError(
                f"{self.references}: no recording for {', '.join(missing)}",
                help=f"put the ground truth there as {missing[0]}.wav (or .flac); only the grader reads it",
            )
        return found

    def submission_times(self) -> dict[str, dt.datetime]:
        """When each student last handed in predictions, by the lines of ``submissions.csv``."""
        lines = {
            student: [sent.at for sent in sents if sent.part != "report"] for student, sents in self.sent().items()
        }
        return {student: max(times) for student, times in lines.items() if times}

    def sent(self) -> dict[str, tuple[Sent, ...]]:
        """Lines of ``submissions.csv`` by upper-case student ID, in the file's order.

        Columns ``student_id``, ``submitted_at`` and, where wanted, ``part`` and ``file``: see
        :mod:`grader.grades.times`. Times without an offset are in the rubric's time zone. Raises :class:`CourseError`
        naming file, line and value.
        """
        path = self.root / "submissions.csv"
        times: dict[str, tuple[Sent, ...]] = {}
        if not path.is_file():
            return times
        for line, row in _rows(path, ("student_id", "submitted_at")):
            text = row["submitted_at"].strip()
            try:
                time = dt.datetime.fromisoformat(text)
            except ValueError:
                raise CourseError(
                    f"{path}:{line}: submitted_at {text!r} is not a time",
                    help="write it as 2023-11-01 23:59:00, with +08:00 behind it where it is not in the rubric's zone",
                ) from None
            part = row.get("part", "").strip().lower() or None
            if part not in (None, *get_args(Part)):
                raise CourseError(
                    f"{path}:{line}: part {part!r}", help="write prediction or report, or nothing where it is both"
                )
            time = time if time.tzinfo else time.replace(tzinfo=zoneinfo.ZoneInfo(self.rubric.timezone))
            student = row["student_id"].strip().upper()
            sent = Sent(time, cast(Part | None, part), row.get("file", "").strip() or None, line)
            times[student] = (*times.get(student, ()), sent)
        return times

    def report_points(self) -> dict[str, float]:
        """Points for the report from ``report_points.csv`` (columns ``student_id``, ``points``), by upper-case ID."""
        path = self.root / "report_points.csv"
        points: dict[str, float] = {}
        if not path.is_file():
            return points
        most = self.rubric.points.report
        for line, row in _rows(path, ("student_id", "points")):
            text = row["points"].strip()
            if not text:
                continue
            try:
                value = float(text)
            except ValueError:
                value = float("nan")
            if not 0 <= value <= most:
                raise CourseError(f"{path}:{line}: points {text!r}", help=f"a number from 0 to {most:g} is allowed")
            student = row["student_id"].strip().upper()
            if student in points:
                raise CourseError(f"{path}:{line}: {student} stands there twice", help="keep one line for each student")
            points[student] = value
        return points

    def roster(self) -> set[str]:
        """Upper-case IDs in ``students.csv`` (column ``student_id``): everyone in the course, where that is known."""
        path = self.root / "students.csv"
        if not path.is_file():
            return set()
        return {student for _, row in _rows(path, ("student_id",)) if (student := row["student_id"].strip().upper())}

    def ledger(self) -> Ledger:
        """The decisions in ``decisions.yaml``, checked; raises :class:`CourseError` naming file, line and key."""
        return ledger.load(self.ledger_path, self.rubric)


def find(start: Path) -> Course:
    """The course folder at ``start`` or above it; raises :class:`CourseError` where there is none."""
    start = start.absolute()
    for folder in (start, *start.parents):
        if (folder / "rubric.yaml").is_file():
            return Course(folder)
    raise CourseError(
        f"{start}: no rubric.yaml here or above: this is not a course folder",
        help="go to the course folder, or name it with --course; `grader demo DIR` makes one to try",
    )


def rubric_near(start: Path) -> Rubric:
    """The rubric of the course folder at ``start`` or above it; outside of one, the packaged rubric."""
    try:
        here = find(start)
    except CourseError:
        return rubric.load()
    return here.rubric


def _rows(path: Path, columns: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV file with their line numbers; UTF-8 with or without a mark."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [column for column in columns if column not in (reader.fieldnames or [])]
            if missing:
                raise CourseError(
                    f"{path}: no column {', '.join(missing)}; found {', '.join(reader.fieldnames or ['nothing'])}",
                    help=f"the first line must name the columns {', '.join(columns)}",
                )
            return [(reader.line_num, {key: value or "" for key, value in row.items() if key}) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CourseError(f"{path}: cannot be read: {error}", help="save it as UTF-8 CSV") from None
