"""Records by content: what was computed once from the same inputs is never computed again.

One SQLite file. A record is JSON, with NumPy arrays beside it where there are any, under a stage's name and a key: the
hash of everything that went into it (bytes, settings, the version of that stage's code). Records are never changed,
only added, each in one transaction, so a killed run loses at most what it was just computing.
"""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from grader.errors import EnvironmentProblem

Arrays = Mapping[str, np.ndarray]
_LAYOUT = 1
_KEYS_AT_ONCE = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
    stage TEXT, key TEXT, json TEXT NOT NULL, json_crc INTEGER NOT NULL, arrays BLOB, arrays_crc INTEGER,
    made_at REAL NOT NULL, PRIMARY KEY (stage, key)
);
CREATE TABLE IF NOT EXISTS file_hash (
    path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, inode INTEGER, sha256 TEXT NOT NULL
);
"""


def content_key(**parts: Any) -> str:
    """The hash of named JSON-able parts; their order does not matter."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Store:
    """The records of one course. Safe to open from several processes at once.

    A file that is damaged is moved aside and begun anew: ``set_aside`` says where to. A record whose bytes have changed
    since they were written counts as unknown.
    """

    def __init__(self, path: Path) -> None:
        """Open or make the store; raises :class:`EnvironmentProblem` where that cannot be done."""
        self.path = path
        self.set_aside: Path | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._db = _open(path)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                self.set_aside = _move_aside(path)
                self._db = _open(path)
        except (sqlite3.Error, OSError) as error:
            raise EnvironmentProblem(
                f"{path}: the store of finished work cannot be opened: {error}",
                help="check that the folder can be written and the disk is not full",
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
                if _crc(text) == crc:
                    found[key] = json.loads(text)
                else:
                    self._forget(stage, key)
        return found

    def holds(self, stage: str) -> bool:
        """Whether there is any record of a stage."""
        return bool(self._query("SELECT 1 FROM record WHERE stage = ? LIMIT 1", stage))

    def arrays(self, stage: str, key: str) -> dict[str, np.ndarray] | None:
        """The arrays that were put beside a record."""
        rows = self._query("SELECT arrays, arrays_crc FROM record WHERE stage = ? AND key = ?", stage, key)
        if not rows or rows[0][0] is None:
            return None
        blob, crc = rows[0]
        if _crc(blob) != crc:
            self._forget(stage, key)
            return None
        with np.load(io.BytesIO(blob), allow_pickle=False) as archive:
            return dict(archive)

    def put(self, stage: str, key: str, record: Mapping[str, Any], arrays: Arrays | None = None) -> None:
        """Keep a record; one already there under this key stays as it is.

        Raises :class:`EnvironmentProblem` when it cannot be written (a full disk); nothing kept before is lost.
        """
        blob = None
        if arrays is not None:
            buffer = io.BytesIO()
            np.savez(buffer, **dict(arrays))  # type: ignore[arg-type]
            blob = buffer.getvalue()
        text = json.dumps(record, ensure_ascii=False, allow_nan=False)
        self._query(
            "INSERT OR IGNORE INTO record VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(stage, key, text, _crc(text), blob, None if blob is None else _crc(blob), time.time()),
        )

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
        """The rows; raises :class:`EnvironmentProblem` for a full disk or, having moved it aside, a damaged file."""
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.OperationalError as error:
            raise EnvironmentProblem(
                f"{self.path}: the store of finished work cannot be used: {error}",
                help="free some disk space and run the same command again; what was finished before is kept",
            ) from None
        except sqlite3.DatabaseError as error:
            self._db.close()
            aside = _move_aside(self.path)
            raise EnvironmentProblem(
                f"{self.path}: the store of finished work is damaged ({error}) and was moved to {aside.name}",
                help="run the same command again: it computes anew what is needed; the moved file can be deleted",
            ) from None


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


def _move_aside(path: Path) -> Path:
    """Rename a damaged store; SQLite's companion files belong to it and go with it."""
    aside = path.with_name(f"{path.stem}.damaged-{time.strftime('%Y%m%d-%H%M%S')}{path.suffix}")
    path.replace(aside)
    for ending in ("-wal", "-shm"):
        companion = path.with_name(path.name + ending)
        if companion.exists():
            companion.replace(aside.with_name(aside.name + ending))
    return aside


def _crc(content: str | bytes) -> int:
    return zlib.crc32(content.encode() if isinstance(content, str) else content)
