"""Which students are rerun: a draw that anybody can repeat."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def draw(students: Iterable[str], count: int, seed: int) -> list[str]:
    """``count`` of these student IDs, in alphabetical order; all of them where there are no more.

    Every student gets a ticket, SHA-256 of ``seed:ID``, and the lowest win. So the draw depends on nothing but seed and
    IDs, and a student who comes late moves nobody else's ticket.
    """
    return sorted(sorted(set(students), key=lambda student: _ticket(student, seed))[:count])


def _ticket(student: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{student}".encode()).hexdigest()
