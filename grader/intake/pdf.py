"""A stranger's PDF, looked at from a safe distance: in a process of its own with limits of time and memory.

A PDF can be made to expand without end or to keep a parser busy for ever. Run as a program, this module reads one file
and prints what it found as JSON; :func:`look_into` starts that program and never hangs or grows with it.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_MOST_FILE_BYTES = 100_000_000
_MOST_MEMORY_BYTES = 400_000_000
_MOST_SECONDS = 15
_MOST_PAGES = 1000
_MOST_CHARACTERS = 20_000
_MOST_ANSWER_BYTES = 1_000_000


@dataclass(frozen=True)
class Pdf:
    """What a PDF holds. sizes: (width, height) of each page as it is shown, in points; the first thousand pages.

    text: of the first page, '' where it holds none; None where it could not be read. links: URIs on the first page.
    """

    pages: int
    sizes: tuple[tuple[float, float], ...]
    text: str | None
    links: tuple[str, ...]


class PdfProblem(Exception):
    """A PDF that could not be read. ``kind``: damaged, encrypted, too-much; ``str(problem)`` says why."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def look_into(path: Path) -> Pdf:
    """Read a PDF within limits. Raises :class:`PdfProblem`."""
    if path.stat().st_size > _MOST_FILE_BYTES:
        raise PdfProblem("too-much", f"it is larger than {_MOST_FILE_BYTES // 10**6} MB")
    package_root = Path(__file__).parents[2]
    command = [sys.executable, "-P", "-m", "grader.intake.pdf", str(path.absolute())]
    environment = {**os.environ, "PYTHONPATH": str(package_root), "PYTHONIOENCODING": "utf-8"}
    with tempfile.TemporaryFile() as answer:
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=answer,
                stderr=subprocess.DEVNULL,
                timeout=_MOST_SECONDS,
                env=environment,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise PdfProblem("too-much", f"reading it took longer than {_MOST_SECONDS} s") from None
        answer.seek(0)
        text = answer.read(_MOST_ANSWER_BYTES)
    try:
        said = json.loads(text)
    except ValueError:
        raise PdfProblem("too-much", f"reading it took too much memory (status {done.returncode})") from None
    if "problem" in said:
        raise PdfProblem(said["problem"], said["reason"])
    sizes = tuple((width, height) for width, height in said["sizes"])
    return Pdf(said["pages"], sizes, said["text"], tuple(said["links"]))


def _limit() -> None:
    try:
        import resource
    except ImportError:  # Windows: the time limit is all there is
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = _MOST_MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(hard, _MOST_MEMORY_BYTES)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _read(path: Path) -> Pdf:
    from pypdf import PasswordType, PdfReader
    from pypdf.errors import DependencyError

    reader = PdfReader(path)
    if reader.is_encrypted:
        try:
            opened = reader.decrypt("")
        except DependencyError:
            opened = PasswordType.NOT_DECRYPTED
        if opened is PasswordType.NOT_DECRYPTED:
            raise PdfProblem("encrypted", "it is encrypted")
    pages = len(reader.pages)
    sizes = tuple(_shown_size(reader.pages[number]) for number in range(min(pages, _MOST_PAGES)))
    if not pages:
        raise PdfProblem("damaged", "it has no pages")
    first = reader.pages[0]
    try:
        text: str | None = first.extract_text()[:_MOST_CHARACTERS]
    except Exception:  # pypdf raises anything on a strange page; the rest of the report can still be judged
        text = None
    return Pdf(pages, sizes, text, tuple(_links(first)))


def _shown_size(page: Any) -> tuple[float, float]:
    width, height = float(page.cropbox.width), float(page.cropbox.height)
    return (height, width) if page.rotation % 180 else (width, height)


def _links(page: Any) -> Iterator[str]:
    for annotation in list(page.annotations or ())[:1000]:
        action = annotation.get_object().get("/A")
        uri = action.get_object().get("/URI") if action else None
        if uri:
            yield str(uri)[:2000]


def main() -> None:
    """Print what is in the PDF named by the first argument."""
    logging.disable()
    _limit()
    try:
        said: dict[str, Any] = asdict(_read(Path(sys.argv[1])))
    except PdfProblem as problem:
        said = {"problem": problem.kind, "reason": str(problem)}
    except MemoryError:
        said = {"problem": "too-much", "reason": "reading it took too much memory"}
    except Exception as error:  # whatever a stranger's file does to pypdf, it is the file that is damaged
        kind = "too-much" if "Limit" in type(error).__name__ else "damaged"  # pypdf has limits of its own since 6.0
        said = {"problem": kind, "reason": f"{type(error).__name__}: {error}"[:200]}
    print(json.dumps(said))


if __name__ == "__main__":
    main()
