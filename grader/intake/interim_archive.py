"""Safe unpacking of an untrusted zip: everything is looked at before a byte is written, and limited while it is.

Entries are written as ``0001.wav``, ``0002.pdf``, … whatever their names are, into a temporary folder that is renamed
when it is whole. Names are decoded as the student's system meant them; no name ever becomes a path.
"""

from __future__ import annotations

import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from grader.findings import Finding, Severity
from grader.rubric import Archive

_CHUNK = 1 << 16
_RATIO_COUNTS_FROM = 20_000_000
_MAGIC = (
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x1f\x8b", "a gzip (tar.gz) archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"BZh", "a bzip2 archive"),
    (b"%PDF", "a PDF"),
    (b"RIFF", "a RIFF (wav) file"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
)
_REZIP = "make it anew as .zip: right-click the folder, 'Compress' (macOS) or 'Send to › Compressed folder' (Windows)"
_COMPRESSION = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd", 99: "AES encryption"}
_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_JUNK_NAMES = {".ds_store", "thumbs.db", "desktop.ini"}


@dataclass(frozen=True)
class Entry:
    """One file of an archive. name: as the student saw it, ``/`` between folders; path: where its bytes are now."""

    name: str
    path: Path
    size: int

    @property
    def base(self) -> str:
        return PurePosixPath(self.name).name


@dataclass(frozen=True)
class Unpacked:
    """What came out. ``entries`` is empty where a finding is an error: an archive is taken whole or not at all."""

    entries: tuple[Entry, ...]
    findings: tuple[Finding, ...]


class _RefusedError(Exception):
    def __init__(self, code: str, what: str, fix: str = _REZIP, *, entry: str | None = None, **facts: Any) -> None:
        super().__init__(code)
        self.code, self.what, self.fix, self.entry, self.facts = code, what, fix, entry, facts


def unpack(source: Path, target: Path, limits: Archive) -> Unpacked:
    """Unpack the zip ``source`` into the folder ``target``, which comes into being whole or not at all.

    A folder as ``source`` is read where it lies, links left out. Never raises for what the student did.
    """
    if source.is_dir():
        return _listed(source, limits)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=target.parent))
    try:
        with source.open("rb") as file:
            entries, findings = _unpack(file, source, partial, limits)
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
    except _RefusedError as refused:
        where = source.name if refused.entry is None else f"{source.name} › {shown(refused.entry)}"
        error = Finding(refused.code, Severity.ERROR, where, refused.what, refused.fix, facts=refused.facts)
        return Unpacked((), (error,))
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    moved = tuple(Entry(entry.name, target / entry.path.name, entry.size) for entry in entries)
    return Unpacked(moved, tuple(findings))


def shown(name: str, most: int = 80) -> str:
    """A name that is safe to print: control and direction-changing characters escaped, the middle of a long one cut."""
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    return safe if len(safe) <= most else f"{safe[: most // 2]}…{safe[-(most // 2 - 1) :]}"


def _unpack(file: BinaryIO, source: Path, folder: Path, limits: Archive) -> tuple[list[Entry], list[Finding]]:
    _look_at_magic(file)
    _look_at_end(file, limits)
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, struct.error, ValueError, OSError, EOFError, NotImplementedError) as error:
        raise _damaged(error) from None
    with archive:
        infos = archive.infolist()
        names = [_decoded(info) for info in infos]
        findings = list(_names_findings(source, infos, names))
        for info, name in zip(infos, names, strict=True):
            _look_at_entry(info, name)
        _look_for_duplicates(names)
        _look_for_overlap(infos, archive.start_dir)
        declared = sum(info.file_size for info in infos)
        if declared > limits.max_unpacked_mb * 1e6:
            raise _too_large(limits)
        entries, total = [], 0
        for number, (info, name) in enumerate(zip(infos, names, strict=True), 1):
            if info.is_dir() or name.endswith("/") or _is_junk(name):
                continue
            suffix = PurePosixPath(name).suffix.lower()
            path = folder / f"{number:04d}{suffix if suffix in ('.wav', '.pdf', '.txt', '.md') else ''}"
            size = _extract(archive, info, name, path, limits, total)
            total += size
            entries.append(Entry(name, path, size))
    return entries, findings


def _look_at_magic(file: BinaryIO) -> None:
    head = file.read(512)
    if not head:
        raise _RefusedError(
            "archive-empty", "the file is empty: 0 bytes", "upload it again, and look at its size before"
        )
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            raise _RefusedError("archive-not-zip", "this is {kind} under the name of a zip", kind=kind)
    if head[257:262] == b"ustar":
        raise _RefusedError("archive-not-zip", "this is {kind} under the name of a zip", kind="a tar archive")


def _look_at_end(file: BinaryIO, limits: Archive) -> None:
    """Read the number of entries before zipfile reads them all into memory."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 65_557 - 20))
    tail = file.read()
    file.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise _damaged("its end is missing, as after an upload or download that broke off")
    count, directory = struct.unpack_from("<HI", tail, at + 10)
    if count == 0xFFFF or directory == 0xFFFFFFFF:
        locator = tail.rfind(b"PK\x06\x07", 0, at)
        if locator >= 0:
            (offset,) = struct.unpack_from("<Q", tail, locator + 8)
            if offset + 56 <= size:
                file.seek(offset)
                record = file.read(56)
                file.seek(0)
                if record.startswith(b"PK\x06\x06"):
                    count, directory = struct.unpack_from("<QQ", record, 32)
    if count > limits.max_entries or directory > limits.max_entries * 1024:
        raise _RefusedError(
            "archive-too-many-entries",
            "holds {count} entries; at most {most} are accepted",
            "zip the folder with the clips alone",
            count=count,
            most=limits.max_entries,
        )


def _look_at_entry(info: zipfile.ZipInfo, name: str) -> None:
    parts = name.replace("\\", "/").split("/")
    absolute = name.startswith(("/", "\\")) or (len(parts[0]) >= 2 and parts[0][1] == ":" and parts[0][0].isalpha())
    if ".." in parts or absolute or "\0" in info.orig_filename:
        raise _RefusedError(
            "archive-unsafe-name",
            "an entry's name leads out of the folder",
            "zip the folder itself, with plain file names in it",
            entry=name,
        )
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind and not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise _RefusedError(
            "archive-link",
            "an entry is a link or a special file",
            "put the file itself into the folder instead of a link to it",
            entry=name,
        )
    if info.flag_bits & 1:
        raise _RefusedError(
            "archive-encrypted", "the archive is encrypted", "zip it again without a password", entry=name
        )
    if info.compress_type not in _READABLE:
        raise _RefusedError(
            "archive-compression",
            "compressed with {method}, which is not part of standard zip",
            f"choose method Deflate, or {_REZIP}",
            entry=name,
            method=_COMPRESSION.get(info.compress_type, f"method {info.compress_type}"),
        )


def _look_for_duplicates(names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise _RefusedError(
                "archive-duplicate",
                "two entries have the same name, and only one of them would be seen",
                "zip the folder anew instead of adding to an old archive",
                entry=name,
            )
        seen.add(name)


def _look_for_overlap(infos: list[zipfile.ZipInfo], directory: int) -> None:
    ordered = sorted(infos, key=lambda info: info.header_offset)
    ends = [info.header_offset for info in ordered[1:]] + [directory]
    for info, end in zip(ordered, ends, strict=True):
        if info.header_offset + 30 + info.compress_size > end:
            raise _RefusedError(
                "archive-overlap",
                "entries lie over each other, as in an archive made to fill the disk",
                entry=info.filename,
            )


def _extract(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, path: Path, limits: Archive, before: int
) -> int:
    """Write one entry; returns its true size, whatever the archive said of it."""
    size = 0
    try:
        with archive.open(info) as packed, path.open("xb") as plain:
            while chunk := packed.read(_CHUNK):
                size += len(chunk)
                if before + size > limits.max_unpacked_mb * 1e6:
                    raise _too_large(limits)
                if size > _RATIO_COUNTS_FROM and size > limits.max_ratio * max(1, info.compress_size):
                    raise _RefusedError(
                        "archive-bomb",
                        "unpacks to more than {ratio} times its size",
                        "leave out files of zeros; clips never pack so well",
                        entry=name,
                        ratio=f"{limits.max_ratio:g}",
                    )
                plain.write(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, struct.error) as error:
        raise _damaged(error, entry=name) from None
    if size != info.file_size:
        raise _damaged(f"says {info.file_size} bytes, has {size}", entry=name)
    return size


def _damaged(error: object, entry: str | None = None) -> _RefusedError:
    return _RefusedError(
        "archive-damaged",
        "the archive is damaged or not whole: {detail}",
        "make the zip again, open it once to see that it is whole, and upload it again",
        entry=entry,
        detail=shown(str(error), 120),
    )


def _too_large(limits: Archive) -> _RefusedError:
    return _RefusedError(
        "archive-too-large",
        "unpacks to more than {most} MB",
        "hand in the clips alone: 30 clips of 30 s are 40 MB",
        most=f"{limits.max_unpacked_mb:g}",
    )


def _decoded(info: zipfile.ZipInfo) -> str:
    """The name as the student's system wrote it: UTF-8 where marked, else UTF-8 or Big5 (Windows in Taiwan)."""
    name = info.orig_filename
    if not info.flag_bits & 0x800:
        raw = name.encode("cp437", errors="replace")
        for encoding in ("ascii", "utf-8", "cp950"):
            try:
                name = raw.decode(encoding)
                break
            except UnicodeDecodeError:
                continue
    return name.split("\0")[0]


def _is_junk(name: str) -> bool:
    parts = name.split("/")
    return "__MACOSX" in parts or parts[-1].lower() in _JUNK_NAMES or parts[-1].startswith("._")


def _names_findings(source: Path, infos: list[zipfile.ZipInfo], names: list[str]) -> Iterator[Finding]:
    junk = [name for name in names if _is_junk(name)]
    if junk:
        yield Finding(
            "archive-junk",
            Severity.NOTE,
            source.name,
            "{count} files of the operating system in it ({example}, …) are left out",
            facts={"count": len(junk), "example": shown(junk[0])},
        )
    redecoded = [
        shown(name) for info, name in zip(infos, names, strict=True) if name != info.orig_filename.split("\0")[0]
    ]
    if redecoded:
        yield Finding(
            "archive-encoding",
            Severity.NOTE,
            source.name,
            "{count} names are not marked as Unicode and were read as Big5 or UTF-8, such as {example}",
            facts={"count": len(redecoded), "example": redecoded[0]},
        )
    folded: dict[str, str] = {}
    for name in names:
        other = folded.setdefault(name.casefold(), name)
        if other != name:
            yield Finding(
                "archive-case",
                Severity.WARNING,
                f"{source.name} › {shown(name)}",
                "differs from {other} in upper and lower case alone: on Windows and macOS one replaces the other",
                "keep one of them",
                facts={"other": shown(other)},
            )


def _listed(folder: Path, limits: Archive) -> Unpacked:
    """The files of a folder, links and special files left out."""
    entries, findings, total = [], [], 0
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode) or _is_junk(name):
            continue
        if not stat.S_ISREG(mode):
            findings.append(
                Finding(
                    "archive-link",
                    Severity.ERROR,
                    f"{folder.name} › {shown(name)}",
                    "a link or a special file",
                    "put the file itself into the folder instead of a link to it",
                )
            )
            continue
        total += path.lstat().st_size
        entries.append(Entry(name, path, path.lstat().st_size))
        if len(entries) > limits.max_entries or total > limits.max_unpacked_mb * 1e6:
            error = _too_large(limits)
            findings.append(Finding(error.code, Severity.ERROR, folder.name, error.what, error.fix, facts=error.facts))
            break
    failed = any(finding.severity is Severity.ERROR for finding in findings)
    return Unpacked(() if failed else tuple(entries), tuple(findings))
