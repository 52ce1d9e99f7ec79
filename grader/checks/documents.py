"""What is handed in beside the clips: report, README, requirements.txt. None of it changes whether the clips score."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from grader.checks import pdf
from grader.checks.graph import SkipError, Subject
from grader.findings import Finding, Severity
from grader.intake.interim_archive import shown

_LINK = re.compile(r"https?://|www\.|github\.com|drive\.google|onedrive|dropbox", re.IGNORECASE)
_RATIO_TOLERANCE = 0.02
_MOST_PDF_BYTES = 200_000_000
_MOST_TEXT_BYTES = 1_000_000


def report_is_there(subject: Subject) -> Iterator[Finding]:
    """Your report lies beside the zip as studentID_report.pdf."""
    if _companion(subject, "report") is None and subject.rubric.report.required:
        yield _absent(subject, "report-missing", "_report.pdf", "hand it in with the code, under that name")


def report_opens_and_keeps_the_rules(subject: Subject) -> Iterator[Finding]:
    """Your report opens, its pages are 16:9, and its first page has your student ID and a link to the code."""
    path = _companion(subject, "report")
    if path is None:
        raise SkipError("there is no report here")
    where = shown(path.name)
    try:
        if path.stat().st_size > _MOST_PDF_BYTES:
            raise pdf.UnreadableError("is larger than 200 MB")
        report = pdf.read(path)
    except pdf.UnreadableError as error:
        yield Finding(
            "report-unreadable",
            Severity.ERROR,
            where,
            "{detail}",
            "export it as PDF again, without a password, and open it once before you upload it",
            facts={"detail": str(error)},
        )
        return
    yield from _shape(subject, report, where)
    yield from _first_page(subject, report, where)


def readme_is_there(subject: Subject) -> Iterator[Finding]:
    """A README (txt, md or pdf) that says how to run inference lies beside the zip."""
    path = _companion(subject, "readme")
    if path is None:
        yield _absent(subject, "readme-missing", "_README.txt", "say in it how to run inference on a folder of mels")
    elif path.stat().st_size == 0:
        yield Finding("readme-empty", Severity.WARNING, shown(path.name), "is empty", "say in it how to run inference")


def requirements_are_there(subject: Subject) -> Iterator[Finding]:
    """A requirements.txt for inference lies beside the zip, and can be read."""
    path = _companion(subject, "requirements")
    if path is None:
        yield _absent(subject, "requirements-missing", "_requirements.txt", "list in it what inference needs from pip")
        return
    where = shown(path.name)
    if path.stat().st_size > _MOST_TEXT_BYTES:
        yield Finding(
            "requirements-too-large",
            Severity.ERROR,
            where,
            "is larger than 1 MB, which no list of packages is",
            "hand in the list that pip reads",
        )
        return
    raw = path.read_bytes()
    encoding = _encoding(raw)
    if encoding is None:
        yield Finding(
            "requirements-encoding",
            Severity.WARNING,
            where,
            "is not text in an encoding that pip reads",
            "save it as UTF-8",
        )
    elif encoding != "utf-8":
        yield Finding(
            "requirements-encoding",
            Severity.NOTE,
            where,
            "is {encoding}, as PowerShell writes it; UTF-8 is usual",
            "write it with: pip freeze | Out-File -Encoding utf8 requirements.txt",
            facts={"encoding": encoding},
        )
    elif not raw.strip():
        yield Finding(
            "requirements-empty", Severity.WARNING, where, "is empty", "list in it what inference needs from pip"
        )


def _companion(subject: Subject, role: str) -> Path | None:
    path: Path | None = getattr(subject.hand_in, role, None)
    return path


def _absent(subject: Subject, code: str, name: str, fix: str) -> Finding:
    return Finding(
        code,
        Severity.WARNING,
        subject.source.name,
        "there is no {name} beside it",
        fix,
        facts={"name": f"{subject.student_id.lower()}{name}"},
    )


def _shape(subject: Subject, report: pdf.Pdf, where: str) -> Iterator[Finding]:
    rules = subject.rubric.report
    odd = [
        number
        for number, (width, height) in enumerate(report.sizes, 1)
        if height <= 0 or abs(width / height / rules.ratio - 1) > _RATIO_TOLERANCE
    ]
    if odd:
        width, height = report.sizes[odd[0] - 1]
        yield Finding(
            "report-aspect-ratio",
            Severity.WARNING,
            f"{where} › page {odd[0]}",
            "{count} of {pages} pages are not {expected} (this one is {width} × {height} points, {found}:1)",
            "set the slide size to {expected} and export again",
            facts={
                "count": len(odd),
                "pages": report.pages,
                "expected": rules.aspect_ratio,
                "width": f"{width:.0f}",
                "height": f"{height:.0f}",
                "found": f"{width / height:.2f}" if height > 0 else "∞",
            },
        )
    if not rules.suggested_pages / 2 <= report.pages <= rules.suggested_pages * 3:
        yield Finding(
            "report-pages",
            Severity.NOTE,
            where,
            "has {pages} pages; about {suggested} are suggested",
            facts={"pages": report.pages, "suggested": rules.suggested_pages},
        )


def _first_page(subject: Subject, report: pdf.Pdf, where: str) -> Iterator[Finding]:
    text = report.first_page_text
    place = f"{where} › page 1"
    if not text.strip():
        yield Finding("report-no-text", Severity.NOTE, place, "holds no text (a picture?), so it cannot be searched")
        return
    if subject.student_id.casefold() not in re.sub(r"\s", "", text).casefold():
        yield Finding(
            "report-no-id",
            Severity.WARNING,
            place,
            "does not name the student ID {student}",
            "put your name and student ID on the cover page",
            facts={"student": subject.student_id},
        )
    if not report.first_page_links and not _LINK.search(text):
        yield Finding(
            "report-no-link",
            Severity.WARNING,
            place,
            "has no link to the code",
            "put the link to your code on the first page, open to everyone",
        )


def _encoding(raw: bytes) -> str | None:
    """The encoding of a text file that pip would read, None where it would not."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        name = "utf-16"
    elif raw.startswith(b"\xef\xbb\xbf"):
        name = "utf-8-sig"
    else:
        name = "utf-8"
    try:
        return name if "\0" not in raw.decode(name) else None
    except UnicodeDecodeError:
        return None
