"""A small course scored to the end by real workers, then with something changed; failures stay with their owner."""

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from grader import baselines, cli, rubric, scoring, workbench
from grader.audio.mel import mel_spectrogram
from grader.course import Course
from grader.errors import CourseError, EnvironmentProblem
from grader.findings import Whose
from grader.grades.leaderboard import leaderboard
from grader.measuring import Measuring, Take
from grader.metrics.evaluate import Evaluator, Measurement
from grader.metrics.pitch import PitchTracker
from grader.progress import Lines, Progress
from grader.scoring import CourseScores, score_course
from tests.making import wav_bytes, zipped
from tests.processes import interruptible

RATE_HZ = 22050
CLIPS = 3
GOOD, NOISY, LATE_COPY, SHORT, BROKEN, REPORT_ONLY = (f"R1292200{n}" for n in range(1, 7))


def sung(number: int) -> np.ndarray:
    """A third of a second of a gliding, vibrating voice, another for each number; a whole number of mel frames."""
    samples = 256 * (30 + 2 * number)
    t = np.arange(samples) / RATE_HZ
    hz = 180 * 2 ** ((3 * number + 2 * t + 0.3 * np.sin(2 * np.pi * 5.5 * t)) / 12)
    phase = 2 * np.pi * np.cumsum(hz) / RATE_HZ
    return (0.08 * sum(np.sin(k * phase) / k for k in range(1, 9))).astype(np.float32)


def noisy(number: int, level: float) -> np.ndarray:
    return sung(number) + np.random.default_rng(number).normal(0, level, len(sung(number))).astype(np.float32)


def hand_in(course: Course, student: str, clips: dict[int, np.ndarray]) -> None:
    entries = {f"{student.lower()}/{number:03d}.wav": wav_bytes(audio) for number, audio in clips.items()}
    zipped(entries, course.submissions / f"{student.lower()}.zip")


def make_course(root: Path) -> Course:
    course = Course(root)
    for folder in (course.submissions, course.test_mels, course.references):
        folder.mkdir(parents=True)
    text = rubric.default_path().read_text(encoding="utf-8")
    for before, after in (
        ("count: 30", f"count: {CLIPS}"),
        ("capacity: full", "capacity: tiny"),
        ("embedding: vggish", "embedding: logmel"),
        ("use: [griffin_lim, hifigan]", "use: [griffin_lim]"),
    ):
        assert before in text
        text = text.replace(before, after)
    course.rubric_path.write_text(text, encoding="utf-8")
    numbers = range(1, CLIPS + 1)
    for number in numbers:
        sf.write(course.references / f"{number:03d}.wav", sung(number), RATE_HZ, subtype="PCM_16")
        np.save(course.test_mels / f"{number:03d}.npy", mel_spectrogram(sung(number)))
    hand_in(course, GOOD, {n: noisy(n, 0.001) for n in numbers})
    hand_in(course, NOISY, {n: noisy(n, 0.05) for n in numbers})
    shutil.copy(course.submissions / f"{GOOD.lower()}.zip", course.submissions / f"{LATE_COPY.lower()}.zip")
    hand_in(course, SHORT, {n: noisy(n, 0.01) for n in (1, 2)})
    (course.submissions / f"{BROKEN.lower()}.zip").write_bytes(b"7z\xbc\xaf\x27\x1c not a zip")
    (course.submissions / f"{REPORT_ONLY.lower()}_report.pdf").write_bytes(b"%PDF-1.4")
    return course


def scored(course: Course, processes: int = 1, **arguments: Any) -> CourseScores:
    with course.store() as store:
        return score_course(Course(course.root), store, processes=processes, **arguments)


def numbers(result: CourseScores) -> dict[str, Any]:
    return {name: one.scores for name, one in result.students.items()} | dict(result.baselines)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Course, CourseScores]:
    """A course and its first scores, by two real workers."""
    course = make_course(tmp_path_factory.mktemp("course") / "course")
    return course, scored(course, processes=2)


@pytest.fixture
def course(first: tuple[Course, CourseScores], tmp_path: Path) -> Course:
    """A copy of the scored course, with its store, to change."""
    return Course(shutil.copytree(first[0].root, tmp_path / "course"))


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is computed from here on, in this process."""
    calls: list[str] = []

    def watch(owner: type, name: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def wrapped(self: object, *arguments: Any, **named: Any) -> Any:
            calls.append(name)
            return original(self, *arguments, **named)

        monkeypatch.setattr(owner, name, wrapped)

    for name in ("prepare", "measure", "embed", "frechet"):
        watch(Evaluator, name)
    return calls


def changed(course: Course, before: str, after: str) -> Course:
    text = course.rubric_path.read_text(encoding="utf-8")
    assert before in text
    course.rubric_path.write_text(text.replace(before, after), encoding="utf-8")
    return Course(course.root)


def test_everyone_with_clips_has_scores_and_they_rank_sensibly(first: tuple[Course, CourseScores]) -> None:
    _, result = first
    good, noisy_one, copy = (result.students[student].scores for student in (GOOD, NOISY, LATE_COPY))
    assert good is not None
    assert noisy_one is not None
    assert copy == good
    for metric in ("m_stft", "log2_f0", "fad"):
        assert 0 < good.of(metric) < noisy_one.of(metric)  # type: ignore[operator]
    assert [clip.name for clip in good.clips] == ["001.wav", "002.wav", "003.wav"]
    assert good.m_stft == pytest.approx(np.mean([clip.m_stft for clip in good.clips]))
    assert (good.fad_name, good.patches, good.reference_patches) == ("FD-logmel", 6, 6)
    assert good.fad_stderr is not None
    assert good.left_out == {}
    assert good.settings["log2_f0"]["capacity"] == "tiny"


def test_griffin_lim_is_scored_on_the_same_clips(first: tuple[Course, CourseScores]) -> None:
    course, result = first
    assert list(result.baselines) == ["griffin_lim"]
    scores = result.baselines["griffin_lim"]
    assert [clip.name for clip in scores.clips] == ["001.wav", "002.wav", "003.wav"]
    assert scores.m_stft is not None
    assert 0.1 < scores.m_stft < 4
    assert len(list((course.state / "baselines" / "griffin_lim").iterdir())) == CLIPS


def test_the_pitch_of_every_clip_is_kept_beside_its_score(first: tuple[Course, CourseScores]) -> None:
    course, result = first
    owners = (result.references, *result.recordings.values())
    assert set(result.recordings) == {GOOD, NOISY, LATE_COPY, "griffin_lim"}
    with course.store() as store:
        tracks = [store.arrays(*recording.track) or {} for owned in owners for recording in owned]
    for track in tracks:
        assert len(track["f0_hz"]) == len(track["confidence"])
        assert 150 < np.median(track["f0_hz"]) < 500
    assert [recording.name for recording in result.references] == ["001.wav", "002.wav", "003.wav"]


def test_who_has_no_scores_and_why(first: tuple[Course, CourseScores]) -> None:
    students = first[1].students
    assert list(students) == [GOOD, NOISY, LATE_COPY, SHORT, BROKEN, REPORT_ONLY]
    assert students[REPORT_ONLY].failure == "handed in no zip of clips"
    assert "003.wav" in (students[SHORT].failure or "")
    assert "7z" in (students[BROKEN].failure or "")
    for student in (SHORT, BROKEN, REPORT_ONLY):
        assert students[student].whose is Whose.STUDENT
        assert students[student].scores is None
    for student in (GOOD, NOISY, LATE_COPY):
        assert students[student].failure is None


def test_one_process_gives_the_same_numbers_to_the_last_bit(first: tuple[Course, CourseScores], course: Course) -> None:
    shutil.rmtree(course.state)
    again = scored(course, processes=1)
    assert numbers(again) == numbers(first[1])


def test_nothing_changed_computes_nothing(course: Course, computed: list[str]) -> None:
    said: list[str] = []
    scored(course)  # the copy lies elsewhere: checks are made again, metrics are not
    result = scored(course, shown=Lines(said.append))
    assert computed == []
    assert said == []
    assert result.students[GOOD].scores is not None


def test_a_second_run_is_fast_and_imports_no_torch(course: Course) -> None:
    script = (
        "import sys, time; from pathlib import Path; from grader import cli\n"
        f"sys.argv = ['grader', 'score', '--json', '--course', {str(course.root)!r}]\n"
        "start = time.process_time()\n"
        "try: cli.main()\n"
        "finally: print(time.process_time() - start, sorted({'torch', 'librosa'} & set(sys.modules)), file=sys.stderr)"
    )
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    seconds, modules = done.stderr.split(maxsplit=1)
    assert modules.strip() == "[]"
    assert float(seconds) < 2
    assert json.loads(done.stdout)["students"][GOOD]["scores"]["m_stft"] > 0


def test_a_late_rule_recomputes_nothing(course: Course, computed: list[str]) -> None:
    before = scored(course)
    result = scored(
        changed(changed(course, "after_percent: 60", "after_percent: 70"), "rank_by: m_stft", "rank_by: fad")
    )
    assert computed == []
    assert result.students[GOOD].scores == before.students[GOOD].scores


def test_a_changed_metric_recomputes_that_metric_only(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = []
    original = Evaluator.measure

    def measure(self: Evaluator, prepared: Any, prediction: Any, want: Any, track: Any) -> Any:
        wanted.append(tuple(want))
        return original(self, prepared, prediction, want, track)

    monkeypatch.setattr(Evaluator, "measure", measure)
    monkeypatch.setattr(PitchTracker, "track", None)  # what is compared has changed, but nobody's pitch
    result = scored(changed(course, "min_confidence: 0.6", "min_confidence: 0.2"))
    assert wanted == [("log2_f0",)] * (3 * CLIPS)  # good and its copy, noisy, Griffin-Lim
    scores = result.students[GOOD].scores
    assert scores is not None
    assert scores.settings["log2_f0"]["min_confidence"] == 0.2


def test_a_pitch_is_tracked_once_whoever_hands_the_clip_in_under_whatever_number(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracked = []
    original = PitchTracker.track

    def track(self: PitchTracker, audio: np.ndarray) -> Any:
        tracked.append(len(audio))
        return original(self, audio)

    monkeypatch.setattr(PitchTracker, "track", track)
    new = noisy(3, 0.03)  # as long as the longest reference
    path = course.root / "new.wav"
    sf.write(path, new, RATE_HZ, subtype="PCM_16")
    evaluator = Evaluator(Course(course.root).rubric.metrics)
    with course.store() as store, workbench.pool(evaluator, 1) as workers:
        measuring = Measuring(course.reference_paths(), evaluator, store, workers, Progress())
        take = partial(Take.of, path=path, sha256=store.sha256(path), samples=len(new), rate_hz=RATE_HZ)
        found = measuring.scores({"one": [take("001.wav")], "another": [take("003.wav"), take("002.wav")]})
    assert tracked == [len(new)]
    assert found["one"].log2_f0 is not None
    assert found["another"].log2_f0 is not None
    assert found["another"].log2_f0 < found["one"].log2_f0


def test_a_resubmission_computes_only_what_changed(course: Course, computed: list[str]) -> None:
    before = scored(course).students[NOISY].scores
    clips = {n: noisy(n, 0.05) for n in range(1, CLIPS)} | {CLIPS: noisy(CLIPS, 0.002)}
    hand_in(course, NOISY, clips)
    (course.submissions / f"{NOISY.lower()}.zip").rename(course.submissions / f"{NOISY.lower()}-1.zip")
    computed.clear()
    result = scored(course).students[NOISY]
    assert computed == ["measure", "frechet"] or sorted(set(computed)) == ["embed", "frechet", "measure"]
    assert computed.count("measure") == 1
    assert result.attempt is not None
    assert result.attempt.number == 1
    assert before is not None
    assert result.scores is not None
    assert result.scores.clips[:2] == before.clips[:2]
    assert result.scores.clips[2].m_stft < before.clips[2].m_stft  # type: ignore[operator]


def test_only_some_students(course: Course) -> None:
    result = scored(course, only=[NOISY.lower(), BROKEN])
    assert list(result.students) == [NOISY, BROKEN]
    assert list(result.baselines) == ["griffin_lim"]


def test_an_id_nobody_has(course: Course) -> None:
    with pytest.raises(CourseError, match="no hand-in of R12922009") as caught:
        scored(course, only=["r12922009"])
    assert "did you mean R1292200" in caught.value.help


def test_a_course_without_mels_or_references_says_what_is_missing(course: Course) -> None:
    (course.test_mels / "002.npy").unlink()
    with pytest.raises(CourseError, match=r"test_mels: no test mel for 002") as caught:
        scored(course)
    assert "grader mels" in caught.value.help
    shutil.rmtree(course.references)
    shutil.rmtree(course.test_mels)
    with pytest.raises(CourseError, match="no test mel for 001, 002, 003"):
        scored(course)


def test_references_of_another_length_are_noted(course: Course) -> None:
    sf.write(course.references / "002.wav", sung(2)[: 256 * 20], RATE_HZ, subtype="PCM_16")
    result = scored(course, only=[GOOD])
    (finding,) = [found for found in result.findings if found.code == "reference-length"]
    assert finding.where == "references/002.wav"
    assert finding.what_text().startswith("is 20 mel frames long, its test mel 34")
    assert result.students[GOOD].scores is not None


def test_a_clip_that_fails_leaves_its_owner_without_that_metric_and_others_alone(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(course.state)
    original = Evaluator._log2_f0
    lengths = {len(noisy(2, 0.05))}

    def fail(self: Evaluator, prepared: Any, audio: np.ndarray, track: Any) -> Measurement:
        if len(audio) in lengths and np.abs(audio).max() > 0.25:  # the noisy student's second clip
            raise RuntimeError("no pitch today")
        return original(self, prepared, audio, track)

    monkeypatch.setattr(Evaluator, "_log2_f0", fail)
    result = scored(course, only=[GOOD, NOISY])
    spoiled, good = result.students[NOISY].scores, result.students[GOOD].scores
    assert spoiled is not None
    assert good is not None
    assert spoiled.log2_f0 is None
    assert spoiled.left_out == {"log2_f0": {"002.wav": "the metric failed: RuntimeError: no pitch today"}}
    assert spoiled.m_stft is not None
    assert spoiled.fad is not None
    assert good.log2_f0 is not None
    monkeypatch.undo()
    mended = scored(course, only=[NOISY]).students[NOISY].scores
    assert mended is not None
    assert mended.log2_f0 is not None
    assert mended.left_out == {}


def test_a_check_that_breaks_is_the_graders_fault_and_stops_nobody(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(course.state / "handins")
    (course.state / "records.sqlite").unlink()
    original = scoring.checks.check

    def fail(source: Path, *arguments: Any, **named: Any) -> Any:
        if NOISY.lower() in source.name:
            raise RuntimeError("a bug")
        return original(source, *arguments, **named)

    monkeypatch.setattr(scoring.checks, "check", fail)
    result = scored(course, only=[GOOD, NOISY])
    assert result.students[NOISY].whose is Whose.GRADER
    assert "could not be checked: RuntimeError: a bug" in (result.students[NOISY].failure or "")
    assert result.students[GOOD].scores is not None


def test_missing_weights_with_no_fallback_cost_the_fad_only(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADER_CACHE", str(course.root / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(course.root / "torch"))
    monkeypatch.setenv("GRADER_VGGISH_URL", "")
    changed(changed(course, "embedding: logmel", "embedding: vggish"), "fallback: logmel", "fallback: none")
    scores = scored(course, only=[GOOD]).students[GOOD].scores
    assert scores is not None
    assert (scores.fad, scores.fad_stderr, scores.fad_name) == (None, None, "FAD")
    assert scores.left_out["fad"].keys() == {"001.wav", "002.wav", "003.wav"}
    assert "switched off" in scores.left_out["fad"]["001.wav"]
    assert scores.m_stft is not None


def test_a_weight_file_is_named_as_seen_from_the_rubric(course: Course) -> None:
    changed(
        course, "weights_file: null                               # the VGGish", "weights_file: mine.pth # the VGGish"
    )
    changed(course, "embedding: logmel", "embedding: vggish")
    with pytest.raises(EnvironmentProblem) as caught:
        scored(course)
    assert str(caught.value).startswith(f"{course.root / 'mine.pth'}: no such file")


def test_an_unpacked_hand_in_that_is_gone_is_unpacked_again(course: Course, computed: list[str]) -> None:
    scored(course)
    shutil.rmtree(course.state / "handins")
    changed(course, "min_confidence: 0.6", "min_confidence: 0.3")
    assert scored(course, only=[GOOD]).students[GOOD].scores is not None
    assert computed.count("measure") == 2 * CLIPS


def test_a_baseline_that_fails_is_left_out_and_said(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(course.state / "baselines")

    def fail(*_: object) -> None:
        raise RuntimeError("no phase")

    usual = baselines.of(course.rubric.baselines, course.root)["griffin_lim"]
    monkeypatch.setattr(baselines, "of", lambda *_: {"griffin_lim": dataclasses.replace(usual, render=fail)})
    said: list[str] = []
    result = scored(course, shown=Lines(said.append))
    assert result.baselines == {}
    assert result.students[GOOD].scores is not None
    assert any("Griffin-Lim › 001.wav: RuntimeError: no phase" in line for line in said)


def test_a_store_that_is_damaged_is_said_and_rebuilt(first: tuple[Course, CourseScores], course: Course) -> None:
    (course.state / "records.sqlite").write_bytes(b"damaged" * 1000)
    said: list[str] = []
    result = scored(course, shown=Lines(said.append), only=[GOOD])
    assert "records.sqlite: damaged; 0 records in it were whole and are kept" in said[0]
    assert "the old file is records.damaged-" in said[0]
    assert result.students[GOOD].scores == first[1].students[GOOD].scores


def run(course: Course, *arguments: str) -> Any:
    return CliRunner().invoke(cli.main, ["score", "--course", str(course.root), "--jobs", "1", *arguments])


def test_the_command_prints_a_table_and_who_has_no_scores(course: Course) -> None:
    done = run(course)
    assert done.exit_code == 0
    for part in ("Griffin-Lim", "M-STFT", "FD-logmel", GOOD, NOISY, "FD-logmel is not FAD"):
        assert part in done.stdout
    assert f"no scores: {REPORT_ONLY}: handed in no zip of clips" in done.stdout
    assert done.stdout.index(GOOD) < done.stdout.index(NOISY)


def test_the_commands_json_has_the_same_numbers(first: tuple[Course, CourseScores], course: Course) -> None:
    done = run(course, "--json", GOOD.lower(), BROKEN)
    assert done.exit_code == 0
    printed = json.loads(done.stdout)
    scores = first[1].students[GOOD].scores
    assert scores is not None
    assert printed["students"][GOOD]["scores"] == json.loads(json.dumps(scores.as_json()))
    assert printed["students"][BROKEN]["scores"] is None
    assert printed["students"][BROKEN]["whose"] == "student"
    assert list(printed["baselines"]) == ["griffin_lim"]


@pytest.mark.parametrize("arguments", [["nobody"], ["--jobs", "0"], ["--no-such-option"]])
def test_wrong_use_is_status_2(course: Course, arguments: list[str]) -> None:
    assert run(course, *arguments).exit_code == 2


@pytest.fixture
def unscored(tmp_path: Path) -> Course:
    return make_course(tmp_path / "course")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_stopped_in_the_middle_the_next_run_goes_on_and_ends_the_same(
    first: tuple[Course, CourseScores], unscored: Course, number: int
) -> None:
    command = [sys.executable, "-m", "grader", "score", "--course", str(unscored.root), "--jobs", "2"]
    running = interruptible(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 600
    while measured(unscored) < 3:
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    start = time.monotonic()
    os.killpg(running.pid, number) if number == signal.SIGINT else running.kill()
    said = running.communicate(timeout=10)[1].decode()
    assert time.monotonic() - start < 2
    if number == signal.SIGINT:
        assert running.returncode == 130
        assert "what was finished is kept" in said
        assert "Traceback" not in said
    kept = measured(unscored)
    assert kept >= 3
    result = scored(unscored)
    assert numbers(result) == numbers(first[1])


def test_a_worker_killed_in_the_middle_changes_nothing(first: tuple[Course, CourseScores], unscored: Course) -> None:
    command = [sys.executable, "-m", "grader", "score", "--json", "--course", str(unscored.root), "--jobs", "2"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 600
    while measured(unscored) < 1:
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(workers_of(running.pid)[0], signal.SIGKILL)
    printed, said = running.communicate(timeout=600)
    assert running.returncode == 0, said
    students = json.loads(printed)["students"]
    expected = json.loads(
        json.dumps({name: one.scores.as_json() for name, one in first[1].students.items() if one.scores})
    )
    assert {name: one["scores"] for name, one in students.items() if one["scores"]} == expected


def workers_of(parent: int) -> list[int]:
    """The processes that compute for a running command."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            ours = int((path / "stat").read_text().rpartition(")")[2].split()[1]) == parent
            if ours and b"spawn_main" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
    return found


def measured(course: Course) -> int:
    """How many clips' records the store of a running course holds."""
    if not (course.state / "records.sqlite").exists():
        return 0
    with contextlib.closing(course.store()) as store:
        return int(store._db.execute("SELECT count(*) FROM record WHERE stage = 'm_stft'").fetchone()[0])


def test_every_hand_in_is_scored_where_the_best_counts(course: Course, computed: list[str]) -> None:
    entries = {f"{GOOD.lower()}/{n:03d}.wav": wav_bytes(noisy(n, 0.05)) for n in range(1, CLIPS + 1)}
    zipped(entries, course.submissions / f"{GOOD.lower()}-1.zip")
    (course.root / "submissions.csv").write_text(
        f"student_id,submitted_at,file\n{GOOD},2023-11-01 10:00,{GOOD}.zip\n{GOOD},2023-11-01 11:00,{GOOD}-1.zip\n"
    )
    latest = scored(course)
    assert latest.students[GOOD].earlier == ()
    both = scored(changed(course, "several_hand_ins: latest", "several_hand_ins: best"))
    (first,) = both.students[GOOD].earlier
    assert first.scores == both.students[LATE_COPY].scores  # the same bytes under another name
    assert both.students[GOOD].scores == latest.students[GOOD].scores == latest.students[NOISY].scores
    assert computed == []  # both uploads' clips were known from others
    assert {first.owner, GOOD} <= set(both.recordings)
    assert first.content != both.students[GOOD].content

    course = changed(course, "score: griffin_lim * 2", "score: 1000")
    course = changed(course, "score: griffin_lim,", "score: 100,")
    course = changed(course, "score: 1.142", "score: 0.0001")
    board = leaderboard(course.rubric, both, course.sent(), {})
    (row,) = (row for row in board.rows if row.grade.student_id == GOOD)
    assert row.result == first
    assert row.grade.score == first.scores.m_stft  # type: ignore[union-attr]
    assert f"Of 2 hand-ins {GOOD.lower()}.zip counts" in row.grade.late_why
