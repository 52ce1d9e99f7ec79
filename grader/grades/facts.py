"""All that one student's grade depends on besides the rubric and the decisions, as plain JSON-able records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grader.findings import Whose
from grader.grades.late import TimeSource


@dataclass(frozen=True)
class Try:
    """One upload that may count. file: its name; content: the hash of its bytes.

    values: the number in each metric that has one; missing: why another has none. failure: why nothing was scored.
    """

    file: str
    content: str
    at: dt.datetime
    source: TimeSource
    values: Mapping[str, float] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    failure: str | None = None
    whose: Whose | None = None

    def problem(self, metrics: Mapping[str, str]) -> tuple[str | None, Whose | None]:
        """Why no points can come of the metrics (names by key), and whose fault that is."""
        if self.failure is not None:
            return self.failure, self.whose
        lacking = next((metric for metric in metrics if metric not in self.values), None)
        if lacking is None:
            return None, None
        return f"no {metrics[lacking]}: {self.missing.get(lacking, 'not scored yet')}", Whose.GRADER


@dataclass(frozen=True)
class Facts:
    """tries: oldest first; report_at: when the report came, where it has a time of its own.

    report_points: from report_points.csv. absence: why there is nothing to grade, where tries are empty.
    """

    student_id: str
    tries: tuple[Try, ...]
    report_at: dt.datetime | None = None
    report_points: float | None = None
    absence: str = "handed in no zip of clips"
    whose: Whose | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "student_id": self.student_id,
            "tries": [
                {
                    "file": each.file,
                    "content": each.content,
                    "at": each.at.isoformat(),
                    "source": str(each.source),
                    "values": dict(each.values),
                    "missing": dict(each.missing),
                    "failure": each.failure,
                    "whose": each.whose and str(each.whose),
                }
                for each in self.tries
            ],
            "report_at": self.report_at and self.report_at.isoformat(),
            "report_points": self.report_points,
            "absence": self.absence,
            "whose": self.whose and str(self.whose),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Facts:
        def whose(text: str | None) -> Whose | None:
            return None if text is None else Whose(text)

        tries = tuple(
            Try(
                **{
                    **each,
                    "at": dt.datetime.fromisoformat(each["at"]),
                    "source": TimeSource(each["source"]),
                    "whose": whose(each["whose"]),
                }
            )
            for each in record["tries"]
        )
        at = record["report_at"]
        changed = {
            "tries": tries,
            "report_at": None if at is None else dt.datetime.fromisoformat(at),
            "whose": whose(record["whose"]),
        }
        return cls(**{**record, **changed})
