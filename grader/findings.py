"""What is said about a hand-in: one type, used by every check, by the rerun and by the scores.

A finding says *what* is wrong, *where*, what to do about it (*fix*), and *whose* it is. The three are never
mixed: the student got something wrong, the environment failed (retry, no deduction), or the grader failed (loud,
no deduction).

``what`` and ``fix`` are templates with named ``{facts}``, so that the same finding can be said in another language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    ERROR = "error"  # the hand-in cannot be graded as it is
    WARNING = "warning"  # graded, but something should be mended
    NOTE = "note"  # worth knowing, nothing to do


class Whose(StrEnum):
    STUDENT = "student"
    ENVIRONMENT = "environment"
    GRADER = "grader"


@dataclass(frozen=True)
class Finding:
    """One thing found.

    code: stable kebab-case name, such as ``wav-sample-rate``; part of the JSON form.
    where: the place as the reader knows it, such as ``r12345678.zip › 003.wav``.
    what, fix: sentences with ``{facts}`` filled in by :meth:`what_text` and :meth:`fix_text`.
    """

    code: str
    severity: Severity
    where: str
    what: str
    fix: str = ""
    whose: Whose = Whose.STUDENT
    facts: Mapping[str, Any] = field(default_factory=dict)

    def what_text(self) -> str:
        return self.what.format_map(self.facts)

    def fix_text(self) -> str:
        return self.fix.format_map(self.facts)

    def as_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "severity": str(self.severity),
            "whose": str(self.whose),
            "where": self.where,
            "what": self.what_text(),
            "fix": self.fix_text(),
            "template": {"what": self.what, "fix": self.fix},
            "facts": dict(self.facts),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Finding:
        return cls(
            code=record["code"],
            severity=Severity(record["severity"]),
            where=record["where"],
            what=record["template"]["what"],
            fix=record["template"]["fix"],
            whose=Whose(record["whose"]),
            facts=record["facts"],
        )
