"""The pages that a whole class shares, as HTML: the leaderboard, and the player. Their scripts and styles are files.

The same leaderboard gives the same bytes. Text from hand-ins is escaped by the templates; a content security policy
lets only files of the site's own folder be loaded. It says ``'self'``, which Chromium and Firefox take for the folder's
files from disk as well as from a server.
"""

from __future__ import annotations

import contextlib
import sys
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2

from grader import words
from grader.cache import cache_folder
from grader.grades import numbers
from grader.grades.late import duration
from grader.grades.leaderboard import Leaderboard
from grader.grades.points import metric_label
from grader.site import reruns, strings, view
from grader.site.audience import Audience

_HERE = Path(__file__).parent
INDEX_SCRIPTS = ("site.js", "index.js", "plots.js")
LISTEN_SCRIPTS = ("site.js", "player.js", "draw.js", "stage.js", "votes.js", "listen.js")


def index_html(board: Leaderboard, audience: Audience | None = None) -> str:
    """The leaderboard page. It holds no sound and no clip of anyone."""
    audience = audience or Audience()
    columns = view.columns(board)
    said = strings.of(audience.language)
    given = {
        "texts": {**said.section("js"), **said.section("plots")},
        "listen": bool(audience.clips),
        "deadline_h": [24 * step.days for step in board.rubric.late.steps],
        "metrics": [{"key": column.metric, "label": column.label, "unit": column.unit} for column in columns],
        "anchors": [] if audience.public else [[anchor.score, anchor.percent] for anchor in board.curve.anchors],
    }
    return render(
        "index.html",
        audience,
        page="index",
        scripts=INDEX_SCRIPTS,
        given=given,
        board=board,
        rubric=board.rubric,
        view=view,
        reruns=reruns if reruns.any_known(board) and not audience.public else None,
        counts=view.counts(board),
        columns=columns,
    )


def listen_html(board: Leaderboard, audience: Audience) -> str:
    """The page where the sources of a clip are heard and seen side by side; it names nobody, ``clips/NNN.js`` do."""
    rubric = board.rubric
    given = {
        "texts": strings.of(audience.language).section("listen"),
        "clips": audience.clips,
        "title": rubric.title,
        "course": rubric.course,
        "view": "public" if audience.public else "private",
        "f0_label": metric_label("log2_f0", board.fad_name),
        "m_stft_label": metric_label("m_stft", board.fad_name),
    }
    return render("listen.html", audience, page="listen", scripts=LISTEN_SCRIPTS, given=given, rubric=rubric, view=view)


def assets() -> dict[str, bytes]:
    """Every file that the pages load, by its path in the site."""
    folder = _HERE / "assets"
    return {f"assets/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in sorted(_files(folder))}


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def render(template: str, audience: Audience, **values: Any) -> str:
    """A page from its template, which also knows ``t``, ``audience`` and ``public``."""
    said = strings.of(audience.language)
    return (
        templates()
        .get_template(template)
        .render(t=said, audience=audience, public=audience.public, **values)
        .lstrip("\n")
    )


class _Compiled(jinja2.FileSystemBytecodeCache):
    """Jinja's cache, where a damaged file or a full disk only means compiling again."""

    def load_bytecode(self, bucket: Any) -> None:
        try:
            super().load_bytecode(bucket)
        except Exception:  # of pickle and marshal, many
            bucket.reset()

    def dump_bytecode(self, bucket: Any) -> None:
        with contextlib.suppress(OSError):
            super().dump_bytecode(bucket)


def _compiled() -> jinja2.BytecodeCache | None:
    """Compiled templates in the user's cache: compiling took a tenth of an unchanged class's leaderboard.

    None where Python may not keep compiled modules either, and where nothing can be written.
    """
    if sys.dont_write_bytecode:
        return None
    folder = cache_folder() / "templates"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return _Compiled(str(folder))


@cache
def templates() -> jinja2.Environment:
    """Where the pages' templates are rendered: everything filled in is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        bytecode_cache=_compiled(),
    )
    environment.filters.update(
        metric="{:.3f}".format,
        digits="{:.8g}".format,
        points="{:.2f}".format,
        plain=numbers.plain,
        duration=duration,
        label=metric_label,
        link=_link,
        what=lambda finding, language: words.of(language).what(finding),
        fix=lambda finding, language: words.of(language).fix(finding),
        where=lambda finding, language: words.of(language).where(finding),
        said=lambda text, language: words.of(language).said(text),
        value=lambda value, name, language: words.of(language).value(name, value),
        grade=lambda text, language: words.of(language).grade(text),
    )
    return environment


def _link(name: str) -> str:
    """``name`` as part of a link, whatever characters it holds."""
    return quote(name.encode("utf-8", "backslashreplace"), safe="")
