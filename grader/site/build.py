"""``grader leaderboard``: score what is missing, grade everyone, write the private site and perhaps the public one."""

from __future__ import annotations

from pathlib import Path

from grader import rerun, scoring, tells
from grader.course import Course
from grader.errors import GraderError
from grader.grades import snapshots
from grader.grades.leaderboard import Leaderboard, leaderboard
from grader.progress import Progress
from grader.rerun.evidence import Evidence
from grader.scoring import CourseScores
from grader.site import aliases, pages, redaction, render, student_page
from grader.site.aliases import Person
from grader.site.audience import Audience, file_key
from grader.site.media import clips, payload
from grader.site.media.clips import Clips
from grader.store import Store, content_key, file_sha256
from grader.tells import Tells
from grader.tells import page as tells_page

ALIASES = "aliases.json"


def grade(course: Course, *, processes: int | None, shown: Progress, cluster: str | None = None) -> Leaderboard:
    """Score what is missing and grade everyone.

    Raises what reading the tables, scoring and grading raise (:class:`grader.errors.GraderError`); the tables are read
    first, so that a wrong line is told before any work. Finished scores are kept either way.
    """
    with course.store() as store:
        return _grade(course, store, processes, cluster, shown)[0]


def _grade(
    course: Course, store: Store, processes: int | None, cluster: str | None, shown: Progress
) -> tuple[Leaderboard, CourseScores]:
    sent, report_points, decisions, roster = course.sent(), course.report_points(), course.ledger(), course.roster()
    scores = scoring.score_course(course, store, processes=processes, cluster=cluster, shown=shown)
    reruns = rerun.known(course, store)
    return leaderboard(course.rubric, scores, sent, report_points, reruns, decisions, roster), scores


def build(
    course: Course, *, processes: int | None, shown: Progress, cluster: str | None = None, public: Path | None = None
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
        board, scores = _grade(course, store, processes, cluster, shown)
        number, is_new = snapshots.take(board, course.snapshots)
        if is_new and number > 1:
            shown.note(f"snapshot {number}: `grader diff` says who moved")
        heard = clips.make(course, board, scores, store, processes=processes, shown=shown)
        told = tells.tells(course, scores, _reruns(board), store, processes=processes, shown=shown)
        page = _private(board, heard, told, course.site, store)
    if public:
        _public(board, heard, course, public)
    return board, page


def look(course: Course, *, processes: int | None, shown: Progress, cluster: str | None = None) -> tuple[Tells, Path]:
    """Score what is missing and write only the page of tells; returns them and its path. Raises as :func:`grade`."""
    with course.store() as store:
        board, scores = _grade(course, store, processes, cluster, shown)
        told = tells.tells(course, scores, _reruns(board), store, processes=processes, shown=shown)
    render.write(
        {**pages.assets(), tells_page.NAME: tells_page.tells_page(told, course.rubric, course.site)}, course.site
    )
    return told, course.site / tells_page.NAME


def _reruns(board: Leaderboard) -> dict[str, Evidence]:
    return {row.grade.student_id: row.rerun for row in board.rows if row.rerun}


def _private(board: Leaderboard, heard: Clips, told: Tells, site: Path, store: Store) -> Path:
    keys = {row.grade.student_id: file_key(row.grade.student_id) for row in board.rows}
    people = {clips.owner(row): Person(keys[row.grade.student_id], row.grade.student_id) for row in board.rows}
    scripts, media = _clips(board, heard, people, references=True)
    audience = Audience(
        language=board.rubric.site.language,
        keys=keys,
        clips=tuple(Path(name).stem for name in scripts),
        student_pages=True,
        files=(*Audience.files, tells_page.NAME),
    )
    told_page = tells_page.tells_page(told, board.rubric, site, audience)
    shared = {**render.files(board, audience), **scripts, tells_page.NAME: told_page}
    render.write(shared, site)
    students = {row.grade.student_id: f"students/{keys[row.grade.student_id]}.html" for row in board.rows}
    _students(board, heard, site, store, students)
    render.tidy(site, {*shared, *media, *students.values()})
    return site / "index.html"


def _students(board: Leaderboard, heard: Clips, site: Path, store: Store, files: dict[str, str]) -> None:
    """Everyone's own page. One that is there, made from the same, is neither made nor written again."""
    for row, inputs in student_page.inputs(board, heard, board.rubric.site.language):
        file = files[row.grade.student_id]
        key = content_key(file=file, inputs=inputs)
        known = store.get("student_page", key)
        if known and (site / file).is_file() and store.sha256(site / file) == known["sha256"]:
            continue
        text = student_page.student_html(row, board, heard, site, board.rubric.site.language)
        render.write({file: text}, site)
        store.put("student_page", key, {"sha256": file_sha256(site / file)})


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
    content = {**render.files(shown, audience), **scripts}
    render.copy(media, course.site, folder)
    render.write(content, folder)
    render.tidy(folder, {*content, *media})


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
