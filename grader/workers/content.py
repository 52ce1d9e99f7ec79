"""Bytes by their hash: what a job reads, wherever it runs.

A job names its inputs by sha256 and says where they lie. A worker that sees the same files takes them from there; any
other asks for the bytes it lacks and keeps them for the jobs that follow. Bytes always are those of the hash, or they
are not used: a file that changed meanwhile, or a damaged transfer, never becomes somebody's score.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

SHELF_BYTES = 256_000_000
"""What a worker keeps in memory of the bytes it was given; what was unused for longest goes first."""


class Changed(Exception):
    """A file no longer holds the bytes that it is known by."""


@dataclass(frozen=True)
class Content:
    """sha256: of the bytes. path: the file that holds them, here and perhaps elsewhere. data: the bytes themselves."""

    sha256: str
    path: Path | None = None
    data: bytes | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, data: bytes) -> Content:
        """Bytes that lie in no file."""
        return cls(hashlib.sha256(data).hexdigest(), None, data)

    def read(self) -> bytes:
        """The bytes. Raises :class:`Changed` or OSError where they are not to be had any more."""
        if self.data is not None:
            return self.data
        if self.path is None:
            raise Changed(f"the bytes of {self.sha256[:12]} are not here")
        data = self.path.read_bytes()
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise Changed(f"{self.path.name} was changed while it was being scored")
        return data

    def named(self) -> Content:
        """Without the bytes, as it travels."""
        return replace(self, data=None)


@dataclass(frozen=True)
class Lacking:
    """What a worker answers instead of doing a job: the hashes of bytes that it needs."""

    sha256s: tuple[str, ...]


class Shelf:
    """A worker's bytes by hash."""

    def __init__(self, most_bytes: int = SHELF_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        self._folder: Path | None = None

    def fetch(self, contents: Iterable[Content], given: Mapping[str, bytes]) -> tuple[Content, ...] | Lacking:
        """The contents with their bytes, or what of them is lacking. What is given and whole is kept."""
        for sha256, data in given.items():
            if hashlib.sha256(data).hexdigest() == sha256:
                self._keep(sha256, data)
        found, lacking = [], []
        for content in contents:
            if content.sha256 in self._kept:
                self._kept.move_to_end(content.sha256)
                found.append(replace(content, data=self._kept[content.sha256]))
                continue
            try:
                found.append(replace(content, data=content.read()))
            except (OSError, Changed):
                lacking.append(content.sha256)
        return Lacking(tuple(lacking)) if lacking else tuple(found)

    def places(self, files: Iterable[Content], given: Mapping[str, bytes]) -> dict[str, Path] | Lacking:
        """Where each file lies here by its hash: where it says, or in a folder of this worker's own."""
        places: dict[str, Path] = {}
        lacking = []
        for content in files:
            data = given.get(content.sha256)
            if data is not None and hashlib.sha256(data).hexdigest() == content.sha256:
                places[content.sha256] = self._write(content.sha256, data)
                continue
            try:
                content.read()
                assert content.path is not None
                places[content.sha256] = content.path
            except (OSError, Changed):
                lacking.append(content.sha256)
        return Lacking(tuple(lacking)) if lacking else places

    def _keep(self, sha256: str, data: bytes) -> None:
        if sha256 not in self._kept:
            self._kept[sha256] = data
            self._bytes += len(data)
        self._kept.move_to_end(sha256)
        while self._bytes > self._most_bytes and len(self._kept) > 1:
            self._bytes -= len(self._kept.popitem(last=False)[1])

    def _write(self, sha256: str, data: bytes) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="grader-worker-"))
        path = self._folder / sha256
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(data)
        part.replace(path)
        return path

    def close(self) -> None:
        """Remove the files of this worker's own."""
        if self._folder is not None:
            with contextlib.suppress(OSError):
                for path in self._folder.iterdir():
                    path.unlink()
                self._folder.rmdir()
