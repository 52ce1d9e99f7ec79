"""Bulk downloads and gradebook exports as Canvas makes them, and a course to import them into."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grader import rubric
from grader.course import Course

ASSIGNMENT = "HW2 (12345)"
HEADER = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "HW1 (12344)", ASSIGNMENT, "Current Score"]


@dataclass(frozen=True)
class User:
    """A student in Canvas. name: sortable, as ``Doe, Jane``."""

    canvas_id: int
    name: str
    login: str
    sis: str = ""


JANE = User(5001, "Doe, Jane", "r12345678")
CHEN = User(5002, "陳, 小明", "b10902017@ntu.edu.tw", "B10902017")
BRIEN = User(5003, 'O\'Brien "Pat", Jr.', "d11944011")


def entry_name(user: User, attachment: int, file: str, *, late: bool = False) -> str:
    """As Canvas's content_zipper.rb names an uploaded file."""
    name = re.sub(r"[^\w]", "", user.name).lower()
    return f"{name}{'_LATE' * late}_{user.canvas_id}_{attachment}_{file}"


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if re.search(r'[",\r\n]', text) else text


def gradebook(
    users: Sequence[User],
    *,
    points: str = "100",
    end: str = "\r\n",
    mark: str = "\ufeff",
    cells: dict[str, str] | None = None,
) -> bytes:
    """An export. cells: what stands under the assignment, by login."""
    rows = [
        HEADER,
        ["", "", "", "", "", "Manual Posting", "", "(read only)"],
        ["    Points Possible", "", "", "", "", "10", points, "(read only)"],
        *[
            [
                user.name,
                str(user.canvas_id),
                user.sis,
                user.login,
                "DLMAG (AI 5100)",
                "9.5",
                (cells or {}).get(user.login, ""),
                "95.0",
            ]
            for user in users
        ],
        ["Student, Test", "5999", "", "0f3a", "DLMAG (AI 5100)", "", "", ""],
    ]
    return (mark + "".join(",".join(map(quoted, row)) + end for row in rows)).encode()


def a_course(folder: Path) -> Course:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(rubric.default_path(), folder / "rubric.yaml")
    (folder / "submissions").mkdir(exist_ok=True)
    return Course(folder)


def download(
    path: Path, entries: dict[str, bytes], time: tuple[int, int, int, int, int, int] = (2023, 11, 3, 9, 0, 0)
) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name, time), content)
    return path


def inner_zip(folder: str = "r12345678", content: bytes = b"audio") -> bytes:
    """A zip as a student makes it; what is in it is no matter here."""
    import io

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(f"{folder}/001.wav"), content)
    return buffer.getvalue()
