"""Appends decisions to decisions.yaml: what stands there keeps its bytes, comments and order.

The file is written whole or not at all, one command at a time, and only where the longer file is a good ledger.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from grader import yaml_lines
from grader.course import Course
from grader.errors import CourseError, EnvironmentProblem
from grader.grades import ledger
from grader.grades.ledger import Ledger
from grader.intake import handins

_HEAD = """\
# Decisions about single students; every grade follows from scores and these lines. `grader decide …` appends here, and
# it may be edited by hand. A line that changes an earlier decision says `replaces: true`.
"""
_PLAIN = re.compile(
    r"[A-Za-z]\w*\d\w*|[a-z][a-z0-9_]{2,}|[-+]?[0-9]+(\.[0-9]+)?"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9:.]+)?([-+][0-9:]+)?"
)
"""Student IDs, words of the grader's own, numbers and times, which need no quotes."""

_TEXTS = ("reason", "by")


def known_students(course: Course) -> set[str]:
    """Everyone about whom something can be decided."""
    found, _ = handins.collect(course.submissions, course.rubric) if course.submissions.is_dir() else ([], [])
    return {each.student_id for each in found} | {*course.sent(), *course.report_points(), *course.roster()}


def append(
    course: Course, decisions: Sequence[Mapping[str, Any]], check: Callable[[Ledger], None] | None = None
) -> Ledger:
    """Add decisions (their keys as in the file) and return the ledger that then stands there.

    check: is called with it before anything is written, and may raise.

    Raises :class:`CourseError` where one is wrong, contradicts an earlier one or is about nobody here, and where the
    file is no block of ``- `` lines; :class:`EnvironmentProblem` where it cannot be written. Then nothing has changed.
    """
    path = course.ledger_path.resolve()
    with _alone(course.state):
        try:
            before = path.read_bytes() if path.exists() else b""
        except OSError as error:
            raise CourseError(f"{path}: cannot be read: {error}", help="it must be a readable UTF-8 file") from None
        known = known_students(course)
        there = ledger.load(path, course.rubric)
        there.refuse_unknown(known)
        content = _longer(before, decisions, path)
        try:
            result = ledger.parse(content.decode("utf-8-sig"), course.rubric, path.name)
            result.refuse_unknown(known)
        except CourseError as error:
            raise CourseError(f"nothing was added, because with it there would be: {error}", help=error.help) from None
        if result.entries[: len(there.entries)] != there.entries:
            raise CourseError(f"{path.name}: what is added would change what stands there", help="mend its last lines")
        if check:
            check(result)
        _write(path, content)
    return result


def _longer(before: bytes, decisions: Sequence[Mapping[str, Any]], path: Path) -> bytes:
    """The file with the decisions at its end, in the file's own line ends and indentation."""
    text = before.decode("utf-8-sig")
    end = "\r\n" if "\r\n" in text else "\n"
    read = yaml_lines.read(text, path.name)
    if read.flow:
        raise CourseError(
            f"{path.name}: is written in brackets, and nothing can be added behind them",
            help="write each decision as a line that begins with '- ', or empty the file",
        )
    indent = " " * read.column if read.value else ""
    lines: list[str] = []
    if not text.strip():
        lines += _HEAD.splitlines()
    for decision in decisions:
        keys = [f"{key}: {_scalar(key, value)}" for key, value in decision.items() if value is not None]
        lines += [f"{indent}{'- ' if not number else '  '}{line}" for number, line in enumerate(keys)]
    gap = end if text and not text.endswith(("\n", "\r")) else ""
    return before + (gap + end.join(lines) + end).encode()


def _scalar(key: str, value: Any) -> str:
    """A value as YAML reads it back: IDs, numbers and times plain, texts in double quotes."""
    text = {True: "true", False: "false"}.get(value) if isinstance(value, bool) else str(value)
    assert text is not None
    if key not in _TEXTS and (not isinstance(value, str) or _PLAIN.fullmatch(text)):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in quoted)


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """While held, no other command appends."""
    try:
        import fcntl
    except ImportError:  # Windows has none; one TA at a time there
        yield
        return
    try:
        state.mkdir(parents=True, exist_ok=True)
        lock = (state / "decisions.lock").open("w")
    except OSError as error:
        raise EnvironmentProblem(f"{state}: cannot be written: {error}", help="check the folder's rights") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, part)
        part.replace(path)
    except OSError as error:
        raise EnvironmentProblem(
            f"{path}: cannot be written: {error}", help="check that the folder can be written and the disk is not full"
        ) from None
    finally:
        part.unlink(missing_ok=True)
