"""A CSV file taken apart so that joining it gives the same bytes again, and its cells read as the csv module reads
them.

Fields may be quoted or not, lines may end in CRLF, LF or CR, a quoted field may hold separators, quotes (doubled) and
line ends; a byte order mark is kept. Any bytes can be taken apart; whether the last quote is closed is told.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass

_QUOTED = re.compile(rb'"((?:[^"]+|"")*)("?)(.*)', re.DOTALL)


@dataclass(frozen=True)
class Line:
    """cells: their bytes as they stand, quotes included; end: CRLF, LF, CR or nothing; number: of its first line."""

    cells: tuple[bytes, ...]
    end: bytes
    number: int


@dataclass(frozen=True)
class Table:
    """mark: the byte order mark, or nothing. closed: whether every quoted field ends."""

    mark: bytes
    delimiter: bytes
    lines: tuple[Line, ...]
    closed: bool = True

    def join(self, changed: Mapping[tuple[int, int], bytes] | None = None) -> bytes:
        """The bytes of the file; ``changed`` holds other bytes for some cells, by (line, cell), both counted from 0."""
        changed = changed or {}
        parts = [self.mark]
        for row, line in enumerate(self.lines):
            cells = [changed.get((row, column), cell) for column, cell in enumerate(line.cells)]
            parts += [self.delimiter.join(cells), line.end]
        return b"".join(parts)


def take_apart(content: bytes, delimiter: bytes = b",") -> Table:
    """delimiter: one byte that is no quote and no line end."""
    mark = codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b""
    plain = rb"[^\r\n" + re.escape(delimiter) + rb"]*"
    cell = re.compile(rb'(?:"(?:[^"]+|"")*(?:"' + plain + rb")?|" + plain + rb")", re.DOTALL)
    lines: list[Line] = []
    cells: list[bytes] = []
    at, number, begun = len(mark), 1, 1
    while at < len(content) or cells:
        match = cell.match(content, at)
        assert match is not None  # it matches the empty string too
        cells.append(match[0])
        at = match.end()
        number += _line_ends(match[0])
        if content[at : at + 1] == delimiter:
            at += 1
            continue
        end = b"\r\n" if content[at : at + 2] == b"\r\n" else content[at : at + 1]
        at += len(end)
        number += bool(end)
        lines.append(Line(tuple(cells), end, begun))
        cells, begun = [], number
    return Table(mark, delimiter, tuple(lines), not lines or _closed(lines[-1].cells[-1]))


def value(cell: bytes) -> bytes:
    """What a cell says: without its quotes, doubled ones once."""
    match = _QUOTED.fullmatch(cell)
    return match[1].replace(b'""', b'"') + match[3] if match else cell


def like(cell: bytes, text: bytes) -> bytes:
    """``text``, which needs no quotes, written as the cell is: quoted where that is."""
    return b'"' + text + b'"' if cell.startswith(b'"') else text


def _closed(cell: bytes) -> bool:
    match = _QUOTED.fullmatch(cell)
    return match is None or bool(match[2])


def _line_ends(content: bytes) -> int:
    return content.count(b"\n") + content.count(b"\r") - content.count(b"\r\n")
