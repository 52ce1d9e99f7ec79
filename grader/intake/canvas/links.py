"""Addresses in what students typed into Canvas: text entries, link pages and exported comments (text, HTML or CSV)."""

from __future__ import annotations

import csv
import html.parser
import io
import re
from collections.abc import Iterator, Mapping

MOST_BYTES = 5_000_000
_URL = re.compile(r"https?://[^\s<>\"'“”，。）)\]]+")
_WHO_COLUMNS = ("id", "canvas id", "user id", "sis login id", "sis user id", "student id", "student_id")


class _Text(html.parser.HTMLParser):
    """The text of a page line by line, with the addresses of its links and redirects."""

    _LINES = frozenset({"p", "div", "li", "tr", "br", "h1", "h2", "h3", "table"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parts.append("\n" if tag in self._LINES else " ")
        for name, value in attrs:
            if name in ("href", "content") and value:
                self.parts += [" ", value, " "]

    def handle_endtag(self, tag: str) -> None:
        self.parts.append("\n" if tag in self._LINES else " ")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def text_of(content: bytes, name: str) -> str:
    """A file's text in lines; of an HTML page what is seen of it, and where its links lead."""
    text = content[:MOST_BYTES].decode("utf-8-sig", "replace")
    if not name.lower().endswith((".html", ".htm")):
        return text
    page = _Text()
    page.feed(text)
    page.close()
    return "".join(page.parts)


def urls(text: str) -> list[str]:
    """Every web address, once, in order."""
    return list(dict.fromkeys(found.rstrip(".,;:!?") for found in _URL.findall(text)))


def by_student(content: bytes, name: str, student_of: Mapping[str, str]) -> tuple[list[tuple[str, str]], list[str]]:
    """(student, address) of a file about everyone, and the addresses of which it does not say whose they are.

    In a CSV file with a column of IDs a row belongs to its ID; elsewhere a line belongs to the one student whose ID
    stands in it. student_of: student IDs by all that names a student, lower case: Canvas and student IDs.
    """
    found: list[tuple[str, str]] = []
    unclear: list[str] = []
    for who, text in _pieces(text_of(content, name), name):
        students = {student_of[word] for word in re.findall(r"\w+", who.lower()) if word in student_of}
        if len(students) == 1:
            found += [(next(iter(students)), url) for url in urls(text)]
        else:
            unclear += urls(text)
    return list(dict.fromkeys(found)), list(dict.fromkeys(unclear))


def _pieces(text: str, name: str) -> Iterator[tuple[str, str]]:
    """What names a student, and what is said of that student."""
    if name.lower().endswith(".csv"):
        rows = list(csv.reader(io.StringIO(text, newline="")))
        head = [cell.strip().lower() for cell in rows[0]] if rows else []
        columns = [head.index(title) for title in _WHO_COLUMNS if title in head]
        for row in rows[1:] if columns else rows:
            named = [row[column].split("@")[0] for column in columns if column < len(row)] if columns else row
            yield " ".join(named), " ".join(row)
        return
    for line in text.splitlines():
        yield _URL.sub(" ", line), line
