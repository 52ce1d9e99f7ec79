"""What the checks found about one hand-in, as plain records with a JSON form (described in :mod:`.render`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from grader.findings import Finding, Severity, Whose
from grader.intake.submission import Clip, Submission


class Status(StrEnum):
    PASSED = "passed"  # perhaps with warnings or notes
    FAILED = "failed"  # at least one error
    SKIPPED = "skipped"  # what it looks at is not there; ``reason`` says why
    BROKE = "broke"  # the check itself is wrong: nobody's hand-in is to blame


@dataclass(frozen=True)
class CheckResult:
    """One rule. sentence: what it asks, as the student reads it; reason: why it was skipped."""

    name: str
    sentence: str
    status: Status
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    group: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "group": self.group,
            "sentence": self.sentence,
            "status": str(self.status),
            "reason": self.reason,
            "findings": [finding.as_json() for finding in self.findings],
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> CheckResult:
        findings = tuple(Finding.from_json(finding) for finding in record["findings"])
        return cls(
            record["name"], record["sentence"], Status(record["status"]), findings, record["reason"], record["group"]
        )


@dataclass(frozen=True)
class CheckReport:
    """Everything found about one hand-in.

    student_id: upper case, None where it is not known. submission: the clips to score, None where an error stands in
    the way. Paths are absolute.
    """

    student_id: str | None
    source: Path
    results: tuple[CheckResult, ...]
    submission: Submission | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for result in self.results for finding in result.findings)

    @property
    def ok(self) -> bool:
        return not any(finding.severity is Severity.ERROR for finding in self.findings)

    @property
    def broke(self) -> bool:
        """Whether the grader itself failed somewhere."""
        return any(finding.whose is Whose.GRADER for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        return {
            "student_id": self.student_id,
            "source": str(self.source),
            "ok": self.ok,
            "results": [result.as_json() for result in self.results],
            "clips": _clips_json(self.submission.clips) if self.submission else None,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> CheckReport:
        results = tuple(CheckResult.from_json(result) for result in record["results"])
        clips = {clip["name"]: Clip(**{**clip, "path": Path(clip["path"])}) for clip in record["clips"] or ()}
        source = Path(record["source"])
        submission = Submission(record["student_id"], source, clips) if clips else None
        return cls(record["student_id"], source, results, submission)


def _clips_json(clips: Mapping[str, Clip]) -> list[dict[str, Any]]:
    return [
        {"name": clip.name, "entry": clip.entry, "path": str(clip.path), "sha256": clip.sha256, "samples": clip.samples}
        for clip in clips.values()
    ]
