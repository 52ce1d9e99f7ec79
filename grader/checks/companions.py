"""What is handed in beside the clips: report, README, requirements.txt. None of it keeps clips from being scored."""

from __future__ import annotations

import codecs
import re
import unicodedata
from pathlib import Path

from grader.checks.graph import Checked, Rules
from grader.checks.say import counted, error, note, place, warning
from grader.intake.names import printable
from grader.intake.pdf import Pdf, PdfProblem, look_into
from grader.intake.submission import HandIn
from grader.rubric import Rubric

rule = Rules("companions")

_RATIO_TOLERANCE = 0.03
_MOST_TEXT_BYTES = 1_000_000
_EXPORT = "Export the slides as PDF again (without a password) and open the file once before handing it in."


@rule()
def report_there(hand_in: HandIn, rubric: Rubric, folder: str) -> Checked[Path | None]:
    """The report is there."""
    if hand_in.report is None and rubric.report.required:
        yield warning(
            "report-missing",
            f"{folder}_report.pdf",
            "There is no report.",
            "Hand it in as {folder}_report.pdf.",
            folder=folder,
        )
    return hand_in.report


@rule()
def report(report_there: Path) -> Checked[Pdf | None]:
    """The report is a PDF that opens."""
    try:
        return look_into(report_there)
    except PdfProblem as problem:
        what = {
            "encrypted": "The report is locked with a password or encrypted, so it cannot be checked.",
            "too-much": "The report was not read to its end: {reason}. Someone has to look at it.",
        }.get(problem.kind, "The report does not open as a PDF: {reason}.")
        say = error if problem.kind == "damaged" else warning
        yield say(f"report-{problem.kind}", place(report_there), what, _EXPORT, reason=printable(str(problem), 150))
        return None


@rule()
def report_pages(report: Pdf, report_there: Path, rubric: Rubric) -> Checked[None]:
    """The report has about as many pages as suggested."""
    suggested = rubric.report.suggested_pages
    if not suggested / 2 <= report.pages <= suggested * 2:
        yield note(
            "report-pages",
            place(report_there),
            "The report has {count}; about {suggested} are suggested.",
            count=counted(report.pages, "page"),
            suggested=suggested,
        )


@rule()
def report_shape(report: Pdf, report_there: Path, rubric: Rubric) -> Checked[None]:
    """Every page of the report has the shape of a slide."""
    expected = rubric.report.ratio
    odd = [
        (number, width, height)
        for number, (width, height) in enumerate(report.sizes, 1)
        if height <= 0 or abs(width / height / expected - 1) > _RATIO_TOLERANCE
    ]
    if odd:
        number, width, height = odd[0]
        yield warning(
            "report-shape",
            place(report_there),
            "{count} of {pages} not {ratio}; page {number} measures {width} × {height} points.",
            "Set the slide size to {ratio} before exporting (PowerPoint: Design, Slide Size, Widescreen).",
            count=counted(len(odd), "page"),
            pages=f"{report.pages} {'is' if len(odd) == 1 else 'are'}",
            ratio=rubric.report.aspect_ratio,
            number=number,
            width=f"{width:.0f}",
            height=f"{height:.0f}",
        )


@rule()
def report_names_student(report: Pdf, report_there: Path, student: str) -> Checked[None]:
    """The report's first page names your student ID."""
    text = "".join(unicodedata.normalize("NFKC", report.text or "").split()).upper()
    if not text:
        yield note(
            "report-no-text",
            place(report_there),
            "The first page holds no text a program can read (a scan, or "
            "text turned into outlines): whether it names the student ID was not checked.",
        )
    elif student not in text:
        yield warning(
            "report-no-id",
            place(report_there),
            "The first page does not name the student ID {student}.",
            "Put name and student ID on the cover.",
            student=student,
        )


@rule()
def report_links_code(report: Pdf, report_there: Path) -> Checked[None]:
    """The report's first page holds the link to your code."""
    written = re.search(r"https?://|www\.|[a-z0-9-]+\.(com|tw|org|io|ms)/", (report.text or "").lower())
    linked = any(re.match(r"https?://", link) for link in report.links)
    if written or linked:
        return
    if (report.text or "").strip():
        yield warning(
            "report-no-link",
            place(report_there),
            "The first page holds no link to the code.",
            "Put the link to your cloud folder there, open to everyone who has it.",
        )
    else:
        yield note(
            "report-link-unknown",
            place(report_there),
            "Whether the first page holds the link to the code was not checked: it has no text and no clickable link.",
        )


@rule()
def readme(hand_in: HandIn, folder: str) -> Checked[None]:
    """There is a README that says how to run the code."""
    fix = "Say in {folder}_README.txt (or .md, .pdf) how to run inference: the command, where mels and output go."
    if hand_in.readme is None:
        yield warning("readme-missing", f"{folder}_README.txt", "There is no README.", fix, folder=folder)
    elif hand_in.readme.stat().st_size == 0:
        yield warning("readme-empty", place(hand_in.readme), "The README is empty.", fix, folder=folder)


@rule()
def requirements(hand_in: HandIn, folder: str) -> Checked[None]:
    """There is a requirements.txt that pip can read."""
    fix = "Write one package a line, as UTF-8: python -m pip freeze > requirements.txt (in cmd, not in PowerShell 5)."
    path = hand_in.requirements
    if path is None:
        yield warning(
            "requirements-missing", f"{folder}_requirements.txt", "There is no requirements.txt.", fix, folder=folder
        )
        return
    with path.open("rb") as file:
        data = file.read(_MOST_TEXT_BYTES + 1)
    encoding = encoding_of(data)
    if encoding is None or len(data) > _MOST_TEXT_BYTES:
        yield warning("requirements-unreadable", place(path), "It is no text file that can be decoded.", fix)
    elif not data.decode(encoding).strip():
        yield warning("requirements-empty", place(path), "It is empty.", fix)
    elif encoding in ("utf-8-sig", "utf-16"):
        yield note(
            "requirements-encoding",
            place(path),
            "It is written as {encoding}; pip reads that.",
            encoding=encoding.upper(),
        )
    elif encoding != "utf-8":
        yield warning(
            "requirements-encoding",
            place(path),
            "It is written as {encoding}, which pip cannot read.",
            fix,
            encoding=encoding.upper(),
        )


def encoding_of(data: bytes) -> str | None:
    """The encoding of a student's text file; None where it is no text.

    UTF-16 without a mark is told by its zero bytes, Big5 (CP950) by decoding where UTF-8 does not.
    """
    if data.startswith(codecs.BOM_UTF8):
        candidates = ["utf-8-sig"]
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        candidates = ["utf-16"]
    elif b"\0" in data:
        candidates = ["utf-16-le" if data[1::2].count(0) >= data[::2].count(0) else "utf-16-be"]
    else:
        candidates = ["utf-8", "cp950"]
    for encoding in candidates:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if all(character.isprintable() or character.isspace() for character in text):
            return encoding
    return None
