"""The site's files: the pages with the assets they load, and the numbers as JSON and CSV. Written, and tidied up."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from grader.errors import EnvironmentProblem
from grader.grades.leaderboard import Leaderboard
from grader.site import pages, tables
from grader.site.audience import Audience

Files = Mapping[str, str | bytes]
_OURS = (
    ("", r"(index|listen|tells)\.html|leaderboard\.(json|csv)|clips\.csv"),
    ("assets", r".+\.(js|css)"),
    ("audio", r"[0-9a-f]{20}\.(mp3|opus)"),
    ("pictures", r"[0-9a-f]{20}\.webp"),
    ("clips", r".+\.js"),
    ("students", r".+\.html"),
)
_LEFT_BY_KILLED = r"\..+\.\d+"


def files(board: Leaderboard, audience: Audience | None = None) -> dict[str, str | bytes]:
    """The files that a whole class shares, by their path in the site; the public has no tables of numbers."""
    audience = audience or Audience(language=board.rubric.site.language)
    shared: dict[str, str | bytes] = {**pages.assets(), "index.html": pages.index_html(board, audience)}
    if audience.clips:
        shared["listen.html"] = pages.listen_html(board, audience)
    if audience.public:  # without what only the staff's pages load
        return {name: content for name, content in shared.items() if not name.startswith("assets/tells")}
    return {
        **shared,
        "leaderboard.json": tables.leaderboard_json(board),
        "leaderboard.csv": tables.leaderboard_csv(board),
        "clips.csv": tables.clips_csv(board),
    }


def write(content: Files, folder: Path) -> None:
    """Write files by their path below ``folder``. One whose bytes have not changed is left alone.

    Raises :class:`EnvironmentProblem` where that cannot be done.
    """
    with _writing(folder):
        for name, text in content.items():
            # file names of hand-ins may hold broken characters
            whole = text.encode("utf-8", "backslashreplace") if isinstance(text, str) else text
            (folder / name).parent.mkdir(exist_ok=True)
            _write(folder / name, whole)


def copy(names: Iterable[str], site: Path, folder: Path) -> None:
    """Copy files that are named by their content from one site to another, those that are not there yet.

    Raises as :func:`write` does.
    """
    with _writing(folder):
        for name in names:
            if not (folder / name).is_file():
                (folder / name).parent.mkdir(exist_ok=True)
                _write(folder / name, (site / name).read_bytes())


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise EnvironmentProblem(
            f"{folder}: the leaderboard cannot be written: {error}",
            help="check that the folder can be written and the disk is not full; the scores are kept",
        ) from None


def tidy(folder: Path, keep: Collection[str]) -> list[str]:
    """Remove what earlier runs wrote into ``folder`` and is not among ``keep``; returns what was removed.

    Files that are none of ours stay: only names as the site has them are looked at.
    """
    removed = []
    for place, ours in _OURS:
        for file in sorted(path.name for path in (folder / place).iterdir()) if (folder / place).is_dir() else []:
            name = f"{place}/{file}" if place else file
            old = name not in keep and re.fullmatch(ours, file)
            if (old or re.fullmatch(_LEFT_BY_KILLED, file)) and (folder / name).is_file():
                (folder / name).unlink(missing_ok=True)
                removed.append(name)
    return removed


def _write(path: Path, content: bytes) -> None:
    if path.is_file() and path.read_bytes() == content:
        return
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
