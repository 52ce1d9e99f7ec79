"""How checks run: each is a function whose docstring is the sentence the student reads, and names what it needs.

A check whose need failed or was skipped is skipped, not failed. A check that breaks is the grader's fault: it is told
loudly, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from grader.audio import Audio
from grader.findings import Finding, Severity, Whose
from grader.intake.interim_archive import Entry
from grader.intake.submission import HandIn
from grader.rubric import Rubric


class Status(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    BROKE = "broke"


@dataclass(frozen=True)
class CheckResult:
    """What one check found. sentence: what it asks; reason: why it was skipped."""

    name: str
    sentence: str
    status: Status
    findings: tuple[Finding, ...] = ()
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "sentence": self.sentence,
            "status": str(self.status),
            "reason": self.reason,
            "findings": [finding.as_json() for finding in self.findings],
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> CheckResult:
        findings = tuple(Finding.from_json(finding) for finding in record["findings"])
        return cls(record["name"], record["sentence"], Status(record["status"]), findings, record["reason"])


@dataclass
class Sound:
    """A clip that could be decoded: its samples (samples,), before any judgement of them."""

    audio: Audio
    sha256: str


@dataclass
class Subject:
    """What is being checked, and what earlier checks made of it for later ones."""

    source: Path
    student_id: str
    rubric: Rubric
    mels: Mapping[str, Path]
    unpack_to: Path
    hand_in: HandIn | None = None
    entries: Sequence[Entry] = ()
    clips: dict[str, Entry] = field(default_factory=dict)
    wavs: dict[str, Entry] = field(default_factory=dict)
    sounds: dict[str, Sound] = field(default_factory=dict)

    def at(self, entry: Entry) -> str:
        """Where a finding about an entry is, as the reader knows it."""
        from grader.intake.interim_archive import shown

        return f"{self.source.name} › {shown(entry.name)}"


class SkipError(Exception):
    """Raised by a check that has nothing to look at; its text is the reason."""


Function = Callable[[Subject], Iterable[Finding]]


@dataclass(frozen=True)
class Check:
    function: Function
    needs: tuple[Function, ...] = ()

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def sentence(self) -> str:
        return " ".join((self.function.__doc__ or "").split())


def run(checks: Sequence[Check], subject: Subject) -> tuple[CheckResult, ...]:
    """Run checks in order, each after what it needs."""
    results: dict[str, CheckResult] = {}
    for check in checks:
        unmet = [need.__name__ for need in check.needs if results[need.__name__].status is not Status.PASSED]
        if unmet:
            asked = results[unmet[0]].sentence
            results[check.name] = CheckResult(check.name, check.sentence, Status.SKIPPED, reason=f"waits for: {asked}")
        else:
            results[check.name] = _result(check, subject)
    return tuple(results.values())


def _result(check: Check, subject: Subject) -> CheckResult:
    try:
        with np.errstate(all="ignore"):
            findings = tuple(check.function(subject))
    except SkipError as skip:
        return CheckResult(check.name, check.sentence, Status.SKIPPED, reason=str(skip))
    except Exception as error:  # a bug of ours must not stop the other checks, nor blame the student
        broken = Finding(
            "check-broke",
            Severity.ERROR,
            subject.source.name,
            "the grader's own check {check} broke: {error}",
            "report this to the course staff; it is not the student's fault",
            whose=Whose.GRADER,
            facts={"check": check.name, "error": f"{type(error).__name__}: {error}"[:300]},
        )
        return CheckResult(check.name, check.sentence, Status.BROKE, (broken,))
    failed = any(finding.severity is Severity.ERROR for finding in findings)
    return CheckResult(check.name, check.sentence, Status.FAILED if failed else Status.PASSED, findings)
