"""What a rerun came to: one record for each student, kept whole, and the verdict drawn from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from grader.findings import Finding, Whose
from grader.rerun.comparison import ClipComparison, Tier

VERSION = 1


class Kind(StrEnum):
    """The verdicts. Only the first needs no look by the TA."""

    REPRODUCED = "reproduced"
    NONDETERMINISTIC = "nondeterministic"  # two runs differ from each other as well
    DIFFERENT = "different"  # two runs agree, and not with the upload
    INCOMPLETE = "incomplete"  # clips are missing
    COPIED = "copied"  # the uploaded clips lie in the code
    FAILED = "failed"  # inference ended with an error
    STOPPED = "stopped"  # a limit ended it
    NOT_INSTALLABLE = "not installable"
    NO_CODE = "no code"
    NO_UPLOAD = "no upload"  # nothing to compare with
    NOT_RUN = "not run"  # the environment or the grader failed: run it again


@dataclass(frozen=True)
class Verdict:
    """A student's rerun in one line. tier: the loosest of all clips, where there was something to compare."""

    student_id: str
    kind: Kind
    sentence: str
    whose: Whose | None
    tier: Tier | None = None
    percent: float = 0.0
    sandboxed: bool = True


@dataclass(frozen=True)
class Evidence:
    """Everything about one student's rerun.

    command: line, workdir, source, proposals, reason; requirements: diff, repairs, refused, comments, percent;
    environment: key, python, packages with hashes; runs: the sandbox's records, limits and peak use, log's end.
    """

    student_id: str
    kind: Kind
    sentence: str
    whose: Whose | None = None
    sandbox: str = ""
    command: Mapping[str, Any] = field(default_factory=dict)
    requirements: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)
    runs: tuple[Mapping[str, Any], ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    clips: tuple[ClipComparison, ...] = ()
    findings: tuple[Finding, ...] = ()
    made_at: str = ""

    @property
    def tier(self) -> Tier | None:
        return max((clip.tier for clip in self.clips), key=lambda tier: tier.rank, default=None)

    @property
    def lasting(self) -> bool:
        """Whether running it again with the same inputs would come to the same."""
        return self.whose in (None, Whose.STUDENT)

    def verdict(self) -> Verdict:
        percent = float(self.requirements.get("percent", 0.0))
        boxed = self.sandbox != "none"
        return Verdict(self.student_id, self.kind, self.sentence, self.whose, self.tier, percent, boxed)

    def as_json(self) -> dict[str, Any]:
        record = {**asdict(self), "kind": str(self.kind), "whose": str(self.whose) if self.whose else None}
        record["clips"] = [clip.as_json() for clip in self.clips]
        record["findings"] = [finding.as_json() for finding in self.findings]
        record["tier"] = str(self.tier) if self.tier else None
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Evidence:
        values = {name: value for name, value in record.items() if name != "tier"}
        values["kind"] = Kind(record["kind"])
        values["whose"] = Whose(record["whose"]) if record["whose"] else None
        values["runs"] = tuple(record["runs"])
        values["clips"] = tuple(ClipComparison.from_json(clip) for clip in record["clips"])
        values["findings"] = tuple(Finding.from_json(finding) for finding in record["findings"])
        return cls(**values)
