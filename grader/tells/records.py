"""What was noticed, as plain records with a JSON form.

A tell has ``kind``, ``students`` (upper-case IDs), ``sentence`` (what was seen, with its numbers), ``innocent`` (what
else explains it) and ``evidence``: pieces with ``what`` (a clip, a file), ``values`` by name, and ``listen``: sounds
with a ``label`` and a ``path``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class Kind(StrEnum):
    """In the order of the page."""

    WAVEFORM = "waveform"  # the recording's own waveform, which no mel holds
    AUDIO = "same audio"  # as another student's, or a baseline's
    FILES = "same files"  # large ones, such as weights
    CODE = "same code"
    RERUN = "rerun"  # the code makes something else than was uploaded


@dataclass(frozen=True)
class Sound:
    """Something to listen to."""

    label: str
    path: Path


@dataclass(frozen=True)
class Piece:
    """One line of evidence. values: numbers and names as they are shown, by what they are."""

    what: str
    values: Mapping[str, str | float] = field(default_factory=dict)
    listen: tuple[Sound, ...] = ()


@dataclass(frozen=True)
class Tell:
    """One thing noticed about one or more students; never a verdict. more: pieces of evidence beyond those kept."""

    kind: Kind
    students: tuple[str, ...]
    sentence: str
    innocent: str
    evidence: tuple[Piece, ...]
    more: int = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": str(self.kind),
            "students": list(self.students),
            "sentence": self.sentence,
            "innocent": self.innocent,
            "evidence": [
                {
                    "what": piece.what,
                    "values": dict(piece.values),
                    "listen": [{"label": sound.label, "path": str(sound.path)} for sound in piece.listen],
                }
                for piece in self.evidence
            ],
            "more": self.more,
        }


@dataclass(frozen=True)
class Tells:
    """found: in the order to be read. notes: what could not be looked at, and why."""

    found: tuple[Tell, ...] = ()
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {"version": 1, "tells": [tell.as_json() for tell in self.found], "notes": list(self.notes)}
