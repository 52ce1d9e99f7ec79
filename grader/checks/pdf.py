"""Reads a PDF in a process of its own, with its memory and time limited: ``python -m grader.checks.pdf FILE``.

A PDF can be made to hang its reader or to fill the memory; then only this process ends.
"""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

_SECONDS = 20
_MEMORY_BYTES = 400_000_000
_MOST_PAGES = 500


@dataclass(frozen=True)
class Pdf:
    """What the checks ask of a PDF. sizes: width and height of each page in points, as it is seen."""

    pages: int
    sizes: tuple[tuple[float, float], ...]
    first_page_text: str
    first_page_links: tuple[str, ...]


class UnreadableError(Exception):
    """Why a PDF cannot be read, in words for its author."""


def read(path: Path) -> Pdf:
    """Read a PDF; raises :class:`UnreadableError`."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "grader.checks.pdf", str(path.absolute())],
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnreadableError(f"takes longer than {_SECONDS} s to open") from None
    try:
        record = json.loads(done.stdout)
    except ValueError:
        raise UnreadableError("needs too much memory, or crashes its reader") from None
    if "unreadable" in record:
        raise UnreadableError(record["unreadable"])
    sizes = tuple((width, height) for width, height in record["sizes"])
    return Pdf(record["pages"], sizes, record["first_page_text"], tuple(record["first_page_links"]))


def _read(path: Path) -> Pdf:
    import pypdf

    reader = pypdf.PdfReader(path)
    if reader.is_encrypted and not reader.decrypt(""):
        raise UnreadableError("is protected with a password")
    sizes = []
    for page in reader.pages[:_MOST_PAGES]:
        box = page.cropbox
        width, height = float(box.width), float(box.height)
        sizes.append((height, width) if page.rotation % 180 else (width, height))
    if not sizes:
        raise UnreadableError("has no pages")
    first = reader.pages[0]
    links = []
    for annotation in first.get("/Annots", None) or []:
        with contextlib.suppress(Exception):  # one broken annotation says nothing about the others
            links.append(str(annotation.get_object()["/A"]["/URI"]))
    return Pdf(len(reader.pages), tuple(sizes), first.extract_text()[:20_000], tuple(links))


def _limit() -> None:
    with contextlib.suppress(ImportError):  # Windows has no such limits; there the timeout alone holds
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))


def _main(path: Path) -> None:
    _limit()
    logging.disable()
    try:
        print(json.dumps(asdict(_read(path))))
    except UnreadableError as error:
        print(json.dumps({"unreadable": str(error)}))
    except Exception as error:  # pypdf fails on broken files in many ways; all mean the same to the author
        print(json.dumps({"unreadable": f"is not a PDF that can be read ({type(error).__name__})"}))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
