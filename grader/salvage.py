"""Rows out of a damaged SQLite file: every page is looked at by itself, whatever became of the tree they hang in.

Only for the table of :mod:`grader.store`, whose rows carry checksums: what is found here is only a candidate. Source
of the format: https://www.sqlite.org/fileformat2.html. Numbers are big-endian; a varint has 7 bits per byte, the
ninth has 8.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Row = tuple[str, str, str, int, bytes | None, int | None, float]
"""stage, key, JSON, its checksum, arrays, their checksum, time: the columns of a record."""

_MAGIC = b"SQLite format 3\0"
_PAGE_BYTES = 4096
_LEAF_OF_TABLE = 13
_WAL_HEADER, _FRAME_HEADER = 32, 24
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


def begins_as_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def rows(path: Path) -> Iterator[Row]:
    """What looks like a record in a database file and its write-ahead log, which lies beside it as ``…-wal``."""
    pages = _Pages(path)
    for number in pages.numbers():
        for cell in _cells(pages, number):
            values = _values(cell)
            if values is not None and _is_row(values):
                yield tuple(values)


class _Pages:
    """Pages by number from 1; the log's are newer than the file's."""

    def __init__(self, path: Path) -> None:
        self._file = path.read_bytes()
        size = int.from_bytes(self._file[16:18], "big")
        self.size = size if size in (512, 1024, 2048, 8192, 16384, 32768) else 65536 if size == 1 else _PAGE_BYTES
        self._newer = self._log(path.with_name(f"{path.name}-wal"))

    def _log(self, path: Path) -> Mapping[int, bytes]:
        log = path.read_bytes() if path.is_file() else b""
        newer: dict[int, bytes] = {}
        step = _FRAME_HEADER + self.size
        for start in range(_WAL_HEADER, len(log) - step + 1, step):
            if log[start + 8 : start + 16] == log[16:24]:  # not left over from before the last checkpoint
                number = int.from_bytes(log[start : start + 4], "big")
                newer[number] = log[start + _FRAME_HEADER : start + step]
        return newer

    def numbers(self) -> list[int]:
        return sorted({*range(1, len(self._file) // self.size + 2), *self._newer})

    def get(self, number: int) -> bytes:
        """A page; what a truncated file lacks of it is missing at its end."""
        return self._newer.get(number) or self._file[(number - 1) * self.size : number * self.size]


def _cells(pages: _Pages, number: int) -> Iterator[bytes]:
    """The payloads of a page that is a leaf of a table, gathered from overflow pages where they go on there."""
    page = pages.get(number)
    header = 100 if number == 1 else 0
    if len(page) < header + 8 or page[header] != _LEAF_OF_TABLE:
        return
    count = int.from_bytes(page[header + 3 : header + 5], "big")
    for index in range(min(count, pages.size // 4)):
        place = header + 8 + 2 * index
        start = int.from_bytes(page[place : place + 2], "big")
        length, start = _varint(page, start)
        _, start = _varint(page, start)  # the row's number
        local = _local(length, pages.size)
        payload = page[start : start + local]
        following = int.from_bytes(page[start + local : start + local + 4], "big")
        parts, have, seen = [payload], len(payload), {number}
        while have < length and following not in seen and (overflow := pages.get(following)) and following:
            seen.add(following)
            parts.append(overflow[4 : 4 + length - have])
            have += len(parts[-1])
            following = int.from_bytes(overflow[:4], "big")
        if have == length:
            yield b"".join(parts)


def _local(length: int, page_bytes: int) -> int:
    """How much of a payload lies in the leaf itself."""
    most = page_bytes - 35
    if length <= most:
        return length
    least = (page_bytes - 12) * 32 // 255 - 23
    fitting = least + (length - least) % (page_bytes - 4)
    return fitting if fitting <= most else least


def _varint(data: bytes, start: int) -> tuple[int, int]:
    """A number, and where it ends."""
    value = 0
    for at in range(start, min(start + 9, len(data))):
        if at == start + 8:
            return value << 8 | data[at], at + 1
        value = value << 7 | data[at] & 0x7F
        if data[at] < 0x80:
            return value, at + 1
    return value, len(data)


def _values(payload: bytes) -> list[Any] | None:
    """The columns of a row; None where it is none."""
    end, at = _varint(payload, 0)
    kinds = []
    while at < end <= len(payload):
        kind, at = _varint(payload, at)
        kinds.append(kind)
    values: list[Any] = []
    for kind in kinds:
        if kind in (0, 8, 9):
            values.append({0: None, 8: 0, 9: 1}[kind])
            continue
        if kind in (10, 11):
            return None
        size = _INTEGER_BYTES.get(kind) or (8 if kind == 7 else (kind - 12) // 2)
        data, at = payload[at : at + size], at + size
        if len(data) < size:
            return None
        if kind < 7:
            values.append(int.from_bytes(data, "big", signed=True))
        elif kind == 7:
            values.append(struct.unpack(">d", data)[0])
        elif kind % 2:
            try:
                values.append(data.decode())
            except UnicodeDecodeError:
                return None
        else:
            values.append(data)
    return values


def _is_row(values: list[Any]) -> bool:
    kinds: tuple[tuple[type, ...], ...]
    nothing = type(None)
    kinds = ((str,), (str,), (str,), (int,), (bytes, nothing), (int, nothing), (float, int))
    return len(values) == len(kinds) and all(map(isinstance, values, kinds))
