"""One student's page: all that led to the grade, as one file that can be sent to that student.

Nothing of another student is in it. The worst clips can be heard and looked at: their sound and pictures are inside
the file, so many as the rubric says and fit into its size.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from grader import words
from grader.grades.leaderboard import Leaderboard, Row
from grader.grades.points import metric_label
from grader.metrics.scores import Scores
from grader.site import pages, reruns, strings, view
from grader.site.aliases import Person
from grader.site.audience import Audience
from grader.site.media import clips, payload
from grader.site.media.clips import Clips

_HERE = Path(__file__).parent
_SCRIPTS = ("assets/site.js", "assets/player.js", "assets/draw.js", "assets/stage.js", "templates/student_page.js")
_STYLES = ("assets/site.css", "assets/listen.css", "templates/student_page.css")
_KINDS = {".mp3": "audio/mpeg", ".opus": "audio/ogg", ".webp": "image/webp"}


@dataclass(frozen=True)
class Measure:
    """One metric beside the baselines: ``(label, value, percent of the widest bar)`` of each, the student first."""

    label: str
    unit: str
    missing: str | None
    interval: tuple[float, float] | None
    bars: tuple[tuple[str, float, float], ...]


def student_html(row: Row, board: Leaderboard, heard: Clips, site: Path, language: str) -> str:
    """The whole page. ``site``: where the sound and the pictures lie that go into it."""
    found = view.scores(row)
    inside = _inside(row, board, heard, site)
    said = strings.of(language)
    start, script, style = _text(["assets/start.js"]), _text(_SCRIPTS), _text(_STYLES)
    given = {
        "texts": {**said.section("listen"), **said.section("student")},
        "m_stft_label": metric_label("m_stft", board.fad_name),
        "f0_label": metric_label("log2_f0", board.fad_name),
    }
    return pages.render(
        "student_page.html",
        Audience(language=language, files=()),
        row=row,
        grade=row.grade,
        board=board,
        rubric=board.rubric,
        view=view,
        reruns=reruns,
        measures=measures(row, board),
        listed=view.worst_first(found, board.rubric.metrics.rank_by) if found else [],
        most=_most(found) if found else {},
        inside=[data["clip"] for data in inside],
        data=Markup(_data([given, *inside])),
        start=Markup(start),
        script=Markup(script),
        style=Markup(style),
        script_hashes=Markup(" ".join(map(_csp_hash, (start, script)))),
        style_hash=Markup(_csp_hash(style)),
    )


def inputs(board: Leaderboard, heard: Clips, language: str) -> Iterator[tuple[Row, str]]:
    """Everyone with the hash of all that their page is made from."""
    beside = [heard.sources(name, board, {}, references=True) for name in heard.names]
    standing = (board.rungs, len(board.ranked), board.fad_name, board.rubric)
    shared = _hash((*standing, beside, heard.settings, heard.thresholds, language, _code()))
    for row in board.rows:
        own = [(clips.owner(row), name) for name in heard.names]
        yield row, _hash((shared, row, [(heard.media.get(place), heard.curves.get(place)) for place in own]))


def _hash(values: object) -> str:
    return hashlib.sha256(repr(values).encode("utf-8", "backslashreplace")).hexdigest()


def measures(row: Row, board: Leaderboard) -> list[Measure]:
    """The three metrics, the ranking one first; none for a student without scores."""
    found, standing = view.scores(row), row.standing
    if found is None:
        return []
    ranking = board.rubric.metrics.rank_by
    made = []
    for metric in (ranking, *(each for each in view.METRICS if each != ranking)):
        values = [
            (row.grade.student_id, found.of(metric)),
            *((rung.label, rung.scores.of(metric)) for rung in board.rungs),
        ]
        widest = max((value for _, value in values if value is not None), default=0.0) or 1.0
        bars = [(label, value, round(value / widest * 100, 1)) for label, value in values if value is not None]
        interval = standing.intervals.get(metric) if standing else None
        made.append(
            Measure(
                metric_label(metric, board.fad_name),
                "semitones" if metric == "log2_f0" else "",
                view.missing_reason(found, metric) if found.of(metric) is None else None,
                (interval.low, interval.high) if interval else None,
                tuple(bars),
            )
        )
    return made


def _most(found: Scores) -> dict[str, float]:
    """The largest number of any clip in each metric, for the bars."""
    values = {
        "m_stft": [clip.m_stft for clip in found.clips if clip.m_stft is not None],
        "log2_f0": [clip.log2_f0 for clip in found.clips if clip.log2_f0 is not None],
    }
    return {metric: max(numbers, default=0.0) or 1.0 for metric, numbers in values.items()}


def _sources(name: str, row: Row, board: Leaderboard, heard: Clips) -> list[payload.Source]:
    """The student in a clip, with whom the rubric lets stand beside; nobody where the student has no sound there."""
    student_id, rules = row.grade.student_id, board.rubric.site.student_page
    people = {clips.owner(row): Person("student", student_id)}
    found = heard.sources(name, board, people, references=True, baselines=rules.baselines)
    found = [source for source in found if rules.references or source.kind != "reference"]
    return found if found and found[-1].kind == "student" else []


def _inside(row: Row, board: Leaderboard, heard: Clips, site: Path) -> list[dict[str, Any]]:
    """The data of the worst clips, sound and pictures in them, until the page is as large as it may be."""
    scores, rules = view.scores(row), board.rubric.site.student_page
    order = (
        [clip.name for clip in view.worst_first(scores, board.rubric.metrics.rank_by)] if scores else list(heard.names)
    )
    left = rules.max_mb * 1e6
    made: list[dict[str, Any]] = []
    for name in order:
        sources = _sources(name, row, board, heard)
        if not sources or len(made) >= rules.audio_clips:
            continue
        data = payload.in_place(_slim(heard.data(name, sources)), lambda file: _data_uri(site / file))
        left -= len(json.dumps(data))
        if left < 0:
            break
        made.append(data)
    return made


def _slim(data: dict[str, Any]) -> dict[str, Any]:
    """Without the pictures that a mailed file has no room for: linear ones, and how baselines differ."""
    sources = [
        {**source, "linear": None, "difference": source["difference"] if source["kind"] == "student" else None}
        for source in data["sources"]
    ]
    return {**data, "sources": sources}


def _data_uri(path: Path) -> str:
    return f"data:{_KINDS[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _data(blocks: Iterable[Any]) -> str:
    """JSON that can stand in a script element."""
    return json.dumps(list(blocks), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _text(names: Iterable[str]) -> str:
    return "\n".join((_HERE / name).read_text(encoding="utf-8") for name in names)


def _csp_hash(text: str) -> str:
    """What a content security policy calls this inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _code() -> str:
    """The hash of everything of the site's own that a page is made with."""
    digest = hashlib.sha256()
    for room in (_HERE, Path(words.__file__).parent):
        for path in sorted(room.rglob("*")):
            if path.suffix in (".py", ".html", ".css", ".js", ".toml"):
                digest.update(path.read_bytes())
    return digest.hexdigest()
