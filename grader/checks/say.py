"""Words that several checks share: places, lists of names, how to mend the common things."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from grader.findings import Finding, Severity, places
from grader.intake.names import printable

REZIP = (
    "Zip the folder {folder} again with what your system brings. Windows: right-click it, Send to, Compressed (zipped) "
    "folder. macOS: right-click it, Compress. Linux: zip -r {folder}.zip {folder}"
)
UPLOAD_AGAIN = (
    "Upload the file again, then download it once and see that it opens. If not: " + REZIP[0].lower() + REZIP[1:]
)
WRITE_WAV = 'Write it with soundfile.write("{clip}", audio, {rate}, subtype="PCM_16"); audio: floats in [-1, 1], 1-D.'
_MOST_FINDINGS = 12
_MOST_NAMES = 60


def place(source: Path, entry: str = "") -> str:
    """Such as ``r12345678.zip › r12345678/003.wav``."""
    name = printable(source.name)
    return f"{name} › {printable(entry)}" if entry else name


def error(code: str, where: str, what: str, fix: str = "", **facts: Any) -> Finding:
    return Finding(code, Severity.ERROR, where, what, fix, facts=facts)


def warning(code: str, where: str, what: str, fix: str = "", **facts: Any) -> Finding:
    return Finding(code, Severity.WARNING, where, what, fix, facts=facts)


def note(code: str, where: str, what: str, fix: str = "", **facts: Any) -> Finding:
    return Finding(code, Severity.NOTE, where, what, fix, facts=facts)


def first(findings: Iterable[Finding], where: str) -> Iterator[Finding]:
    """The first dozen, and one that counts the rest: a thousand bad entries need no thousand sentences."""
    findings = iter(findings)
    last = None
    for last in islice(findings, _MOST_FINDINGS):
        yield last
    more = sum(1 for _ in findings)
    if more and last:
        yield Finding(last.code, last.severity, where, "And {more} more of this kind.", facts={"more": more})


def listed(names: Iterable[str]) -> str:
    """Names in one line, those that count on become a range: ``003.wav, 007.wav–012.wav``."""
    runs: list[list[str]] = []
    for name in names:
        if runs and _follows(runs[-1][-1], name):
            runs[-1].append(name)
        else:
            runs.append([name])
    parts = ([f"{run[0]}–{run[-1]}"] if len(run) > 2 else run for run in runs)
    return ", ".join(printable(name) for part in parts for name in part)


def files_of(findings: Sequence[Finding]) -> tuple[str, int]:
    """Where findings are, in one line; of very many the first, and how many are left out."""
    names = places(findings)
    return listed(names[:_MOST_NAMES]), max(0, len(names) - _MOST_NAMES)


def _follows(one: str, other: str) -> bool:
    """Whether two names are the same but for a last number, and the other's is the next."""
    first, second = (re.fullmatch(r"(.*?)([0-9]{1,9})([^0-9]*)", name, re.DOTALL) for name in (one, other))
    return bool(
        first and second and (first[1], first[3]) == (second[1], second[3]) and int(first[2]) + 1 == int(second[2])
    )


def counted(number: int, one: str, many: str = "") -> str:
    """``1 clip``, ``2 clips``."""
    return f"{number} {one if number == 1 else many or one + 's'}"
