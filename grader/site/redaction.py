"""The leaderboard as the public may see it: made anew from what may be shown, so that nothing else can be left in.

Shown: a public name, the rank and how sure it is, the three metrics and their clips. Not shown, and not in it: IDs,
points, times, lateness, reports, decisions, findings, reruns, and everyone without a rank.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from grader.grades.leaderboard import Grade, Leaderboard, Row
from grader.intake.submission import HandIn
from grader.metrics.scores import Scores
from grader.scoring import StudentResult
from grader.site.aliases import Person

_UNSAID = "no number"


def public_board(board: Leaderboard, people: Mapping[str, Person]) -> Leaderboard:
    """``board`` with everyone's :attr:`Person.label` for an ID."""
    site = board.rubric.site.model_copy(update={"opt_in": {}})
    return Leaderboard(
        rubric=board.rubric.model_copy(update={"site": site}),
        curve=board.curve,
        fad_name=board.fad_name,
        ranked=tuple(_row(row, people[row.grade.student_id].label) for row in board.ranked),
        unranked=(),
        rungs=tuple(replace(rung, scores=_scores(rung.scores), quality_percent=None) for rung in board.rungs),
        findings=(),
        podium=board.podium
        and replace(board.podium, students=tuple(people[student].label for student in board.podium.students)),
    )


def _row(row: Row, label: str) -> Row:
    scores = row.result.scores if row.result else None
    grade = Grade(
        student_id=label,
        rank=row.grade.rank,
        score=row.grade.score,
        quality_why="",
        report_why="",
        late_why="",
        final_why="",
    )
    result = StudentResult(label, HandIn(label, ()), None, None, scores and _scores(scores), None)
    return Row(grade, result, None, row.standing)


def _scores(scores: Scores) -> Scores:
    """Numbers without reasons, which may quote files and folders."""
    return replace(
        scores,
        clips=tuple(replace(clip, missing=dict.fromkeys(clip.missing, _UNSAID)) for clip in scores.clips),
        left_out={metric: dict.fromkeys(clips, _UNSAID) for metric, clips in scores.left_out.items()},
        settings={metric: _settings(known) for metric, known in scores.settings.items()},
    )


def _settings(known: object) -> object:
    if not isinstance(known, Mapping):
        return known
    return {
        name: "the weights were not at hand" if name == "instead_of_vggish" else value for name, value in known.items()
    }
