"""Hand-ins taken apart safely: what is in a zip or a folder, and its files on disk.

Nothing an archive says is believed: names are taken apart by :mod:`grader.intake.names`, sizes are counted while
streaming, files are written under names of our own into a temporary folder that takes its place only when whole.
Conventions: sizes in bytes, MB of 10^6 bytes; nested archives are never opened.
"""

from __future__ import annotations

import datetime as dt
import io
import itertools
import os
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from grader.errors import EnvironmentProblem
from grader.intake import names
from grader.rubric import Archive

_CHUNK_BYTES = 1 << 18
_DIRECTORY_BYTES_PER_ENTRY = 1024  # far above any real name and its extra fields
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
)


class Kind(StrEnum):
    FILE = "file"
    FOLDER = "folder"
    SYMLINK = "symbolic link"
    SPECIAL = "device, pipe or socket"


@dataclass(frozen=True)
class Entry:
    """One name in a zip or a folder. ``size`` and ``packed`` are what the archive claims.

    encoding: what ``name`` was recovered from, and ``stored`` the name as the archive has it.
    offset: where the entry begins in the zip; method: its compression type; path: the file of a folder's entry.
    written: when a zip says the entry was written, on a clock that it does not name; None where that is no time.
    """

    index: int
    name: str
    kind: Kind
    size: int
    packed: int = 0
    stored: str = ""
    encoding: str | None = None
    encrypted: bool = False
    method: int = zipfile.ZIP_STORED
    offset: int = 0
    path: Path | None = None
    written: dt.datetime | None = None


@dataclass(frozen=True)
class Listing:
    """Everything in a hand-in. directory_offset: where the zip's list of entries begins; None for a folder."""

    source: Path
    entries: tuple[Entry, ...]
    directory_offset: int | None = None


@dataclass(frozen=True)
class StoredFile:
    """A file of a hand-in that can be opened: its place in the hand-in and on disk. size: true, in bytes."""

    name: str
    parts: tuple[str, ...]
    path: Path
    size: int


class ArchiveProblem(Exception):
    """A hand-in that cannot be taken apart. code: a finding's code; entry: the name it is about, or ''."""

    def __init__(self, code: str, entry: str = "", **facts: Any) -> None:
        super().__init__(f"{code} {entry} {facts}")
        self.code = code
        self.entry = entry
        self.facts = facts


class _BoundedFile(io.FileIO):
    """A file that refuses one huge read, which is how :mod:`zipfile` takes in the whole list of entries."""

    def __init__(self, path: Path, most_bytes: int) -> None:
        super().__init__(path, "rb")
        self._most_bytes = most_bytes

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self._most_bytes:
            raise ArchiveProblem("archive-too-many-entries", found=f"a list of {size / 1e6:.1f} MB")
        return super().read(-1 if size is None else size)


@contextmanager
def _open_zip(path: Path, limits: Archive) -> Iterator[zipfile.ZipFile]:
    with _BoundedFile(path, max(limits.max_entries * _DIRECTORY_BYTES_PER_ENTRY, _CHUNK_BYTES)) as file:
        try:
            archive = zipfile.ZipFile(file)
        except _DAMAGE as error:
            reason = "its end is missing" if str(error) == "File is not a zip file" else str(error)
            raise ArchiveProblem("archive-damaged", reason=reason) from None
        with archive:
            yield archive


def list_zip(path: Path, limits: Archive) -> Listing:
    """What a zip claims to hold. Raises :class:`ArchiveProblem` where it does not open or the list is too long."""
    with _open_zip(path, limits) as archive:
        infos = archive.infolist()
        if len(infos) > limits.max_entries:
            raise ArchiveProblem("archive-too-many-entries", found=f"{len(infos)} entries")
        entries = tuple(_zip_entry(index, info) for index, info in enumerate(infos))
        return Listing(path, entries, archive.start_dir)


def _zip_entry(index: int, info: zipfile.ZipInfo) -> Entry:
    name, encoding = names.decode_zip_name(info)
    kind_bits = stat.S_IFMT(info.external_attr >> 16)
    if kind_bits == stat.S_IFLNK:
        kind = Kind.SYMLINK
    elif kind_bits == stat.S_IFDIR or name.endswith(("/", "\\")):
        kind = Kind.FOLDER
    else:
        kind = Kind.FILE if kind_bits in (0, stat.S_IFREG) else Kind.SPECIAL
    try:
        written = dt.datetime(*info.date_time)
    except ValueError:
        written = None
    return Entry(
        index,
        name,
        kind,
        info.file_size,
        info.compress_size,
        info.orig_filename,
        encoding,
        bool(info.flag_bits & 0x1),
        info.compress_type,
        info.header_offset,
        written=written,
    )


def list_folder(root: Path, limits: Archive, leave_out: Collection[Path] = ()) -> Listing:
    """Everything under a folder but ``leave_out``, links not followed, in order of names.

    Raises :class:`ArchiveProblem` where there are more entries than allowed.
    """
    entries: list[Entry] = []
    for folder, folders, files in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if Path(folder, name) not in leave_out)
        for name in sorted(folders + files):
            path = Path(folder, name)
            if path in leave_out:
                continue
            status = path.lstat()
            kind = (
                Kind.SYMLINK
                if stat.S_ISLNK(status.st_mode)
                else Kind.FOLDER
                if stat.S_ISDIR(status.st_mode)
                else Kind.FILE
                if stat.S_ISREG(status.st_mode)
                else Kind.SPECIAL
            )
            size = status.st_size if kind is Kind.FILE else 0
            relative = path.relative_to(root).as_posix()
            entries.append(Entry(len(entries), relative, kind, size, size, relative, path=path))
            if len(entries) > limits.max_entries:
                raise ArchiveProblem("archive-too-many-entries", found=f"more than {limits.max_entries} entries")
    return Listing(root, tuple(entries))


def overlapping(listing: Listing) -> tuple[Entry, Entry | None] | None:
    """Two entries of a zip that share bytes, or one that runs into the list of entries; None where all is well."""
    if listing.directory_offset is None:
        return None
    ordered = sorted(listing.entries, key=lambda entry: entry.offset)
    for entry, after in itertools.zip_longest(ordered, ordered[1:]):
        end = entry.offset + 30 + len(entry.stored) + entry.packed  # 30: a local header without its name
        if end > (after.offset if after else listing.directory_offset):
            return entry, after
    return None


def unpack(listing: Listing, target: Path, limits: Archive, *, free_ratio_bytes: int) -> tuple[StoredFile, ...]:
    """Unpack the files of a zip that are no junk into ``target``, which is replaced when everything is whole.

    Entries must have been found safe. free_ratio_bytes: up to this size no compression ratio is suspicious (a silent
    clip packs 1000 : 1). Raises :class:`ArchiveProblem` on the first damaged entry or broken limit, and
    :class:`EnvironmentProblem` where the disk cannot take it; then nothing is left behind.
    """
    with _writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}-{os.getpid()}-", dir=target.parent))
    try:
        files = _unpack_all(listing, partial, limits, free_ratio_bytes)
        with _writing(target):
            _take_place(partial, target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return tuple(StoredFile(file.name, file.parts, target / file.path.name, file.size) for file in files)


def _take_place(partial: Path, target: Path) -> None:
    """Make ``partial`` the target. One that holds the same already stays: another process may be reading it."""

    def files(folder: Path) -> set[tuple[str, int]]:
        return {(path.name, path.stat().st_size) for path in folder.iterdir()}

    try:
        partial.rename(target)
    except OSError:
        if files(target) == files(partial):
            shutil.rmtree(partial)
        else:
            shutil.rmtree(target)
            partial.rename(target)


def _unpack_all(listing: Listing, folder: Path, limits: Archive, free_ratio_bytes: int) -> list[StoredFile]:
    files = []
    room = int(limits.max_unpacked_mb * 1e6)
    with contents(listing, limits, free_ratio_bytes=free_ratio_bytes) as chunks:
        for entry in wanted(listing):
            parts = names.parts_of(entry.name)
            path = folder / names.on_disk(entry.index, parts)
            with _writing(path), path.open("xb") as out:
                size = 0
                for chunk in chunks(entry):
                    size += len(chunk)
                    if size > room:
                        raise ArchiveProblem("archive-too-big", found=f"more than {limits.max_unpacked_mb:g} MB")
                    out.write(chunk)
            room -= size
            files.append(StoredFile(entry.name, parts, path, size))
    return files


@contextmanager
def contents(
    listing: Listing, limits: Archive, *, free_ratio_bytes: int
) -> Iterator[Callable[[Entry], Iterator[bytes]]]:
    """A function that gives the bytes of one entry of a zip after the other, while the zip is open.

    It raises :class:`ArchiveProblem` for an entry that is damaged, that unpacks to more than ``free_ratio_bytes`` and
    the allowed ratio, or to another size than it claims; other entries can be read all the same.
    """
    with _open_zip(listing.source, limits) as archive:
        infos = archive.infolist()

        def chunks(entry: Entry) -> Iterator[bytes]:
            most = max(free_ratio_bytes, int(limits.max_ratio * entry.packed))
            size = 0
            for chunk in _chunks(archive, infos[entry.index], entry):
                size += len(chunk)
                if size > most:
                    ratio = f"{size / max(entry.packed, 1):.0f}"
                    raise ArchiveProblem("archive-ratio", entry.name, ratio=ratio)
                yield chunk
            if size != entry.size:
                raise ArchiveProblem("archive-wrong-size", entry.name, claimed=entry.size, found=size)

        yield chunks


def wanted(listing: Listing) -> Sequence[Entry]:
    """The files that are no junk."""
    return [e for e in listing.entries if e.kind is Kind.FILE and not names.is_junk(names.parts_of(e.name))]


def in_place(listing: Listing) -> tuple[StoredFile, ...]:
    """The files of a folder that are no junk, where they lie."""
    return tuple(
        StoredFile(entry.name, names.parts_of(entry.name), entry.path, entry.size)
        for entry in wanted(listing)
        if entry.path is not None
    )


def _chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo, entry: Entry) -> Iterator[bytes]:
    try:
        with archive.open(info) as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
    except _DAMAGE as error:
        raise ArchiveProblem("archive-damaged-entry", entry.name, reason=str(error)) from None


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """What goes wrong while writing is the machine's fault; trouble with reading never comes as OSError."""
    try:
        yield
    except OSError as error:
        raise EnvironmentProblem(
            f"{path.parent}: a hand-in cannot be unpacked there: {error.strerror}",
            help="free some disk space, or point TMPDIR to a disk that has some",
        ) from None
