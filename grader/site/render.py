"""The site's files: the leaderboard page with the assets it loads, and its numbers as JSON and CSV."""

from __future__ import annotations

import os
from pathlib import Path

from grader.errors import EnvironmentProblem
from grader.grades.leaderboard import Leaderboard
from grader.site import pages, tables


def files(board: Leaderboard) -> dict[str, str | bytes]:
    """Every file of the site by its path in it."""
    return {
        **pages.assets(),
        "index.html": pages.index_html(board),
        "leaderboard.json": tables.leaderboard_json(board),
        "leaderboard.csv": tables.leaderboard_csv(board),
        "clips.csv": tables.clips_csv(board),
    }


def publish(board: Leaderboard, folder: Path) -> Path:
    """Write the site into ``folder``, each file whole or not at all; returns the page's path.

    A file whose bytes have not changed is left alone. Raises :class:`EnvironmentProblem` where it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files(board).items():
            if isinstance(content, str):
                content = content.encode("utf-8", "backslashreplace")  # file names may hold broken characters
            (folder / name).parent.mkdir(exist_ok=True)
            _write(folder / name, content)
    except OSError as error:
        raise EnvironmentProblem(
            f"{folder}: the leaderboard cannot be written: {error}",
            help="check that the folder can be written and the disk is not full; the scores are kept",
        ) from None
    return folder / "index.html"


def _write(path: Path, content: bytes) -> None:
    if path.is_file() and path.read_bytes() == content:
        return
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
