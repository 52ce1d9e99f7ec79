"""What a TA can decide about a student: one small record for each kind of line in decisions.yaml.

Every decision says when it was made, about whom, why and by whom. It changes the inputs of a grade and is never a
result, so a grade can always be computed again from scores and decisions.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from grader.grades.numbers import plain
from grader.grades.records import LedgerLine

Part = Literal["prediction", "report"]
_Text = Annotated[str, Field(min_length=1)]
_Points = Annotated[float, Field(ge=0)]


def _time(text: str) -> str:
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a time such as 2023-11-03 14:00") from None
    return text


class Decision(BaseModel):
    """What every kind has.

    thing: what is decided about, the same for two lines that contradict each other. topic: what a line that says
    ``replaces: true`` clears away.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    repeatable: ClassVar[bool] = False

    at: _Text
    student: _Text
    kind: str
    reason: _Text
    by: _Text

    _at_is_a_time = field_validator("at")(_time)

    @field_validator("student")
    @classmethod
    def _upper(cls, student: str) -> str:
        return student.strip().upper()

    @property
    def thing(self) -> tuple[Any, ...]:
        return (self.student, self.kind)

    @property
    def topic(self) -> tuple[Any, ...]:
        return self.thing

    @property
    def value(self) -> str:
        """What was decided, in words; empty where the kind says it all."""
        return ""

    def line(self) -> LedgerLine:
        return LedgerLine(self.at, self.kind, self.value, self.reason, self.by)

    def sentence(self) -> str:
        """``extension until 2023-11-05 23:59 (sick note; decided by lin, 2023-11-03 14:00)``."""
        return f"{f'{self.kind} {self.value}'.strip()} ({self.reason}; decided by {self.by}, {self.at})"


class _Replaceable(Decision):
    replaces: bool = False


class Extension(_Replaceable):
    """A later deadline for one student: ``until`` a time, or ``days`` more than everyone has."""

    kind: Literal["extension"]
    until: str | None = None
    days: Annotated[float, Field(gt=0, le=366)] | None = None
    part: Part | None = None

    @field_validator("until")
    @classmethod
    def _until_is_a_time(cls, text: str | None) -> str | None:
        return None if text is None else _time(text)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.until is None) == (self.days is None):
            raise ValueError("an extension needs either until (a time) or days")
        return self

    @property
    def thing(self) -> tuple[Any, ...]:
        return (self.student, self.kind, self.part)

    @property
    def value(self) -> str:
        when = f"until {self.until}" if self.until else f"by {plain(self.days or 0)} d"
        return when + (f" for the {self.part}" if self.part else "")


class Waiver(_Replaceable):
    """Lateness costs this student nothing."""

    kind: Literal["waiver"]
    part: Part | None = None

    @property
    def thing(self) -> tuple[Any, ...]:
        return (self.student, self.kind, self.part)

    @property
    def value(self) -> str:
        return "of lateness" + (f" of the {self.part}" if self.part else "")


class Points(_Replaceable):
    """Points by hand: ``set`` them, or ``add`` (a negative number takes away). quality, report: before lateness."""

    kind: Literal["points"]
    what: Literal["quality", "report", "final"]
    set: _Points | None = None
    add: float | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.set is None) == (self.add is None):
            raise ValueError("points need either set or add")
        return self

    @property
    def thing(self) -> tuple[Any, ...]:
        return (*self.topic, None if self.add is None else self.reason)

    @property
    def topic(self) -> tuple[Any, ...]:
        return (self.student, self.kind, self.what, "set" if self.add is None else "add")

    @property
    def value(self) -> str:
        return f"{self.what} {plain(self.set)}" if self.set is not None else f"{self.what} {signed(self.add or 0)}"


class ReportPoints(_Replaceable):
    """The report's points, as report_points.csv would give them."""

    kind: Literal["report"]
    points: _Points

    @property
    def value(self) -> str:
        return f"{plain(self.points)} points"


class Bonus(_Replaceable):
    """Points on top. points: in place of what the rubric says it is worth; needed for ``other``."""

    kind: Literal["bonus"]
    what: Literal["presenter", "f0_input", "loop", "other"]
    points: _Points | None = None

    @model_validator(mode="after")
    def _worth_something(self) -> Self:
        if self.what == "other" and self.points is None:
            raise ValueError("bonus other needs points")
        return self

    @property
    def thing(self) -> tuple[Any, ...]:
        return (*self.topic, self.reason if self.what == "other" else None)

    @property
    def topic(self) -> tuple[Any, ...]:
        return (self.student, self.kind, self.what)

    @property
    def value(self) -> str:
        return self.what + ("" if self.points is None else f" {plain(self.points)}")


class Excuse(Decision):
    """No grade: not ranked, and no part of any statistic."""

    kind: Literal["excuse"]


class Comment(Decision):
    """Words for the student's page; nothing changes."""

    repeatable: ClassVar[bool] = True
    kind: Literal["comment"]


class Vote(Decision):
    """What listeners gave a student in a blind vote: ``points`` (hands raised), the ``place`` by them. No grade depends
    on it; the best places may be given a bonus. ballot: which file of votes it is from."""

    kind: Literal["vote"]
    points: Annotated[int, Field(ge=0)]
    place: Annotated[int, Field(ge=1)]
    ballot: _Text

    @property
    def thing(self) -> tuple[Any, ...]:
        return (self.student, self.kind, self.ballot)

    @property
    def value(self) -> str:
        return f"place {self.place} with {self.points} points"


class Withdraw(Decision):
    """Takes back every earlier line of a kind about this student (of one ``part`` or ``what``, where that is named)."""

    repeatable: ClassVar[bool] = True
    kind: Literal["withdraw"]
    of: Literal["extension", "waiver", "points", "report", "bonus", "excuse", "comment", "vote"]
    part: Part | None = None
    what: str | None = None

    def takes_back(self, other: Decision) -> bool:
        return (
            (other.student, other.kind) == (self.student, self.of)
            and (self.part is None or getattr(other, "part", None) == self.part)
            and (self.what is None or getattr(other, "what", None) == self.what)
        )

    @property
    def value(self) -> str:
        return " ".join(part for part in (self.of, self.part, self.what) if part)


KINDS: dict[str, type[Decision]] = {
    "extension": Extension,
    "waiver": Waiver,
    "points": Points,
    "report": ReportPoints,
    "bonus": Bonus,
    "excuse": Excuse,
    "comment": Comment,
    "vote": Vote,
    "withdraw": Withdraw,
}


def signed(points: float) -> str:
    """``+5`` or ``−5``."""
    return f"{'−' if points < 0 else '+'}{plain(abs(points))}"
