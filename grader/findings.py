"""What is said about a hand-in: one type, used by every check, by the rerun and by the scores.

A finding says *what* is wrong, *where*, what to do about it (*fix*), and *whose* it is. The three are never
mixed: the student got something wrong, the environment failed (retry, no deduction), or the grader failed (loud,
no deduction).

``what`` and ``fix`` are templates with named ``{facts}``, so that the same finding can be said in another language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

_MOST_ALIKE = 3


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


@dataclass(frozen=True)
class Alike:
    """Findings of one kind, which differ in their facts at most.

    shown: the first that say something different, each with those that say the same. rest: those left out.
    """

    shown: tuple[tuple[Finding, ...], ...]
    rest: tuple[Finding, ...] = ()


def alike(findings: Iterable[Finding]) -> list[Alike]:
    """Findings by kind, errors first. Of a kind with more than three things to say only the first is shown."""
    kinds: dict[tuple[int, str, str], dict[str, list[Finding]]] = {}
    order = list(Severity)
    for finding in findings:
        kind = kinds.setdefault((order.index(finding.severity), finding.code, finding.what), {})
        kind.setdefault(finding.what_text(), []).append(finding)
    result = []
    for _, texts in sorted(kinds.items(), key=lambda each: each[0][0]):
        said = [tuple(same) for same in texts.values()]
        most = len(said) if len(said) <= _MOST_ALIKE else 1
        result.append(Alike(tuple(said[:most]), tuple(one for same in said[most:] for one in same)))
    return result


def places(findings: Sequence[Finding]) -> list[str]:
    """Where: without the name of the upload, and of several only the files' names, by their numbers."""
    names = [finding.where.split(" › ", 1)[-1] for finding in findings]
    if len(names) > 1:
        names = sorted(name.rsplit("/", 1)[-1] for name in names)
        names.sort(key=lambda name: [int(digits) for digits in re.findall("[0-9]{1,9}", name)])
    return names
