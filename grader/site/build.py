"""``grader leaderboard``: score what is missing, grade everyone, write the private site and perhaps the public one."""

from __future__ import annotations

from pathlib import Path

from grader import rerun, scoring
from grader.course import Course
from grader.errors import GraderError
from grader.grades import snapshots
from grader.grades.leaderboard import Leaderboard, leaderboard
from grader.progress import Progress
from grader.scoring import CourseScores
from grader.site import aliases, redaction, render
from grader.site.aliases import Person
from grader.site.audience import Audience, file_key
from grader.site.media import clips, payload
from grader.site.media.clips import Clips
from grader.store import Store

ALIASES = "aliases.json"


def grade(course: Course, *, processes: int | None, shown: Progress) -> Leaderboard:
    """Score what is missing and grade everyone.

    Raises what reading the tables, scoring and grading raise (:class:`grader.errors.GraderError`); the tables are read
    first, so that a wrong line is told before any work. Finished scores are kept either way.
    """
    with course.store() as store:
        return _grade(course, store, processes, shown)[0]


def _grade(course: Course, store: Store, processes: int | None, shown: Progress) -> tuple[Leaderboard, CourseScores]:
    sent, report_points, decisions, roster = course.sent(), course.report_points(), course.ledger(), course.roster()
    scores = scoring.score_course(course, store, processes=processes, shown=shown)
    reruns = rerun.known(course, store)
    return leaderboard(course.rubric, scores, sent, report_points, reruns, decisions, roster), scores


def build(
    course: Course, *, processes: int | None, shown: Progress, public: Path | None = None
) -> tuple[Leaderboard, Path]:
    """Make the site of ``course`` and keep a snapshot; returns the leaderboard and the index page's path.

    Raises as :func:`grade` does.

    public: where the site for everyone goes, from the same run; it may not be the private one's folder or in it.
    """
    if public and public.absolute().is_relative_to(course.site.absolute()):
        raise GraderError(
            f"{public}: the public pages cannot lie in the private ones' folder",
            help="name another folder with --out, such as site-public",
        )
    with course.store() as store:
        board, scores = _grade(course, store, processes, shown)
        number, is_new = snapshots.take(board, course.snapshots)
        if is_new and number > 1:
            shown.note(f"snapshot {number}: `grader diff` says who moved")
        heard = clips.make(course, board, scores, store, processes=processes, shown=shown)
    page = _private(board, heard, course.site)
    if public:
        _public(board, heard, course, public)
    return board, page


def _private(board: Leaderboard, heard: Clips, site: Path) -> Path:
    keys = {row.grade.student_id: file_key(row.grade.student_id) for row in board.rows}
    people = {clips.owner(row): Person(keys[row.grade.student_id], row.grade.student_id) for row in board.rows}
    scripts, media = _clips(board, heard, people, references=True)
    audience = Audience(
        language=board.rubric.site.language,
        keys=keys,
        clips=tuple(Path(name).stem for name in scripts),
    )
    page = render.publish(board, site, audience, scripts)
    render.tidy(site, {*render.files(board, audience), *scripts, *media})
    return page


def _public(board: Leaderboard, heard: Clips, course: Course, folder: Path) -> None:
    rubric = board.rubric.site
    ids = [row.grade.student_id for row in board.ranked]
    people = aliases.people(course.state / ALIASES, ids, rubric.opt_in)
    shown = redaction.public_board(board, people)
    owners = {clips.owner(row): people[row.grade.student_id] for row in board.ranked}
    scripts, media = _clips(shown, heard, owners, references=rubric.public_references)
    audience = Audience(
        public=True,
        language=rubric.language,
        keys={person.label: person.key for person in people.values()},
        clips=tuple(Path(name).stem for name in scripts),
        files=(),
    )
    copies: dict[str, str | bytes] = {name: (course.site / name).read_bytes() for name in media}
    content = {**render.files(shown, audience), **scripts, **copies}
    render.write(content, folder)
    render.tidy(folder, content)


def _clips(
    board: Leaderboard, heard: Clips, people: dict[str, Person], *, references: bool
) -> tuple[dict[str, str | bytes], set[str]]:
    """The scripts of all clips by path, and the files they name."""
    scripts: dict[str, str | bytes] = {}
    media = set()
    for name in heard.names:
        sources = heard.sources(name, board, people, references=references)
        if sources:
            scripts[clips.script_name(name)] = payload.script(heard.data(name, sources))
            media |= clips.files_of(sources)
    return scripts, media
