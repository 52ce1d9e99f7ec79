"""Scores a whole course: every student's latest hand-in and the baselines, on the same clips.

What is known from an earlier run is not done again: checks, baseline audio and every metric of every clip are kept
under the hash of what went into them. No late rule or points are among it, so changing those recomputes nothing.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import soundfile as sf

from grader import baselines, checks, leftovers, workbench
from grader.audio.mel import MelConfig, load_mel
from grader.baselines import Baseline
from grader.checks import CheckReport
from grader.course import Course
from grader.errors import CourseError
from grader.findings import Finding, Severity, Whose
from grader.intake import handins
from grader.intake.submission import Attempt, HandIn
from grader.measuring import Measuring, Recording, Take, run
from grader.metrics import embedding
from grader.metrics.evaluate import Evaluator
from grader.metrics.scores import Scores
from grader.progress import Progress
from grader.rubric import Metrics
from grader.store import Store, content_key
from grader.workbench import Workbench
from grader.workers import Failure, Job, Pool, default_processes


@dataclass(frozen=True)
class StudentResult:
    """One student. attempt: the hand-in that was looked at, the latest; content: the hash of its bytes.

    failure: one sentence why there are no scores, and ``whose`` fault that is; None where there are.
    earlier: the same of every earlier hand-in, oldest first, where the rubric lets the best of several count.
    owner: under which name :attr:`CourseScores.recordings` holds the clips.
    """

    student_id: str
    hand_in: HandIn
    attempt: Attempt | None
    check: CheckReport | None
    scores: Scores | None
    failure: str | None
    whose: Whose | None = None
    content: str = ""
    earlier: tuple[StudentResult, ...] = ()
    owner: str = ""


@dataclass(frozen=True)
class CourseScores:
    """Students and baselines by ID and name. findings: about the course folder itself, never a student's fault.

    recordings: the clips behind the scores, by the same IDs and names; references: those they are compared with.
    """

    students: Mapping[str, StudentResult]
    baselines: Mapping[str, Scores]
    findings: tuple[Finding, ...] = field(default=())
    recordings: Mapping[str, tuple[Recording, ...]] = field(default_factory=dict)
    references: tuple[Recording, ...] = field(default=())


def score_course(
    course: Course,
    store: Store,
    *,
    only: Sequence[str] | None = None,
    processes: int | None = None,
    cluster: str | None = None,
    shown: Progress | None = None,
) -> CourseScores:
    """Check and score the latest hand-in of everyone (of ``only`` these IDs), and the baselines.

    Where the rubric lets the best of several hand-ins count, all of them.
    processes: as many as cores and memory carry by default; with 1 everything runs in this process.
    cluster: whose workers measure (see :func:`grader.workbench.cluster`). Hand-ins are unpacked and baselines rendered
    on this machine, where the course folder is.
    Raises :class:`CourseError` where test mels or references are missing, or an ID of ``only`` has no hand-in;
    :class:`EnvironmentProblem` where this machine lacks what the rubric names. A student's hand-in raises nothing.
    """
    shown = shown or Progress()
    if store.set_aside:
        shown.note(
            f"{store.path}: damaged; {store.saved} records in it were whole and are kept, the others are computed "
            f"anew; the old file is {store.set_aside.name}"
        )
    leftovers.remove(course.state)
    mels, references = _mels(course), course.reference_paths()
    found, findings = handins.collect(course.submissions, course.rubric)
    chosen = _chosen(found, only)
    systems = baselines.of(course.rubric.baselines, course.root)
    evaluator = _evaluator(course, store, shown)
    with contextlib.ExitStack() as crews:
        workers = crews.enter_context(workbench.pool(evaluator, processes or default_processes()))
        measurers = crews.enter_context(workbench.cluster(evaluator, cluster, shown)) if cluster else workers
        asked = _asked(chosen, every=course.rubric.late.several_hand_ins == "best")
        contents = {owner: _content(each.attempts[-1].path, store) for owner, each in asked.items() if each.attempts}
        reports = _check_all(course, store, asked, contents, mels, workers, shown)
        takes = {
            student_id: [
                Take.of(name, clip.path, clip.sha256, clip.samples, course.rubric.clips.sample_rate_hz)
                for name, clip in report.submission.clips.items()
            ]
            for student_id, report in reports.items()
            if isinstance(report, CheckReport) and report.submission
        }
        rendered = _render_baselines(systems, course, store, mels, workers, shown)
        measuring = Measuring(references, evaluator, store, measurers, shown)
        scores = measuring.scores({**takes, **rendered})
    results = {
        owner: _result(owner, hand_in, contents.get(owner, ""), reports.get(owner), scores.get(owner))
        for owner, hand_in in asked.items()
    }
    return CourseScores(
        students={hand_in.student_id: _with_earlier(hand_in, results) for hand_in in chosen},
        baselines={name: scores[name] for name in rendered},
        findings=(*findings, *_lengths(mels, references, course)),
        recordings={owner: measuring.recordings(owned) for owner, owned in {**takes, **rendered}.items()},
        references=measuring.references(),
    )


def score_baselines(
    course: Course,
    store: Store,
    *,
    weights: Path | None = None,
    processes: int | None = None,
    shown: Progress | None = None,
) -> CourseScores:
    """Render and score the rubric's baselines alone. weights: a HiFi-GAN checkpoint in place of the rubric's.

    Raises as :func:`score_course` does.
    """
    shown = shown or Progress()
    mels, references = _mels(course), course.reference_paths()
    systems = baselines.of(course.rubric.baselines, course.root, weights)
    evaluator = _evaluator(course, store, shown)
    with workbench.pool(evaluator, processes or default_processes()) as workers:
        rendered = _render_baselines(systems, course, store, mels, workers, shown)
        measuring = Measuring(references, evaluator, store, workers, shown)
        scores = measuring.scores(rendered)
    return CourseScores(
        students={},
        baselines=scores,
        findings=tuple(_lengths(mels, references, course)),
        recordings={name: measuring.recordings(owned) for name, owned in rendered.items()},
        references=measuring.references(),
    )


def _evaluator(course: Course, store: Store, shown: Progress) -> Evaluator:
    """The rubric's metrics on this machine; what it lacks is said before any work."""
    metrics = _with_absolute_files(course.rubric.metrics, course.root)
    evaluator = Evaluator(metrics, embedding.choose(metrics.fad, shown, store.sha256))
    evaluator.settings()
    return evaluator


def _mels(course: Course) -> dict[str, Path]:
    mels = course.mel_paths()
    missing = [Path(name).stem for name in course.rubric.clips.names() if name not in mels]
    if missing:
        raise CourseError(
            f"{course.test_mels}: no test mel for {', '.join(missing)}",
            help="make them from the recordings with `grader mels`",
        )
    return mels


def _chosen(found: Sequence[HandIn], only: Sequence[str] | None) -> list[HandIn]:
    if not only:
        return list(found)
    by_id = {hand_in.student_id: hand_in for hand_in in found}
    wanted = [student_id.upper() for student_id in only]
    unknown = [student_id for student_id in wanted if student_id not in by_id]
    if unknown:
        near = difflib.get_close_matches(unknown[0], by_id, n=1)
        raise CourseError(
            f"no hand-in of {', '.join(unknown)} in submissions/",
            help=f"did you mean {near[0]}?" if near else "give IDs as in the file names: r12345678 for r12345678.zip",
        )
    return [by_id[student_id] for student_id in dict.fromkeys(wanted)]


def _owner(hand_in: HandIn, index: int) -> str:
    """The name of a student's attempt number ``index``: the latest goes by the ID alone."""
    last = len(hand_in.attempts) - 1
    return hand_in.student_id if index >= last else f"{hand_in.student_id} ({index + 1} of {last + 1})"


def _asked(chosen: Sequence[HandIn], *, every: bool) -> dict[str, HandIn]:
    """By owner, each hand-in as it stood when its last attempt was the newest; without ``every``, as it is now."""
    asked = {}
    for hand_in in chosen:
        for index in range(len(hand_in.attempts) - 1 if every else 0):
            asked[_owner(hand_in, index)] = replace(hand_in, attempts=hand_in.attempts[: index + 1])
        asked[hand_in.student_id] = hand_in
    return asked


def _with_earlier(hand_in: HandIn, results: Mapping[str, StudentResult]) -> StudentResult:
    owners = [_owner(hand_in, index) for index in range(len(hand_in.attempts) - 1)]
    earlier = tuple(replace(results[owner], hand_in=hand_in) for owner in owners if owner in results)
    return replace(results[hand_in.student_id], earlier=earlier)


def _with_absolute_files(metrics: Metrics, root: Path) -> Metrics:
    """Weight files are named as seen from the rubric."""

    def absolute(section: Any) -> Any:
        named = section.weights_file
        return section.model_copy(update={"weights_file": named and str(root / Path(named).expanduser())})

    return metrics.model_copy(update={"log2_f0": absolute(metrics.log2_f0), "fad": absolute(metrics.fad)})


def _check_all(
    course: Course,
    store: Store,
    asked: Mapping[str, HandIn],
    contents: Mapping[str, str],
    mels: Mapping[str, Path],
    workers: Pool,
    shown: Progress,
) -> dict[str, CheckReport | Failure]:
    """A report on each hand-in's latest attempt, by owner, or why there is none."""
    rubric = course.rubric.model_dump(include={"student_id", "clips", "archive", "mel", "report"})
    mel_hashes = [store.sha256(path) for path in mels.values()]
    reports: dict[str, CheckReport | Failure] = {}
    keys: dict[str, str] = {}
    jobs = []
    for owner, hand_in in asked.items():
        if not hand_in.attempts:
            continue
        source = hand_in.attempts[-1].path
        content = contents[owner]
        unpack_to = course.state / "handins" / content
        beside = [path and _content(path, store) for path in (hand_in.report, hand_in.readme, hand_in.requirements)]
        keys[owner] = content_key(
            version=checks.VERSION,
            rubric=rubric,
            mels=mel_hashes,
            name=source.name,
            content=content,
            beside=beside,
            unpacked=str(unpack_to),
        )
        record = store.get("check", keys[owner])
        report = CheckReport.from_json(record) if record else None
        clips = report.submission.clips.values() if report and report.submission else ()
        if report and all(clip.path.is_file() for clip in clips):
            reports[owner] = report
            continue
        function = partial(_check, source, course.rubric, hand_in, mels, unpack_to)
        jobs.append(Job(owner, function, source.stat().st_size))
    for job, result in run(workers, "checking hand-ins", jobs, shown):
        reports[job.what] = result
        if isinstance(result, CheckReport) and not any(found.whose is Whose.GRADER for found in result.findings):
            store.put("check", keys[job.what], result.as_json())
    return reports


def _check(
    source: Path, rubric: Any, hand_in: HandIn, mels: Mapping[str, Path], unpack_to: Path, _: Workbench
) -> CheckReport:
    return checks.check(source, rubric, student_id=hand_in.student_id, hand_in=hand_in, mels=mels, unpack_to=unpack_to)


def _content(path: Path, store: Store) -> str:
    """The hash of a file, or of all files of a folder with their places in it; links count as what they say."""
    if path.is_file():
        return store.sha256(path)
    files = {
        str(inner.relative_to(path)): str(inner.readlink()) if inner.is_symlink() else store.sha256(inner)
        for inner in sorted(path.rglob("*"))
        if inner.is_symlink() or inner.is_file()
    }
    return content_key(files=files)


def _render_baselines(
    systems: Mapping[str, Baseline],
    course: Course,
    store: Store,
    mels: Mapping[str, Path],
    workers: Pool,
    shown: Progress,
) -> dict[str, list[Take]]:
    """Each baseline's audio for the test mels, rendered where it is not there yet. One that fails is left out."""
    config = course.rubric.mel_config()
    rendered: dict[str, list[Take]] = {}
    for name, baseline in systems.items():
        unfit = baseline.unfit(config)
        if unfit:
            shown.note(f"{baseline.label} is left out: {unfit}")
            continue
        folder = course.state / "baselines" / name
        paths = {
            clip: folder / f"{baseline.key(store.sha256(mel), config, store.sha256)}.wav" for clip, mel in mels.items()
        }
        jobs = [
            Job(
                f"{baseline.label} › {clip}",
                partial(_render, baseline, mels[clip], config, path),
                mels[clip].stat().st_size,
            )
            for clip, path in paths.items()
            if not path.is_file()
        ]
        results = [result for _, result in run(workers, f"rendering {baseline.label}", jobs, shown)]
        if not any(isinstance(result, Failure) for result in results):
            rendered[name] = [
                Take.of(clip, path, store.sha256(path), sf.info(path).frames, config.sample_rate_hz)
                for clip, path in paths.items()
            ]
    return rendered


def _render(baseline: Baseline, mel: Path, config: MelConfig, out: Path, _: Workbench) -> None:
    baselines.render_to(baseline, mel, config, out)


def _result(
    owner: str, hand_in: HandIn, content: str, report: CheckReport | Failure | None, scores: Scores | None
) -> StudentResult:
    attempt = hand_in.attempts[-1] if hand_in.attempts else None
    make = partial(StudentResult, hand_in.student_id, hand_in, attempt, content=content, owner=owner)
    if report is None:
        return make(None, None, "handed in no zip of clips", Whose.STUDENT)
    if isinstance(report, Failure):
        return make(None, None, f"the hand-in could not be checked: {report.reason}", report.whose)
    if scores is not None:
        return make(report, scores, None)
    errors = [found for found in report.findings if found.severity is Severity.ERROR]
    if not errors:
        return make(report, None, "the checks gave neither clips nor a reason", Whose.GRADER)
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return make(report, None, f"{errors[0].where}: {errors[0].what_text()}{more}", errors[0].whose)


def _lengths(mels: Mapping[str, Path], references: Mapping[str, Path], course: Course) -> list[Finding]:
    """A note for each reference that is not as long as its test mel."""
    hop, rate_hz = course.rubric.mel.hop_length, course.rubric.clips.sample_rate_hz
    findings = []
    for name, path in references.items():
        facts = sf.info(path)
        frames = round(facts.frames * rate_hz / facts.samplerate) // hop
        expected = load_mel(mels[name]).shape[1]
        if frames != expected:
            findings.append(
                Finding(
                    "reference-length",
                    Severity.NOTE,
                    f"references/{path.name}",
                    "is {frames} mel frames long, its test mel {expected}; what is short is padded with zeros",
                    "make the test mels from these recordings with `grader mels`",
                    whose=Whose.ENVIRONMENT,
                    facts={"frames": frames, "expected": expected},
                )
            )
    return findings
