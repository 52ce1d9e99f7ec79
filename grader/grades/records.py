"""What grading makes: one :class:`Grade` per student with the sentences that explain it, and the whole leaderboard.

A missing number is None, and its ``…_why`` says the reason. Every list of sentences is in the order to be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from grader.findings import Finding, Whose
from grader.grades.late import Lateness
from grader.grades.points import Curve, Scale
from grader.metrics.scores import Scores
from grader.rubric import Rubric

if TYPE_CHECKING:
    from grader.grades.facts import Facts
    from grader.grades.ledger import Ledger
    from grader.rerun.evidence import Evidence
    from grader.scoring import StudentResult


@dataclass(frozen=True)
class Interval:
    """Where a number probably lies: 95 % of such intervals hold the true one."""

    low: float
    high: float


@dataclass(frozen=True)
class Standing:
    """How sure a rank is, by the ranking metric over the same clips for everyone.

    first, last: the ranks that the clips do not exclude; a student is apart from another where the 95 % interval of
    their difference does not hold 0. separable: nobody else could stand there (first equals last).
    top_three: how often, of all resamples, this student is among the first three (0 … 1).
    intervals: of each metric that has one.
    """

    first: int
    last: int
    separable: bool
    top_three: float
    intervals: Mapping[str, Interval] = field(default_factory=dict)

    @property
    def band(self) -> str:
        """``2``, or ``1–3, not separable``."""
        return str(self.first) if self.separable else f"{self.first}–{self.last}, not separable"


@dataclass(frozen=True)
class Podium:
    """The first three by the ranking metric (more, where they tie), and how sure that is.

    same_three: how often, of all resamples of the clips, just these are the first three; same_first: how often the
    first is the same (0 … 1 each).
    """

    students: tuple[str, ...]
    same_three: float
    same_first: float


@dataclass(frozen=True)
class LedgerLine:
    """A decision that touched a student, as it stands in decisions.yaml.

    date: when it was decided, ISO 8601. kind: as there (``extension``). value: in words (``until 2023-11-05 23:59``).
    """

    date: str
    kind: str
    value: str
    reason: str
    who: str


@dataclass(frozen=True, kw_only=True)
class Grade:
    """What one student gets and why. A missing number is None, and its ``…_why`` says the reason.

    score: in the ranking metric. report_points, quality_points: as the rubric weighs them, before lateness.
    provisional_points: the quality points after lateness, which stand while the report has no points.
    final_points: of :attr:`Leaderboard.most_points`, after lateness. semester_percent: the
    same as a share of the semester, at most ``semester_weight_percent``.
    failure: why there is nothing to rank, or None. whose: whose fault that is, None where that is not known.
    bonus_points: added after lateness. excused: no grade at all, and no part of any statistic.
    lateness: of the hand-in, or of the prediction where the report has a lateness of its own (report_lateness).
    late_lines: how lateness came about, dated. ledger_lines: the decisions that touched this student.
    would_change: what would have made another grade, as sentences.
    """

    student_id: str
    rank: int | None = None
    score: float | None = None
    quality_percent: float | None = None
    quality_points: float | None = None
    quality_why: str
    report_points: float | None = None
    report_why: str
    lateness: Lateness | None = None
    late_why: str
    provisional_points: float | None = None
    final_points: float | None = None
    semester_percent: float | None = None
    final_why: str
    failure: str | None = None
    whose: Whose | None = None
    bonus_points: float = 0.0
    bonus_why: str = ""
    excused: bool = False
    report_lateness: Lateness | None = None
    late_lines: tuple[str, ...] = ()
    ledger_lines: tuple[LedgerLine, ...] = ()
    would_change: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A student. result is None for one who stands in a table of the course but has nothing in ``submissions/``.

    rerun: what the rerun of the student's code came to, where there was one; it is no part of the grade.
    standing: how sure the rank is; None for one without a rank.
    """

    grade: Grade
    result: StudentResult | None
    rerun: Evidence | None = None
    standing: Standing | None = None


@dataclass(frozen=True)
class Rung:
    """A baseline: what it scored, and what that would earn."""

    name: str
    label: str
    scores: Scores
    score: float | None
    quality_percent: float | None


@dataclass(frozen=True)
class Leaderboard:
    """Everyone. ranked: best first, equal scores by ID. unranked: by ID. rungs: the baselines, best first.

    findings: about the course folder, never a student's fault. scale: how quality points are made; curve: its part
    about the ranking metric. podium: how sure the first three are. facts: by student ID, all that a grade rests on
    besides the rubric and the decisions in ledger. inputs: what the scores rest on besides the hand-ins: metric
    settings and the references' hash.
    """

    rubric: Rubric
    curve: Curve
    fad_name: str
    ranked: tuple[Row, ...]
    unranked: tuple[Row, ...]
    rungs: tuple[Rung, ...]
    findings: tuple[Finding, ...]
    scale: Scale | None = None
    podium: Podium | None = None
    facts: Mapping[str, Facts] = field(default_factory=dict)
    ledger: Ledger | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> tuple[Row, ...]:
        return self.ranked + self.unranked

    @property
    def most_points(self) -> float:
        return self.rubric.points.quality + self.rubric.points.report
