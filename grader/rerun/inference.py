"""One student's rerun from code to evidence: lay out, repair, install, run in the sandbox, collect, compare.

Nothing a student does raises here; it ends as a verdict. What earlier tries left is cleared away first, so a try that
was killed leaves nothing that the next one could trip over.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from grader.findings import Finding, Severity, Whose
from grader.intake.pdf import PdfProblem, look_into
from grader.intake.submission import HandIn
from grader.rerun import comparison, environment, handout, probe, symptoms
from grader.rerun.code import Code, CodeError, lay_out
from grader.rerun.commands import Command, Override, choose
from grader.rerun.comparison import ClipComparison, Delta, Tier
from grader.rerun.environment import Environment, InstallError
from grader.rerun.evidence import Evidence, Kind
from grader.rerun.job import Job, Outcome
from grader.rerun.outputs import Collected, collect
from grader.rerun.requirements import Repaired, Rules, repair
from grader.rerun.sandbox import Sandbox, remove
from grader.rubric import Limits, Rubric
from grader.store import file_sha256

_WITNESS = Path(__file__).parent / "witness"
_CODE_LIMITS = {"max_unpacked_mb": 4000.0, "max_entries": 50_000}  # weights are part of it, and so may a .git be
_LEAST_FIT = 0.5
_MEGABYTE = 10**6


@dataclass(frozen=True)
class Task:
    """What one rerun needs. uploaded, mels: files by clip name; work: a folder of its own for this student.

    delta: the differences of two files' scores for a clip, where they can be computed.
    """

    hand_in: HandIn
    uploaded: Mapping[str, Path]
    mels: Mapping[str, Path]
    rubric: Rubric
    state: Path
    submissions: Path
    box: Sandbox
    override: Override | None = None
    accept_proposals: bool = False
    gpus: bool = False
    jobs: int = 1
    delta: Delta | None = None

    @property
    def work(self) -> Path:
        return self.state / "rerun" / self.hand_in.student_id


@dataclass
class _Progress:
    """What is known so far; becomes the evidence however far the rerun got."""

    evidence: Evidence
    findings: list[Finding] = field(default_factory=list)

    def know(self, **parts: Any) -> None:
        self.evidence = replace(self.evidence, **parts)


@dataclass(frozen=True)
class _Ready:
    """Everything that a run needs, in place."""

    task: Task
    code: Code
    made: Environment
    command: Command
    limits: Limits


class _Ended(Exception):
    def __init__(self, kind: Kind, sentence: str, whose: Whose | None = Whose.STUDENT) -> None:
        super().__init__(sentence)
        self.kind, self.sentence, self.whose = kind, sentence, whose


def rerun(task: Task) -> Evidence:
    """Rerun one student's inference and compare. Raises :class:`grader.errors.GraderError` for a broken surrounding."""
    made_at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    start = Evidence(task.hand_in.student_id, Kind.NOT_RUN, "", sandbox=task.box.level, made_at=made_at)
    progress = _Progress(start)
    remove(task.work)
    task.work.mkdir(parents=True)
    try:
        _rerun(task, progress)
    except _Ended as ended:
        progress.know(kind=ended.kind, sentence=ended.sentence, whose=ended.whose)
    finally:
        for name in ("code", "run-1", "run-2", "run-probe", "clips-probe", "mels", "probe-mels"):
            remove(task.work / name)
    return replace(progress.evidence, findings=tuple(progress.findings))


def _rerun(task: Task, progress: _Progress) -> None:
    code = _code(task, progress)
    listed = _requirements(task, code, progress)
    command = _command(task, code, progress)
    made = _installed(task, listed, progress)
    limits = _limits(task)
    progress.know(limits=limits.model_dump())
    ready = _Ready(task, code, made, command, limits)
    outcome, first = _run(ready, "1", _staged(task.mels, task.work / "mels"), progress)
    witnessed = handout.witnessed(task.work / "run-1" / "out")
    progress.findings += handout.unused_checkpoints(code, witnessed)
    if witnessed.modules:
        progress.findings += handout.unneeded(listed.lines, made.path, code, witnessed)
    _judge_run(outcome, first, made, progress)
    clips = comparison.compare_all(task.uploaded, first.clips, task.rubric.rerun.same, task.delta)
    progress.know(clips=tuple(_with_refusal(clip, first) for clip in clips), renamed=dict(first.renamed))
    missing = [clip.name for clip in clips if clip.tier is Tier.MISSING]
    if missing:
        raise _Ended(Kind.INCOMPLETE, f"the rerun made {len(first.clips)} of {len(clips)} clips; not {_some(missing)}")
    copied = _uploads_in_code(task, code)
    if copied:
        progress.findings.append(_copied_finding(copied))
        if all(clip.tier is Tier.BYTES for clip in clips if clip.name in copied.values()):
            raise _Ended(Kind.COPIED, f"the code holds the uploaded clips themselves ({_some(list(copied))})")
    worst = comparison.worst(clips)
    if worst is None or not worst.same:
        _judge_difference(ready, first, clips, progress)
    if task.rubric.rerun.probe:
        _judge_probe(ready, progress)
    raise _Ended(Kind.REPRODUCED, f"all {len(clips)} clips: {worst}", None)


def _code(task: Task, progress: _Progress) -> Code:
    if task.hand_in.code is None:
        raise _Ended(Kind.NO_CODE, "handed in no code (ID_code.zip)")
    limits = task.rubric.archive.model_copy(update=_CODE_LIMITS)
    extra = {place: task.submissions / path for place, path in (task.override.files if task.override else {}).items()}
    try:
        code = lay_out(task.hand_in.code, task.work / "code", limits, extra)
    except CodeError as error:
        progress.findings.append(error.finding)
        raise _Ended(Kind.NO_CODE, error.finding.what_text()) from None
    progress.findings += handout.not_to_be_uploaded(code)
    return code


def _requirements(task: Task, code: Code, progress: _Progress) -> Repaired:
    rules = task.rubric.rerun
    path = code.find("requirements.txt") or task.hand_in.requirements
    has_readme = bool(code.find("README.md", "README.txt", "README.pdf", "README") or task.hand_in.readme)
    progress.findings += handout.complete(code, readme=has_readme, requirements=path is not None)
    data = b""
    if path is not None:
        with path.open("rb") as file:
            data = file.read(_MEGABYTE)
    listed = repair(data, Rules(tuple(rules.constraints), tuple(rules.allowed_urls)))
    for refusal in listed.refused:
        progress.findings.append(
            Finding(
                "requirements-refused", Severity.WARNING, f"requirements.txt:{refusal.line}",
                "{text!r} {why}; left out", refusal.fix, facts={"text": refusal.text, "why": refusal.why},
            )
        )  # fmt: skip
    progress.know(requirements=_requirements_record(listed, rules.repair_percent))
    return listed


def _requirements_record(listed: Repaired, percent: float) -> dict[str, Any]:
    kinds = {entry.kind for entry in listed.repairs}
    return {
        "lines": list(listed.lines),
        "diff": listed.diff(),
        "repairs": [vars(entry) for entry in listed.repairs],
        "refused": [vars(entry) for entry in listed.refused],
        "comments": list(listed.comments),
        "percent": percent * len(kinds),
    }


def _command(task: Task, code: Code, progress: _Progress) -> Command:
    readme = _text(code.find("README.md", "README.txt", "README", "README.pdf") or task.hand_in.readme)
    try:
        command = choose(
            code.root, readme, task.rubric.rerun.command, task.override, accept_proposals=task.accept_proposals
        )
    except ValueError as error:
        raise _Ended(Kind.FAILED, str(error)) from None
    progress.know(
        command={
            "line": command.line, "workdir": command.workdir, "source": str(command.source),
            "proposals": list(command.proposals), "reason": task.override.reason if task.override else "",
        }
    )  # fmt: skip
    folder = (code.root / command.workdir).resolve()
    if not folder.is_relative_to(code.root.resolve()) or not folder.is_dir():
        raise _Ended(Kind.FAILED, f"the folder {command.workdir!r}, in which it is to run, is not in the code")
    return command


def _installed(task: Task, listed: Repaired, progress: _Progress) -> Environment:
    python = task.override.python if task.override else None
    try:
        made = environment.prepare(listed.lines, task.state, task.rubric.rerun, python, task.box)
    except InstallError as error:
        facts = {"said": error.what, "fix": error.fix}
        finding = Finding("rerun-install", Severity.ERROR, "requirements.txt", "{said}", "{fix}", error.whose, facts)
        progress.findings.append(finding)
        progress.know(environment={"log": error.log})
        kind = Kind.NOT_INSTALLABLE if error.whose is Whose.STUDENT else Kind.NOT_RUN
        raise _Ended(kind, f"{error.what}; {error.fix}", error.whose) from None
    moved = [vars(entry) for entry in made.repairs]
    known = progress.evidence.requirements
    if moved:
        kinds = {entry.kind for entry in made.repairs} - {"built"}
        extra = task.rubric.rerun.repair_percent * len(kinds)
        known = {**known, "repairs": [*known["repairs"], *moved], "percent": known["percent"] + extra}
    record = made.as_json()
    progress.know(
        environment={name: record[name] for name in ("key", "python", "packages", "made_s", "reused")},
        requirements=known,
    )
    return made


def _limits(task: Task) -> Limits:
    override = task.override
    own = {name: value for name in ("wall_s", "cpu_s") if override and (value := getattr(override, name)) is not None}
    return task.rubric.rerun.limits.model_copy(update=own)


def _staged(mels: Mapping[str, Path], folder: Path) -> Path:
    """The mels alone in a folder of their own, as the student's code is shown them."""
    folder.mkdir()
    for path in mels.values():
        shutil.copyfile(path, folder / path.name)
    return folder


def _run(ready: _Ready, name: str, mels: Path, progress: _Progress) -> tuple[Outcome, Collected]:
    """Run the command once on a folder of mels, and take over what it made."""
    task, code, made, limits = ready.task, ready.code, ready.made, ready.limits
    out = task.work / f"run-{name}" / "out"
    out.mkdir(parents=True)
    for shown in (code.folder, mels):
        _readable(shown)
    place = task.box.place
    root = place(code.root, str(PurePosixPath("/code", *code.root.relative_to(code.folder).parts)))
    job = Job(
        command=ready.command.filled(place(mels, "/mels"), place(out, "/out"), root),
        out=out,
        limits=limits,
        read={code.folder: "/code", mels: "/mels", made.path: "/env", _WITNESS: "/witness"},
        workdir=str(PurePosixPath(root, ready.command.workdir)),
        prefix=made.python,
        environment={"PYTHONPATH": place(_WITNESS, "/witness"), "GRADER_WITNESS": place(out, "/out")},
        jobs=task.jobs,
        gpus=task.gpus,
    )
    outcome = task.box.run(job)
    record = {**outcome.as_json(), "command": job.command, "run": name}
    progress.know(runs=(*progress.evidence.runs, record))
    most_bytes = int(limits.output_mb * _MEGABYTE)
    names = task.rubric.clips.names()
    return outcome, collect(out, names, task.work / f"clips-{name}", most_bytes)


def _readable(folder: Path) -> None:
    """The sandbox's user is another one than ours; what it is shown must be open to all, whatever our umask."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def _judge_run(outcome: Outcome, found: Collected, made: Environment, progress: _Progress) -> None:
    """End here where the command did not come to its own good end."""
    if outcome.error:
        raise _Ended(Kind.NOT_RUN, f"the sandbox could not run it: {outcome.error}", Whose.ENVIRONMENT)
    if outcome.limit is not None:
        limits = progress.evidence.limits
        raise _Ended(Kind.STOPPED, _limit_sentence(outcome.limit, limits))
    if outcome.exit_status == 0 and found.clips:
        return
    symptom = handout.missing_import(outcome.log, handout.modules_of(made.path)) or symptoms.of_log(outcome.log)
    if symptom is not None:
        progress.findings.append(symptom)
        kind = Kind.FAILED if symptom.whose is Whose.STUDENT else Kind.NOT_RUN
        raise _Ended(kind, f"{symptom.what_text()}; {symptom.fix_text()}", symptom.whose)
    if outcome.exit_status != 0:
        last = symptoms.last_line(outcome.log)
        raise _Ended(Kind.FAILED, f"inference ended with exit status {outcome.exit_status}; the log ends with: {last}")
    refused = "; ".join(f"{name} {why}" for name, why in list(found.refused.items())[:3])
    raise _Ended(Kind.INCOMPLETE, "inference ended well, but made no clip" + (f": {refused}" if refused else ""))


def _limit_sentence(limit: str, limits: Mapping[str, Any]) -> str:
    names = {
        "wall": ("wall_s", "s by the clock"),
        "cpu": ("cpu_s", "s of CPU time"),
        "memory": ("memory_mb", "MB of memory"),
        "processes": ("processes", "processes"),
        "output": ("output_mb", "MB of output"),
        "log": ("log_mb", "MB of printed text"),
    }
    key, unit = names.get(limit, (limit, limit))
    allowed = limits.get(key)
    return f"stopped: more than {allowed:g} {unit}" if allowed is not None else f"stopped by the limit on {limit}"


def _judge_difference(ready: _Ready, first: Collected, clips: tuple[ClipComparison, ...], progress: _Progress) -> None:
    """Run it once more: a model that differs from itself is not one that differs from its upload."""
    differing = [clip.name for clip in clips if not clip.tier.same]
    outcome, second = _run(ready, "2", ready.task.work / "mels", progress)
    _judge_run(outcome, second, ready.made, progress)
    again = comparison.compare_all(first.clips, second.clips, ready.task.rubric.rerun.same)
    apart = [clip.name for clip in again if clip.tier.rank > Tier.CLOSE.rank]
    count = f"{len(differing)} of {len(clips)} clips differ from the upload ({_some(differing)})"
    if apart:
        raise _Ended(Kind.NONDETERMINISTIC, f"{count}, and two runs differ from each other in {len(apart)}")
    raise _Ended(Kind.DIFFERENT, f"{count}; two runs agree with each other")


def _judge_probe(ready: _Ready, progress: _Progress) -> None:
    """End here where the program hands back its upload for mels that it cannot have seen."""
    task, rubric = ready.task, ready.task.rubric
    config = rubric.mel_config()
    mels = probe.make_mels(task.mels, task.work / "probe-mels", config)
    outcome, answers = _run(ready, "probe", task.work / "probe-mels", progress)
    if outcome.error:
        raise _Ended(Kind.NOT_RUN, f"the sandbox could not run it: {outcome.error}", Whose.ENVIRONMENT)
    copied = probe.copies(answers.clips, task.uploaded)
    if copied:
        count = f"for {len(copied)} of {len(mels)} mels that it cannot have seen"
        raise _Ended(Kind.COPIED, f"{count}, the program hands back an uploaded clip ({_some(list(copied))})")
    missing = len(mels) - len(answers.clips)
    fit = probe.fits(answers.clips, mels, config)
    if missing or outcome.exit_status != 0:
        what = "it fails on short mels that it has not seen ({missing} of {count} clips missing)"
        progress.findings.append(_probe_finding(what, missing=missing, count=len(mels)))
    elif fit is not None and fit < _LEAST_FIT:
        what = "what it makes of mels that it has not seen does not fit them (correlation {fit})"
        progress.findings.append(_probe_finding(what, fit=f"{fit:.2f}"))


def _probe_finding(what: str, **facts: Any) -> Finding:
    fix = "read its code: does it use the mels, or only recognise them?"
    return Finding("rerun-probe", Severity.WARNING, "inference", what, fix, facts=facts)


def _uploads_in_code(task: Task, code: Code) -> dict[str, str]:
    """Uploaded clips that lie in the code: place → clip."""
    hashes = {file_sha256(path): name for name, path in task.uploaded.items()}
    sizes = {path.stat().st_size for path in task.uploaded.values()}
    found = {}
    for place, size in code.sizes.items():
        if size in sizes and (name := hashes.get(file_sha256(code.root / place))) is not None:
            found[place] = name
    return found


def _copied_finding(copied: Mapping[str, str]) -> Finding:
    what = "it holds {count} of the uploaded clips, such as {example}"
    facts = {"count": len(copied), "example": next(iter(copied))}
    return Finding("code-holds-uploads", Severity.WARNING, "code", what, "leave the clips out of the code", facts=facts)


def _with_refusal(clip: ClipComparison, found: Collected) -> ClipComparison:
    return replace(clip, why=found.refused[clip.name]) if clip.name in found.refused else clip


def _text(path: Path | None) -> str:
    if path is None:
        return ""
    if path.suffix.lower() == ".pdf":
        try:
            return look_into(path).text or ""
        except PdfProblem:
            return ""
    with path.open("rb") as file:
        return file.read(_MEGABYTE).decode("utf-8", errors="replace")


def _some(names: list[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
