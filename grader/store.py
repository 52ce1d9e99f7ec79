"""Records by content: what was computed once from the same inputs is never computed again.

One SQLite file. A record is JSON, with NumPy arrays beside it where there are any, under a stage's name and a key: the
hash of everything that went into it (bytes, settings, the version of that stage's code). Records are never changed,
only added, each in one transaction, so a killed run loses at most what it was just computing.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import numpy as np

from grader import salvage
from grader.errors import EnvironmentProblem

Arrays = Mapping[str, np.ndarray]
_LAYOUT = 2
_KEYS_AT_ONCE = 500
_T = TypeVar("_T")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
    stage TEXT, key TEXT, json TEXT NOT NULL, json_crc INTEGER NOT NULL, arrays BLOB, arrays_crc INTEGER,
    made_at REAL NOT NULL, PRIMARY KEY (stage, key)
);
CREATE TABLE IF NOT EXISTS file_hash (
    path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, inode INTEGER, sha256 TEXT NOT NULL
);
"""


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def content_key(**parts: Any) -> str:
    """The hash of named JSON-able parts; their order does not matter."""
    return hashlib.sha256(_encode(parts).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Record:
    """What is kept under a stage's name and a key: JSON, and arrays beside it."""

    stage: str
    key: str
    json: Mapping[str, Any]
    arrays: Arrays | None = None


class Store:
    """The records of one course. Safe to open from several processes at once.

    A file that is damaged is moved aside, ``set_aside`` says where to, and every record in it that is whole (``saved``
    of them) goes into a new one. A record whose bytes have changed since they were written counts as unknown.
    """

    def __init__(self, path: Path) -> None:
        """Open or make the store; raises :class:`EnvironmentProblem` where that cannot be done."""
        self.path = path
        self.set_aside: Path | None = None
        self.saved = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with self._locked("LOCK_SH"):  # waits while another grader mends it
                    self._db = _open(path)
            except sqlite3.OperationalError as error:
                if "database" not in str(error) or not _is_damaged(path):
                    raise
                self._begin_anew()
            except sqlite3.DatabaseError:
                self._begin_anew()
        except (sqlite3.Error, OSError) as error:
            raise EnvironmentProblem(
                f"{path}: the store of finished work cannot be opened: {error}",
                help="see that the folder can be written and the disk is not full, and run the same command again",
            ) from None

    def get(self, stage: str, key: str) -> dict[str, Any] | None:
        return self.get_many(stage, [key]).get(key)

    def get_many(self, stage: str, keys: list[str]) -> dict[str, dict[str, Any]]:
        """Records under those of ``keys`` that are known."""
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            part = keys[start : start + _KEYS_AT_ONCE]
            marks = ",".join("?" * len(part))
            rows = self._query(
                f"SELECT key, json, json_crc FROM record WHERE stage = ? AND key IN ({marks})", stage, *part
            )
            for key, text, crc in rows:
                if _crc(stage, key, text) == crc:
                    found[key] = json.loads(text)
                else:
                    self._forget(stage, key)
        return found

    def holds(self, stage: str) -> bool:
        """Whether there is any record of a stage."""
        return bool(self._query("SELECT 1 FROM record WHERE stage = ? LIMIT 1", stage))

    def arrays(self, stage: str, key: str) -> dict[str, np.ndarray] | None:
        """The arrays that were put beside a record."""
        packed = self.packed(stage, key)
        return None if packed is None else unpack(packed)

    def packed(self, stage: str, key: str) -> bytes | None:
        """The same arrays as :func:`pack` made bytes of them."""
        rows = self._query("SELECT arrays, arrays_crc FROM record WHERE stage = ? AND key = ?", stage, key)
        if not rows or rows[0][0] is None:
            return None
        blob, crc = rows[0]
        if _crc(stage, key, blob) != crc:
            self._forget(stage, key)
            return None
        return bytes(blob)

    def put(self, stage: str, key: str, record: Mapping[str, Any], arrays: Arrays | None = None) -> None:
        """Keep a record as :meth:`put_all` does."""
        self.put_all([Record(stage, key, record, arrays)])

    def put_all(self, records: Iterable[Record]) -> None:
        """Keep records, all of them or none; one already there under its key stays as it is.

        Raises :class:`EnvironmentProblem` when they cannot be written (a full disk); nothing kept before is lost.
        """
        rows = []
        for record in records:
            stage, key = record.stage, record.key
            text = json.dumps(record.json, ensure_ascii=False, allow_nan=False)
            blob = None if record.arrays is None else pack(record.arrays)
            blob_crc = None if blob is None else _crc(stage, key, blob)
            rows.append((stage, key, text, _crc(stage, key, text), blob, blob_crc, time.time()))
        self._put_rows(rows)

    def _put_rows(self, rows: Iterable[salvage.Row]) -> None:
        def insert() -> None:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany("INSERT OR IGNORE INTO record VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
                self._db.execute("COMMIT")
            except BaseException:  # Ctrl-C, too
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

        self._guarded(insert)

    def sha256(self, path: Path) -> str:
        """The hash of a file's bytes, remembered as long as size, time and inode stay."""
        stat = path.stat()
        facts = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        name = str(path.absolute())
        rows = self._query("SELECT size, mtime_ns, inode, sha256 FROM file_hash WHERE path = ?", name)
        if rows and rows[0][:3] == facts:
            return str(rows[0][3])
        digest = file_sha256(path)
        if time.time_ns() - stat.st_mtime_ns > 2_000_000_000:  # a file still being written may keep its time
            self._query("INSERT OR REPLACE INTO file_hash VALUES (?, ?, ?, ?, ?)", name, *facts, digest)
        return digest

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _forget(self, stage: str, key: str) -> None:
        self._query("DELETE FROM record WHERE stage = ? AND key = ?", stage, key)

    def _query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._guarded(lambda: self._db.execute(statement, values).fetchall())

    def _guarded(self, action: Callable[[], _T]) -> _T:
        """What the action gives; raises :class:`EnvironmentProblem` for a full disk or, having mended it, a damaged
        file."""
        try:
            return action()
        except sqlite3.OperationalError as error:
            raise EnvironmentProblem(
                f"{self.path}: the store of finished work cannot be used: {error}",
                help="see that the disk has room and the folder can be written, and run the same command again; what "
                "was finished before is kept",
            ) from None
        except sqlite3.DatabaseError as error:
            self._db.close()
            try:
                self._begin_anew()
                self._db.close()
            except (sqlite3.Error, OSError) as again:
                error = sqlite3.DatabaseError(f"{error}; and {again}")
            aside = f"was moved to {self.set_aside.name}" if self.set_aside else "another grader is mending it"
            raise EnvironmentProblem(
                f"{self.path}: the store of finished work is damaged ({error}) and {aside}",
                help=f"run the same command again: {self.saved} records were whole and are kept, the others are "
                "computed anew; the moved file can be deleted",
            ) from None

    @contextlib.contextmanager
    def _locked(self, kind: Literal["LOCK_SH", "LOCK_EX"]) -> Iterator[None]:
        """Hold a lock among the graders of this machine, which the system releases if this one is killed."""
        try:
            import fcntl
        except ImportError:  # not on Windows
            yield
            return
        with self.path.with_name(f"{self.path.name}.lock").open("a") as file:
            fcntl.flock(file, getattr(fcntl, kind))
            yield

    def _begin_anew(self) -> None:
        """Move a damaged file aside and take its whole records over. Of several graders that see it, one does so."""
        with self._locked("LOCK_EX"):
            try:
                self._db = _open(self.path)  # another grader may have done it meanwhile
                (found,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
                if found == "ok":
                    return
                self._db.close()
            except sqlite3.Error:
                pass
            self.set_aside = _move_aside(self.path)
            self._db = _open(self.path)
            rows = (row for row in salvage.rows(self.set_aside) if _is_whole(row))
            for some in _batches(rows, _KEYS_AT_ONCE):
                self._put_rows(some)
                self.saved += len(some)


def _open(path: Path) -> sqlite3.Connection:
    """Open the database; raises sqlite3.DatabaseError itself (not a subclass) where the file is none of ours."""
    db = sqlite3.connect(path, timeout=60, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        (layout,) = db.execute("PRAGMA user_version").fetchone()
        if layout not in (0, _LAYOUT):
            raise sqlite3.DatabaseError(f"layout {layout}, expected {_LAYOUT}")
        db.executescript(_SCHEMA)
        db.execute(f"PRAGMA user_version={_LAYOUT}")
    except sqlite3.Error:
        db.close()
        raise
    return db


def _is_damaged(path: Path) -> bool:
    """Whether SQLite's operational error was about the file itself and not about its surroundings."""
    with contextlib.suppress(OSError):
        return path.is_file() and not salvage.begins_as_database(path)
    return False


def _move_aside(path: Path) -> Path:
    """Rename a damaged store; SQLite's companion files belong to it and go with it."""
    name = f"{path.stem}.damaged-{time.strftime('%Y%m%d-%H%M%S')}"
    taken = {other.stem for other in path.parent.iterdir()}
    free = next(n for n in (name, *(f"{name}-{number}" for number in range(2, 10_000))) if n not in taken)
    aside = path.with_name(f"{free}{path.suffix}")
    path.replace(aside)
    for ending in ("-wal", "-shm"):
        companion = path.with_name(path.name + ending)
        if companion.exists():
            companion.replace(aside.with_name(aside.name + ending))
    return aside


def _is_whole(row: salvage.Row) -> bool:
    stage, key, text, crc, blob, blob_crc, _ = row
    return _crc(stage, key, text) == crc and (blob is None or _crc(stage, key, blob) == blob_crc)


def pack(arrays: Arrays) -> bytes:
    """Arrays by name as bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, **dict(arrays))  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack(packed: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
        return dict(archive)


def _batches(rows: Iterable[salvage.Row], size: int) -> Iterator[list[salvage.Row]]:
    rows = iter(rows)
    while some := list(itertools.islice(rows, size)):
        yield some


def _crc(stage: str, key: str, content: str | bytes) -> int:
    """Of the content and where it belongs, so that a damaged index cannot give one clip another's number."""
    return zlib.crc32(content.encode() if isinstance(content, str) else content, zlib.crc32(f"{stage} {key} ".encode()))
