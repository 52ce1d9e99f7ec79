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
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from grader.errors import EnvironmentProblem

Arrays = Mapping[str, np.ndarray]
_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
    stage TEXT, key TEXT, json TEXT NOT NULL, arrays BLOB, made_at REAL NOT NULL, PRIMARY KEY (stage, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS file_hash (
    path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, inode INTEGER, sha256 TEXT NOT NULL
) WITHOUT ROWID;
"""


def content_key(**parts: Any) -> str:
    """The hash of named JSON-able parts; their order does not matter."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Store:
    """The records of one course. Safe to open from several processes at once."""

    def __init__(self, path: Path) -> None:
        """Open or make the store; raises :class:`EnvironmentProblem` where that cannot be done."""
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=60, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise EnvironmentProblem(
                f"{path}: the store of finished work cannot be opened: {error}",
                help="check that the folder can be written; a damaged file can be moved away, it is only a cache",
            ) from None

    def get(self, stage: str, key: str) -> dict[str, Any] | None:
        row = self._db.execute("SELECT json FROM record WHERE stage = ? AND key = ?", (stage, key)).fetchone()
        return json.loads(row[0]) if row else None

    def get_many(self, stage: str, keys: list[str]) -> dict[str, dict[str, Any]]:
        """Records under those of ``keys`` that are known."""
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(keys), 500):
            part = keys[start : start + 500]
            marks = ",".join("?" * len(part))
            rows = self._db.execute(
                f"SELECT key, json FROM record WHERE stage = ? AND key IN ({marks})", (stage, *part)
            )
            found.update((key, json.loads(text)) for key, text in rows)
        return found

    def arrays(self, stage: str, key: str) -> dict[str, np.ndarray] | None:
        """The arrays that were put beside a record."""
        row = self._db.execute("SELECT arrays FROM record WHERE stage = ? AND key = ?", (stage, key)).fetchone()
        if not row or row[0] is None:
            return None
        with np.load(io.BytesIO(row[0]), allow_pickle=False) as archive:
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
        try:
            self._db.execute(
                "INSERT OR IGNORE INTO record VALUES (?, ?, ?, ?, ?)", (stage, key, text, blob, time.time())
            )
        except sqlite3.Error as error:
            raise EnvironmentProblem(
                f"{self.path}: a result cannot be kept: {error}",
                help="free some disk space and run the same command again; what was finished before is kept",
            ) from None

    def sha256(self, path: Path) -> str:
        """The hash of a file's bytes, remembered as long as size, time and inode stay."""
        stat = path.stat()
        facts = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        name = str(path.absolute())
        row = self._db.execute("SELECT size, mtime_ns, inode, sha256 FROM file_hash WHERE path = ?", (name,)).fetchone()
        if row and row[:3] == facts:
            return str(row[3])
        digest = file_sha256(path)
        if time.time_ns() - stat.st_mtime_ns > 2_000_000_000:  # a file still being written may keep its time
            self._db.execute("INSERT OR REPLACE INTO file_hash VALUES (?, ?, ?, ?, ?)", (name, *facts, digest))
        return digest

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
