"""A course's clips for its pages: who sounds in each, with sound, pictures, curves and scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from grader.course import Course
from grader.grades.leaderboard import Leaderboard, Row
from grader.measuring import Recording
from grader.metrics.pitch import Thresholds
from grader.metrics.scores import ClipScore, Scores
from grader.progress import Progress
from grader.scoring import CourseScores
from grader.site.aliases import Person
from grader.site.media import making, payload, tracks
from grader.site.media.making import Media, Settings
from grader.site.media.payload import Source
from grader.store import Store
from grader.workers import default_processes


@dataclass(frozen=True)
class Clips:
    """What was made of every recording. media, curves: by owner (``""``: the reference) and clip name.

    scores: by owner; names: of the clips, in order, that anybody sounds in.
    """

    settings: Settings
    thresholds: Thresholds
    media: Mapping[tuple[str, str], Media] = field(default_factory=dict)
    curves: Mapping[tuple[str, str], str] = field(default_factory=dict)
    scores: Mapping[str, Mapping[str, ClipScore]] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    def sources(
        self, name: str, board: Leaderboard, people: Mapping[str, Person], *, references: bool, baselines: bool = True
    ) -> list[Source]:
        """Those in clip ``name``: the reference, the baselines, then ``people`` (by owner) in their order.

        Without ``references`` nothing that was made from one is in it, differences neither.
        """
        found = [self._source("", name, "reference", "reference", "")] if references else []
        if baselines:
            found += [self._source(rung.name, name, "baseline", rung.name, rung.label) for rung in board.rungs]
        found += [self._source(owner, name, "student", person.key, person.label) for owner, person in people.items()]
        if references:
            return [source for source in found if source]
        return [replace(source, media=replace(source.media, difference=None)) for source in found if source]

    def data(self, name: str, sources: list[Source]) -> dict[str, Any]:
        """What a page is told of a clip, with everyone in it."""
        return payload.clip(name, sources, self.settings, (self.thresholds.min_hz, self.thresholds.max_hz))

    def _source(self, owner: str, name: str, kind: str, key: str, label: str) -> Source | None:
        media = self.media.get((owner, name))
        if media is None:
            return None
        return Source(key, kind, label, media, self.curves.get((owner, name)), self.scores.get(owner, {}).get(name))


def make(
    course: Course,
    board: Leaderboard,
    found: CourseScores,
    store: Store,
    *,
    processes: int | None = None,
    shown: Progress | None = None,
) -> Clips:
    """Encode, draw and look up what is missing of every clip of ``board``; the files lie in the course's site."""
    f0 = course.rubric.metrics.log2_f0
    settings = Settings(course.rubric.site.audio, course.rubric.mel_config())
    thresholds = Thresholds(f0.min_confidence, f0.min_hz, f0.max_hz)
    if not found.references:
        return Clips(settings, thresholds)
    scored = {owner(row): row.result.scores if row.result else None for row in board.rows}
    scored |= {rung.name: rung.scores for rung in board.rungs}
    taken = {name: found.recordings[name] for name in scored if name in found.recordings}
    with making.workers(processes or default_processes()) as pool:
        media = making.make(taken, found.references, course.site, settings, store, pool, shown or Progress())
    recordings: dict[tuple[str, str], Recording] = {("", one.name): one for one in found.references}
    recordings |= {(name, one.name): one for name, owned in taken.items() for one in owned}
    by_track = tracks.curves(recordings.values(), thresholds, store)
    return Clips(
        settings,
        thresholds,
        media,
        {place: by_track[one.track] for place, one in recordings.items() if one.track in by_track},
        {name: _by_name(scores) for name, scores in scored.items() if scores},
        tuple(dict.fromkeys(one.name for one in found.references if any(name == one.name for _, name in media))),
    )


def owner(row: Row) -> str:
    """Under which name the clips of a student's graded hand-in are known."""
    return (row.result.owner if row.result else "") or row.grade.student_id


def files_of(sources: list[Source]) -> set[str]:
    """The files that a clip's data names."""
    return {file for source in sources for file in source.media.files()}


def script_name(name: str) -> str:
    return f"clips/{Path(name).stem}.js"


def _by_name(scores: Scores) -> dict[str, ClipScore]:
    return {clip.name: clip for clip in scores.clips}
