"""Tells as they are printed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from grader.intake.names import printable
from grader.tells.records import Kind, Tells


def lines(tells: Tells, page: Path) -> Iterator[str]:
    """Kind by kind, each tell with what else explains it."""
    yield f"{len(tells.found)} tell{'' if len(tells.found) == 1 else 's'}, no verdict; nothing is deducted for any"
    for kind in Kind:
        found = [tell for tell in tells.found if tell.kind is kind]
        if not found:
            continue
        yield f"{kind}:"
        for tell in found:
            yield f"  {', '.join(tell.students)}: {printable(tell.sentence, 400)}"
        for innocent in dict.fromkeys(tell.innocent for tell in found):
            yield f"    what else explains it: {innocent}"
    for note in tells.notes:
        yield f"note: {printable(note, 300)}"
    yield f"evidence, to listen to: {page}; for the TA only"
