"""decisions.yaml, checked: a list of decisions, each dated, about a known student, none contradicting another.

A line that says ``replaces: true`` takes the place of earlier ones about the same thing, and ``kind: withdraw`` takes
them back, so that the file only ever grows and still can be mended by hand. An error names file, line and key.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from grader import yaml_lines
from grader.errors import CourseError
from grader.grades.decisions import KINDS, Bonus, Decision, Points, ReportPoints, Withdraw
from grader.grades.numbers import plain
from grader.rubric import Rubric

NAME = "decisions.yaml"
_HELP = (
    "mend the lines named; the README shows every kind of decision, and `grader decide` writes them; to change an "
    "earlier one, let the later line say `replaces: true`, or take it back with `kind: withdraw`"
)
_Kind = TypeVar("_Kind", bound=Decision)


@dataclass(frozen=True)
class Entry:
    """A decision and the line where it stands."""

    decision: Decision
    line: int


@dataclass(frozen=True)
class Ledger:
    """All lines in order, and those that hold: neither replaced nor withdrawn."""

    source: str = NAME
    entries: tuple[Entry, ...] = ()
    holding: tuple[Entry, ...] = field(default=())

    def of(self, student_id: str) -> Decisions:
        """What holds for a student."""
        return Decisions(tuple(entry.decision for entry in self.holding if entry.decision.student == student_id))

    def by_student(self) -> dict[str, Decisions]:
        found: dict[str, list[Decision]] = {}
        for entry in self.holding:
            found.setdefault(entry.decision.student, []).append(entry.decision)
        return {student_id: Decisions(tuple(decisions)) for student_id, decisions in found.items()}

    def refuse_unknown(self, known: Collection[str]) -> None:
        """Raise :class:`CourseError` for every line about a student who is not among ``known``."""
        unknown = [entry for entry in self.entries if entry.decision.student not in known]
        problems = []
        for entry in unknown:
            near = difflib.get_close_matches(entry.decision.student, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            problems.append(
                f"{self.source}:{entry.line}: student: nobody here is called {entry.decision.student}{hint}"
            )
        if problems:
            raise CourseError(
                "\n".join(problems),
                help="known are those in submissions/, submissions.csv, report_points.csv and students.csv; correct "
                "the ID, or put one who handed in nothing into students.csv",
            )


@dataclass(frozen=True)
class Decisions:
    """What holds for one student, in the order of the file."""

    holding: tuple[Decision, ...] = ()

    def of(self, kind: type[_Kind]) -> list[_Kind]:
        return [decision for decision in self.holding if isinstance(decision, kind)]

    def first(self, kind: type[_Kind]) -> _Kind | None:
        return next(iter(self.of(kind)), None)


def load(path: Path, rubric: Rubric) -> Ledger:
    """Read and check a ledger; an empty one where there is no file. Raises :class:`CourseError` with every problem."""
    if not path.is_file():
        return Ledger(path.name)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"{path}: cannot be read: {error}", help="it must be a readable UTF-8 file") from None
    return parse(text, rubric, path.name)


def parse(text: str, rubric: Rubric, source: str = NAME) -> Ledger:
    """Check the text of a ledger; ``source`` names it in errors."""
    try:
        read = yaml_lines.read(text, source)
    except yaml_lines.NotYaml as error:
        raise CourseError(str(error), help="mend that line; put texts in double quotes") from None
    if read.value is None:
        return Ledger(source)
    if not isinstance(read.value, list):
        raise CourseError(f"{source}:{read.line(())}: is no list of decisions", help=_HELP)
    problems = list(read.problems)
    entries = []
    for index, value in enumerate(read.value):
        decision = _decision(value, index, read, rubric, problems)
        if decision:
            entries.append(Entry(decision, read.line((index,))))
    holding = _holding(entries, source, problems)
    if problems:
        raise CourseError("\n".join(problems), help=_HELP)
    return Ledger(source, tuple(entries), tuple(holding))


def from_records(records: Iterable[Mapping[str, Any]]) -> Decisions:
    """Decisions as :meth:`pydantic.BaseModel.model_dump` gave them."""
    return Decisions(tuple(KINDS[record["kind"]].model_validate(dict(record)) for record in records))


def _decision(value: Any, index: int, read: yaml_lines.Read, rubric: Rubric, problems: list[str]) -> Decision | None:
    def wrong(key: str, what: str) -> None:
        problems.append(f"{read.source}:{read.line((index, key))}: {index}.{key}: {what}")

    if not isinstance(value, dict):
        problems.append(
            f"{read.source}:{read.line((index,))}: {index}: must hold keys such as student, kind and reason"
        )
        return None
    kind = value.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        near = difflib.get_close_matches(str(kind), KINDS, n=1)
        found = "missing" if kind is None else f"found {kind!r}"
        wrong("kind", f"must be one of {', '.join(KINDS)}; {found}" + (f"; did you mean {near[0]}?" if near else ""))
        return None
    try:
        decision = KINDS[kind].model_validate(value)
    except ValidationError as error:
        problems += [yaml_lines.sentence(problem, read, KINDS[kind], (index,)) for problem in error.errors()]
        return None
    if isinstance(decision, Bonus) and decision.points is None and not getattr(rubric.bonus, decision.what):
        wrong(
            "what", f"the rubric gives nothing for {decision.what} (bonus.{decision.what}); say how many points it is"
        )
    for key, most in _most(decision, rubric).items():
        given = getattr(decision, key)
        if given is not None and abs(given) > most:
            wrong(key, f"{plain(given)} is more than the {plain(most)} points there are")
    return decision


def _most(decision: Decision, rubric: Rubric) -> dict[str, float]:
    """The most that a decision's numbers may be."""
    points = rubric.points
    if isinstance(decision, ReportPoints):
        return {"points": points.report}
    if isinstance(decision, Bonus):
        return {"points": rubric.bonus.most}
    if isinstance(decision, Points):
        total = points.quality + points.report
        if decision.what == "final" and rubric.bonus.beyond_full:
            total += rubric.bonus.most
        return dict.fromkeys(
            ("set", "add"), {"quality": points.quality, "report": points.report}.get(decision.what, total)
        )
    return {}


def _holding(entries: Iterable[Entry], source: str, problems: list[str]) -> list[Entry]:
    """The entries that are neither replaced nor withdrawn; contradictions are added to ``problems``."""
    holding: list[Entry] = []
    for entry in entries:
        decision, place = entry.decision, f"{source}:{entry.line}"
        if isinstance(decision, Withdraw):
            kept = [other for other in holding if not decision.takes_back(other.decision)]
            if len(kept) == len(holding):
                problems.append(f"{place}: of: there is no earlier {decision.value} of {decision.student} to withdraw")
            holding = kept
            continue
        if getattr(decision, "replaces", False):
            kept = [other for other in holding if other.decision.topic != decision.topic]
            if len(kept) == len(holding):
                problems.append(
                    f"{place}: replaces: there is no earlier {decision.kind} of {decision.student} to replace"
                )
            holding = kept
        same = next((other for other in holding if other.decision.thing == decision.thing), None)
        if same and not decision.repeatable:
            problems.append(
                f"{place}: {decision.kind}: {decision.student} has {_told(same.decision)} in line {same.line} and "
                f"{_told(decision)} here; the later line must say `replaces: true`, or one must go"
            )
        holding.append(entry)
    return holding


def _told(decision: Decision) -> str:
    return f"{decision.kind} {decision.value}".strip()
