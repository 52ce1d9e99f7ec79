"""A made-up class of 120 with everything that happens in one, and a slow, independent calculation of its grades.

The calculation shares no code with the grader: whole microseconds since 1970, fractions, rounding by hand, one rule
after the other as the handout states it. ``people()`` is what happened, ``decisions_yaml()`` and the tables are how the
course folder tells it, ``expected()`` what must come out.
"""

from __future__ import annotations

import datetime as dt
import itertools
import random
from dataclasses import dataclass, field, replace
from fractions import Fraction

TAIPEI = dt.timezone(dt.timedelta(hours=8))
DEADLINE = dt.datetime(2023, 11, 1, 23, 59, 59, 999_999, tzinfo=TAIPEI)
DAY = dt.timedelta(days=1)
FAMILY = [
    "陳",
    "林",
    "黃",
    "張",
    "李",
    "王",
    "吳",
    "劉",
    "蔡",
    "楊",
    "Smith",
    "O'Brien",
    "Nguyễn",
    "Müller",
    "de_la_Cruz",
]
GIVEN = ["小明", "志豪", "怡君", "雅婷", "宗翰", "家豪", "淑芬", "Jane", "Anna-Lena", "José", "Lee"]
ANCHORS = ((Fraction("1.142"), 100), (Fraction("2.2312"), 40), (Fraction("4.4624"), 0))
"""The packaged rubric's, with Griffin-Lim at 2.2312."""


@dataclass(frozen=True)
class Upload:
    """m_stft: what the clips score; None for a zip that cannot be graded."""

    at: dt.datetime
    m_stft: float | None


@dataclass(frozen=True)
class Decided:
    """One line of the ledger. value: as the kind has it."""

    kind: str
    value: dict[str, str | float | bool]
    reason: str


@dataclass(frozen=True)
class Person:
    """A student. name: sortable, as Canvas has it. report_points: in report_points.csv.

    report_at: where the report came apart.
    """

    student_id: str
    name: str
    canvas_id: int
    uploads: tuple[Upload, ...]
    report_points: float | None
    report_at: dt.datetime | None = None
    decided: tuple[Decided, ...] = ()

    def file(self, index: int) -> str:
        """An upload's name, as Canvas numbers resubmissions."""
        return f"{self.student_id.lower()}{f'-{index}' if index else ''}.zip"


@dataclass(frozen=True)
class Expected:
    """What a student must get; None where there is no number."""

    quality: float | None = None
    late_percent: float | None = None
    report: float | None = None
    bonus: float = 0.0
    final: float | None = None
    semester: float | None = None
    counted: int | None = field(default=None)


def people(seed: int = 7) -> list[Person]:
    """120 students: nine late in each step (one of them at its very limit), resubmissions, extensions, two disputes,
    bonuses over the limit, an excuse, broken zips, one who handed in nothing."""
    rng = random.Random(seed)
    made = []
    for index in range(120):
        family, given = FAMILY[index % len(FAMILY)], GIVEN[(index * 7) % len(GIVEN)]
        name = f"{family}, {given}"
        if index % 17 == 3:
            name = f'{family} "{given[0]}", {given}, Jr.'
        step = (index - 10) // 9 if 10 <= index < 37 else -1  # 27 late ones: nine in each of three steps
        at = DEADLINE - dt.timedelta(seconds=rng.randrange(1, 5 * 86400))
        if step >= 0:
            first = (index - 10) % 9 == 0
            limit = DEADLINE + (step + 1) * DAY
            at = limit if first and step < 2 else DEADLINE + step * DAY + dt.timedelta(seconds=rng.randrange(1, 86400))
        uploads = [Upload(at, rng.uniform(0.9, 4.9))]
        if index % 6 == 2:
            uploads.append(Upload(at + dt.timedelta(hours=rng.randrange(1, 70)), rng.uniform(0.9, 4.9)))
        if index % 24 == 2:
            uploads.append(Upload(uploads[-1].at + dt.timedelta(hours=30), rng.uniform(0.9, 2.0)))
        report_at = at + dt.timedelta(hours=rng.randrange(-20, 60)) if index % 10 == 5 else None
        made.append(
            Person(
                f"{'RBDT'[index % 4]}{11_900_000 + 137 * index:08d}",
                name,
                50_000 + 11 * index,
                tuple(uploads),
                round(rng.uniform(20, 50), 1),
                report_at,
            )
        )
    made[40] = replace(made[40], uploads=(), report_points=None)  # missing
    made[41] = replace(made[41], uploads=(replace(made[41].uploads[0], m_stft=None),))  # broken
    made[44] = replace(made[44], uploads=(made[44].uploads[0], Upload(DEADLINE - dt.timedelta(hours=1), None)))
    made[42] = replace(made[42], report_points=None)  # not read yet
    made[43] = replace(made[43], report_points=None, decided=(Decided("report", {"points": 31.5}, "read on paper"),))
    special = {
        12: [Decided("extension", {"until": "2023-11-03 23:59"}, "sick, from the 1st")],
        20: [Decided("extension", {"days": 1}, "server trouble")],
        30: [
            Decided("extension", {"days": 1}, "asked"),
            Decided("extension", {"days": 3, "replaces": True}, "asked again"),
        ],
        31: [Decided("waiver", {}, "military service")],
        35: [Decided("extension", {"days": 5, "part": "report"}, "report only")],
        50: [Decided("points", {"what": "quality", "add": 4.25}, "dispute: 003.wav was judged wrongly")],
        51: [Decided("points", {"what": "report", "set": 44}, "dispute: a page was overlooked")],
        52: [Decided("points", {"what": "final", "set": 60}, "oral exam")],
        60: [Decided("bonus", {"what": "presenter"}, "best three"), Decided("bonus", {"what": "loop"}, "loops")],
        61: [Decided("bonus", {"what": "presenter"}, "best three"), Decided("bonus", {"what": "f0_input"}, "F0")],
        62: [Decided("bonus", {"what": what}, "all") for what in ("presenter", "f0_input", "loop")],
        70: [Decided("excuse", {}, "left the course")],
        71: [Decided("comment", {}, 'He said: "fine", and it was')],
        72: [
            Decided("extension", {"days": 2}, "a mistake"),
            Decided("withdraw", {"of": "extension"}, "was another student's"),
        ],
    }
    for index, decided in special.items():
        made[index] = replace(made[index], decided=(*made[index].decided, *decided))
    rng.shuffle(made)
    return made


def decisions_yaml(everyone: list[Person]) -> str:
    lines = ["# made by a test"]
    for person in everyone:
        for each in person.decided:
            keys = {"at": "2023-11-20 09:00", "student": person.student_id, "kind": each.kind, **each.value}
            lines += [
                f"{'  ' if number else '- '}{key}: {_scalar(value)}" for number, (key, value) in enumerate(keys.items())
            ]
            quoted = each.reason.replace("'", "''")
            lines += [f"  reason: '{quoted}'", "  by: Lin"]
    return "\n".join(lines) + "\n"


def _scalar(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def submissions_csv(everyone: list[Person]) -> str:
    """Every upload by its file name, in no order of time; reports of their own with their part."""
    lines = ["student_id,submitted_at,part,file"]
    for person in everyone:
        own_report = person.report_at is not None
        for index, upload in reversed(list(enumerate(person.uploads))):
            part = "prediction" if own_report else ""
            lines.append(f"{person.student_id},{upload.at.isoformat()},{part},{person.file(index)}")
        if person.report_at is not None:
            lines.append(f"{person.student_id},{person.report_at.isoformat()},report,")
    return "\n".join(lines) + "\n"


def report_points_csv(everyone: list[Person]) -> str:
    given = [f"{each.student_id},{each.report_points}\n" for each in everyone if each.report_points is not None]
    return "student_id,points\n" + "".join(given)


def students_csv(everyone: list[Person]) -> str:
    return "student_id\n" + "".join(f"{each.student_id}\n" for each in everyone)


def expected(person: Person, *, best: bool, separately: bool) -> Expected:
    """The grade of one student, calculated slowly."""
    decided = _holding(person)
    if any(each.kind == "excuse" for each in decided):
        return Expected()
    report: Fraction | None = None if person.report_points is None else Fraction(str(person.report_points))
    for each in decided:
        if each.kind == "report":
            report = Fraction(str(each.value["points"]))
        if each.kind == "points" and each.value["what"] == "report":
            report = Fraction(str(each.value["set"]))
    worth = {"presenter": 3, "f0_input": 2, "loop": 2}
    bonus = Fraction(min(5, sum(worth[str(each.value["what"])] for each in decided if each.kind == "bonus")))
    results = [_of_upload(person, index, decided, report, bonus, separately) for index in range(len(person.uploads))]
    if not results:
        return Expected(report=_float(report), bonus=float(bonus))
    if not best:
        return results[-1]
    graded = [each for each in results if each.quality is not None]
    if not graded:
        return results[-1]

    def worth_most(each: Expected) -> tuple[float, ...]:
        points = each.final
        if points is None:
            assert each.quality is not None
            assert each.late_percent is not None
            points = float(_round(Fraction(str(each.quality)) * (100 - Fraction(str(each.late_percent))) / 100))
        index = each.counted or 0
        return points, each.quality or 0.0, -(person.uploads[index].m_stft or 0.0), index

    return max(graded, key=worth_most)


def _of_upload(
    person: Person, index: int, decided: list[Decided], report: Fraction | None, bonus: Fraction, separately: bool
) -> Expected:
    upload = person.uploads[index]
    percent_late = _late(upload.at, "prediction", decided)
    percent_report = _late(person.report_at or upload.at, "report", decided)
    if not separately:
        percent_late = percent_report = max(percent_late, percent_report)
    if upload.m_stft is None:
        return Expected(None, float(percent_late), _float(report), float(bonus), counted=index)
    quality = _round(Fraction(50) * _percent(Fraction(upload.m_stft)) / 100)
    for each in decided:
        if each.kind == "points" and each.value["what"] == "quality":
            quality = _round(min(Fraction(50), quality + Fraction(str(each.value["add"]))))
    final = None
    if report is not None:
        if separately:
            final = _round(_round(quality * (100 - percent_late) / 100) + _round(report * (100 - percent_report) / 100))
        else:
            final = _round((quality + report) * (100 - percent_late) / 100)
        final = min(Fraction(100), final + bonus)
    for each in decided:
        if each.kind == "points" and each.value["what"] == "final":
            final = Fraction(str(each.value["set"]))
    semester = None if final is None else _round(final / 100 * 20)
    return Expected(
        float(quality), float(percent_late), _float(report), float(bonus), _float(final), _float(semester), index
    )


def _holding(person: Person) -> list[Decided]:
    """What is neither replaced nor withdrawn; in this class each concerns the kind as a whole."""
    holding: list[Decided] = []
    for each in person.decided:
        if each.kind == "withdraw":
            holding = [other for other in holding if other.kind != each.value["of"]]
            continue
        if each.value.get("replaces"):
            holding = [other for other in holding if other.kind != each.kind]
        holding.append(each)
    return holding


def _late(at: dt.datetime, part: str, decided: list[Decided]) -> Fraction:
    """Percent, from whole microseconds after the deadline."""
    deadline = _micros(DEADLINE)
    for each in decided:
        if each.value.get("part") not in (None, part):
            continue
        if each.kind == "waiver":
            return Fraction(0)
        if each.kind == "extension":
            until = each.value.get("until")
            if until is not None:
                day = dt.datetime.strptime(f"{until}:59.999999 +0800", "%Y-%m-%d %H:%M:%S.%f %z")
                deadline = max(deadline, _micros(day))
            else:
                deadline = max(deadline, _micros(DEADLINE) + int(each.value["days"]) * 86_400_000_000)
    late = _micros(at) - deadline
    if late <= 0:
        return Fraction(0)
    if late <= 86_400_000_000:
        return Fraction(20)
    return Fraction(40 if late <= 2 * 86_400_000_000 else 60)


def _micros(time: dt.datetime) -> int:
    since = time - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _percent(m_stft: Fraction) -> Fraction:
    """Straight lines between the anchors, rounded to hundredths."""
    if m_stft <= ANCHORS[0][0]:
        return Fraction(100)
    for (low, high_percent), (high, low_percent) in itertools.pairwise(ANCHORS):
        if m_stft <= high:
            return _round(high_percent - (m_stft - low) * (high_percent - low_percent) / (high - low))
    return Fraction(0)


def _round(value: Fraction) -> Fraction:
    """To hundredths, half up."""
    return Fraction((value * 100 + Fraction(1, 2)).__floor__(), 100)


def _float(value: Fraction | None) -> float | None:
    return None if value is None else float(value)
