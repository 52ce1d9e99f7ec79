"""The leaderboard as files: one page that needs nothing else, and its numbers as JSON and CSV.

The same leaderboard gives the same bytes. Text from hand-ins is escaped by the templates; a content security policy
lets only the page's own script and style run, so that nothing is ever loaded from a network.
"""

from __future__ import annotations

import base64
import hashlib
import os
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from grader.errors import EnvironmentProblem
from grader.grades import numbers
from grader.grades.late import duration
from grader.grades.leaderboard import Leaderboard
from grader.grades.points import metric_label
from grader.site import reruns, tables, view

_HERE = Path(__file__).parent


def index_html(board: Leaderboard) -> str:
    """The whole page."""
    start, script, style = (_asset(name) for name in ("start.js", "page.js", "page.css"))
    return (
        _templates()
        .get_template("index.html")
        .render(
            board=board,
            rubric=board.rubric,
            view=view,
            reruns=reruns if reruns.any_known(board) else None,
            counts=view.counts(board),
            columns=view.columns(board),
            clip_columns=view.clip_columns(board),
            start=Markup(start),
            script=Markup(script),
            style=Markup(style),
            script_hashes=Markup(" ".join(map(_csp_hash, (start, script)))),
            style_hash=Markup(_csp_hash(style)),
        )
    )


def files(board: Leaderboard) -> dict[str, str]:
    """Every file of the site by name."""
    return {
        "index.html": index_html(board),
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
        for name, text in files(board).items():
            _write(folder / name, text.encode("utf-8", "backslashreplace"))  # file names may hold broken characters
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


def _asset(name: str) -> str:
    return (_HERE / "assets" / name).read_text(encoding="utf-8")


def _csp_hash(text: str) -> str:
    """What a content security policy calls this inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(
        metric="{:.3f}".format, points="{:.2f}".format, plain=numbers.plain, duration=duration, label=metric_label
    )
    return environment
