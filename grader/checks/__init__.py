"""The rules a hand-in must keep, one small function each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.checks import clips, documents, sound, wav
from grader.checks.graph import Check, CheckResult, Status, Subject, run
from grader.findings import Finding, Severity
from grader.intake.submission import Clip, HandIn, Submission
from grader.rubric import Rubric

VERSION = 1
"""Raised whenever a check changes what it finds; part of every record's key."""

OF_PREDICTIONS = (
    Check(clips.archive_opens),
    Check(clips.clips_are_complete, (clips.archive_opens,)),
    Check(clips.folder_is_named_after_you, (clips.archive_opens,)),
    Check(wav.clips_are_wav_files, (clips.archive_opens,)),
    Check(wav.clips_have_the_right_format, (clips.archive_opens,)),
    Check(sound.samples_are_numbers, (clips.archive_opens,)),
    Check(sound.clips_can_be_heard, (clips.archive_opens,)),
    Check(sound.lengths_fit, (clips.archive_opens,)),
    Check(sound.no_clip_stands_twice, (clips.archive_opens,)),
    Check(sound.clips_are_in_order, (clips.archive_opens,)),
)
OF_DOCUMENTS = (
    Check(documents.report_is_there),
    Check(documents.report_opens_and_keeps_the_rules),
    Check(documents.readme_is_there),
    Check(documents.requirements_are_there),
)


@dataclass(frozen=True)
class CheckReport:
    """What all checks found. submission: the clips to score, None where the predictions cannot be scored."""

    student_id: str
    source: Path
    results: tuple[CheckResult, ...]
    submission: Submission | None

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for result in self.results for finding in result.findings)

    @property
    def ok(self) -> bool:
        """Nothing found that keeps the hand-in from being graded as it is."""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        clips_found = None
        if self.submission is not None:
            clips_found = [
                {"name": c.name, "entry": c.entry, "path": str(c.path), "sha256": c.sha256, "samples": c.samples}
                for c in self.submission.clips.values()
            ]
        return {
            "student_id": self.student_id,
            "source": str(self.source),
            "ok": self.ok,
            "results": [result.as_json() for result in self.results],
            "clips": clips_found,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> CheckReport:
        source = Path(record["source"])
        submission = None
        if record["clips"] is not None:
            found = {clip["name"]: Clip(**{**clip, "path": Path(clip["path"])}) for clip in record["clips"]}
            submission = Submission(record["student_id"], source, found)
        results = tuple(CheckResult.from_json(result) for result in record["results"])
        return cls(record["student_id"], source, results, submission)


def check(
    source: Path,
    rubric: Rubric,
    *,
    student_id: str | None = None,
    hand_in: HandIn | None = None,
    mels: Mapping[str, Path] | None = None,
    unpack_to: Path,
) -> CheckReport:
    """Check one hand-in: the zip (or folder) ``source``, and the documents of ``hand_in`` where it is given.

    mels: the test mels by clip name, where they are known. unpack_to: where the zip's files are put; scoring reads the
    clips from there. Never raises for what a student did.
    """
    student = student_id or (hand_in.student_id if hand_in else source.stem.upper())
    subject = Subject(source, student, rubric, mels or {}, unpack_to, hand_in)
    of_predictions = run(OF_PREDICTIONS, subject)
    results = of_predictions + run(OF_DOCUMENTS, subject)
    submission = None
    if not any(result.status in (Status.FAILED, Status.BROKE) for result in of_predictions):
        submission = Submission(
            student,
            source,
            {
                name: Clip(name, entry.name, entry.path, subject.sounds[name].sha256, len(subject.sounds[name].audio))
                for name, entry in subject.clips.items()
            },
        )
    return CheckReport(student, source, results, submission)
