"""Reruns of a course: who is due, their evidence from the store or made now, the verdicts for the leaderboard."""

from __future__ import annotations

import datetime as dt
import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from grader import checks
from grader.course import Course
from grader.errors import CourseError, GraderError
from grader.findings import Severity, Whose
from grader.intake import handins
from grader.intake.submission import HandIn
from grader.rerun import STAGE, environment, sampling, sandbox
from grader.rerun.commands import Override, overrides
from grader.rerun.comparison import Delta
from grader.rerun.evidence import VERSION, Evidence, Kind, Verdict
from grader.rerun.inference import Task, rerun
from grader.store import Store, content_key


@dataclass(frozen=True)
class Options:
    """How to rerun. force: run again what is finished."""

    force: bool = False
    accept_proposals: bool = False
    no_sandbox: bool = False
    gpus: bool = False
    jobs: int = 1


@dataclass(frozen=True)
class Draw:
    """Who is rerun, out of how many with code, and the seed that it came from (None where they were named)."""

    students: tuple[str, ...]
    of: int
    seed: int | None


def draw(course: Course, count: int | None, named: Sequence[str], seed: int | None) -> Draw:
    """Those named, else ``count`` (the rubric's where None) of those who handed in code.

    Raises :class:`CourseError` for a name that handed in nothing, and where nobody handed in code.
    """
    found = _hand_ins(course)
    with_code = [student for student, hand_in in found.items() if hand_in.code]
    if named:
        wanted = tuple(dict.fromkeys(name.strip().upper() for name in named))
        if unknown := [name for name in wanted if name not in found]:
            raise CourseError(
                f"{course.submissions}: nothing of {', '.join(unknown)}", help="name students as their files are named"
            )
        return Draw(wanted, len(with_code), None)
    if not with_code:
        raise CourseError(
            f"{course.submissions}: nobody handed in code", help="code is ID_code.zip or a folder ID_code beside ID.zip"
        )
    rules = course.rubric.rerun
    seed = rules.seed if seed is None else seed
    return Draw(tuple(sampling.draw(with_code, count or rules.sample, seed)), len(with_code), seed)


def record_draw(store: Store, drawn: Draw) -> None:
    """Keep who was drawn, with seed and time."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    store.put("rerun-draw", now, {"seed": drawn.seed, "of": drawn.of, "students": list(drawn.students)})


def rerun_students(
    course: Course,
    store: Store,
    students: Sequence[str],
    options: Options,
) -> Iterator[tuple[Evidence, bool]]:
    """The evidence of each student as it is there, and whether it was known already.

    What is finished stays in the store under the hash of everything it depends on, so a run that was killed goes on
    where it was. Raises :class:`grader.errors.EnvironmentProblem` where no sandbox works and ``no_sandbox`` is not set.
    """
    box = sandbox.find(allow_none=options.no_sandbox)
    found, told = _hand_ins(course), overrides(course.submissions / "rerun.yaml")
    due: list[tuple[str, str]] = []
    for student in students:
        key = _key(course, store, found[student], told.get(student), options.accept_proposals, box.level != "none")
        finished = None if options.force else _latest(store, key)
        if finished is not None:
            yield finished, True
        else:
            due.append((student, key))
    jobs = max(1, min(options.jobs, len(due)))

    def one(student: str) -> Evidence:
        try:
            with environment.alone(course.state / "rerun" / student):
                return _rerun(course, found[student], told.get(student), box, options, jobs)
        except GraderError:
            raise
        except Exception:
            sentence = f"the grader failed, which is nobody's fault but its own:\n{traceback.format_exc()}"
            return Evidence(student, Kind.NOT_RUN, sentence, Whose.GRADER, sandbox=box.level)

    with ThreadPoolExecutor(jobs) as pool:
        running: dict[Future[Evidence], str] = {pool.submit(one, student): key for student, key in due}
        try:
            for future in as_completed(running):
                evidence = future.result()
                if evidence.lasting:
                    _put(store, running[future], evidence)
                yield evidence, False
        except BaseException:  # Ctrl-C too
            for future in running:
                future.cancel()
            sandbox.stop_all()
            raise


def known(course: Course, store: Store) -> dict[str, Evidence]:
    """The evidence there is for the hand-ins as they are now, by student ID. Runs nothing."""
    told = overrides(course.submissions / "rerun.yaml")
    found = {}
    for student, hand_in in _hand_ins(course).items():
        variants = [(accept, boxed) for boxed in (True, False) for accept in (False, True)]
        keys = [_key(course, store, hand_in, told.get(student), accept, boxed) for accept, boxed in variants]
        kept = [evidence for key in keys if (evidence := _latest(store, key)) is not None]
        if kept:
            found[student] = max(kept, key=lambda evidence: (evidence.sandbox != "none", evidence.made_at))
    return found


def verdicts(course: Course, store: Store) -> dict[str, Verdict]:
    """The verdicts known for the hand-ins as they are now, by student ID. Runs nothing."""
    return {student: evidence.verdict() for student, evidence in known(course, store).items()}


def _hand_ins(course: Course) -> dict[str, HandIn]:
    found, _ = handins.collect(course.submissions, course.rubric)
    return {hand_in.student_id: hand_in for hand_in in found}


def _rerun(
    course: Course, hand_in: HandIn, override: Override | None, box: sandbox.Sandbox, options: Options, jobs: int
) -> Evidence:
    if not hand_in.attempts:
        return Evidence(hand_in.student_id, Kind.NO_UPLOAD, "handed in no zip of clips, so there is nothing to compare")
    unpacked = course.state / "rerun" / f"{hand_in.student_id}.uploaded"
    try:
        report = checks.check(
            hand_in.attempts[-1].path, course.rubric, student_id=hand_in.student_id, unpack_to=unpacked
        )
        if report.submission is None:
            errors = [finding for finding in report.findings if finding.severity is Severity.ERROR]
            why = errors[0].what_text() if errors else "the checks gave no reason"
            sentence = f"the uploaded clips cannot be read, so there is nothing to compare: {why}"
            return Evidence(hand_in.student_id, Kind.NO_UPLOAD, sentence, errors[0].whose if errors else None)
        task = Task(
            hand_in=hand_in,
            uploaded={name: clip.path for name, clip in report.submission.clips.items()},
            mels=course.mel_paths(),
            rubric=course.rubric,
            state=course.state,
            submissions=course.submissions,
            box=box,
            override=override,
            accept_proposals=options.accept_proposals,
            gpus=options.gpus,
            jobs=jobs,
            delta=_delta(course),
        )
        return rerun(task)
    finally:
        sandbox.remove(unpacked)


def _delta(course: Course) -> Delta | None:
    """How far two files' scores are apart; None where the references are not there to score against."""
    if not (references := _references(course)):
        return None

    @lru_cache(maxsize=1)
    def evaluator() -> Any:
        from grader.metrics.embedding import Source
        from grader.metrics.evaluate import Evaluator

        return Evaluator(course.rubric.metrics, Source("none", reason="not needed"))

    def delta(name: str, uploaded: Path, made: Path) -> Mapping[str, float]:
        try:
            prepared = evaluator().prepare(references[name])
            pair = [evaluator().measure(prepared, path, ("m_stft", "log2_f0")) for path in (uploaded, made)]
        except (GraderError, ImportError):
            return {}
        found = {}
        for metric in ("m_stft", "log2_f0"):
            first, second = (measured[metric] for measured in pair)
            if first.value is not None and second.value is not None:
                found[metric] = abs(first.value - second.value)
            elif first.by_reference and second.by_reference:
                found[metric] = 0.0
        return found

    return delta


def _references(course: Course) -> dict[str, Path]:
    """The recordings by clip name; none where they are not all there."""
    try:
        return course.reference_paths()
    except CourseError:
        return {}


def _key(
    course: Course, store: Store, hand_in: HandIn, override: Override | None, accept_proposals: bool, boxed: bool
) -> str:
    """The hash of all that a rerun's evidence depends on."""
    rules = course.rubric.rerun.model_dump()
    for name in ("sample", "seed"):
        del rules[name]
    documents: Collection[Path | None] = (hand_in.code, hand_in.requirements, hand_in.readme)
    upload = hand_in.attempts[-1].path if hand_in.attempts else None
    return content_key(
        version=VERSION,
        student=hand_in.student_id,
        files=[_content(path, store) if path else None for path in (*documents, upload)],
        mels={name: store.sha256(path) for name, path in course.mel_paths().items()},
        references={name: store.sha256(path) for name, path in _references(course).items()},
        metrics=[settings.model_dump() for settings in (course.rubric.metrics.m_stft, course.rubric.metrics.log2_f0)],
        override=override.model_dump() if override else None,
        rules=rules,
        accept_proposals=accept_proposals,
        boxed=boxed,
    )


def _content(path: Path, store: Store) -> str:
    """The hash of a file, or of all files of a folder with their places."""
    if path.is_file():
        return store.sha256(path)
    inner = (file for file in sorted(path.rglob("*")) if file.is_file() and not file.is_symlink())
    return content_key(files={str(file.relative_to(path)): store.sha256(file) for file in inner})


def _latest(store: Store, key: str) -> Evidence | None:
    """The last evidence under a key: what is kept never changes, so running by force adds one behind."""
    number, latest = 0, None
    while (record := store.get(STAGE, f"{key}-{number}")) is not None:
        number, latest = number + 1, record
    return Evidence.from_json(latest) if latest else None


def _put(store: Store, key: str, evidence: Evidence) -> None:
    number = 0
    while store.get(STAGE, f"{key}-{number}") is not None:
        number += 1
    store.put(STAGE, f"{key}-{number}", evidence.as_json())
