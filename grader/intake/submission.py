"""What one student handed in, as plain records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Attempt:
    """One upload of the predictions: a zip (or an unpacked folder).

    number: 0 for ``r12345678.zip``, n for the ``r12345678-n.zip`` that the course site makes of a resubmission.
    file_time: the file's own modification time, in UTC.
    """

    path: Path
    number: int
    file_time: dt.datetime


@dataclass(frozen=True)
class HandIn:
    """Everything found for one student. ``student_id`` is upper case; attempts are in order, the newest last."""

    student_id: str
    attempts: tuple[Attempt, ...]
    report: Path | None = None
    readme: Path | None = None
    requirements: Path | None = None
    code: Path | None = None


@dataclass(frozen=True)
class Clip:
    """One accepted clip. name: as expected (``001.wav``); entry: as the student named it; samples: its length."""

    name: str
    entry: str
    path: Path
    sha256: str
    samples: int


@dataclass(frozen=True)
class Submission:
    """The clips of one attempt that can be scored, by expected name, in order."""

    student_id: str
    source: Path
    clips: Mapping[str, Clip] = field(default_factory=dict)
