"""``grader baselines``: both reference vocoders on the course's mels, cached by content, and as rungs and anchors."""

import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

pytest.importorskip("torch")

from grader import baselines, cli, rubric
from grader.audio.mel import COURSE, MelConfig, mel_spectrogram
from grader.course import Course
from grader.errors import CourseError, GraderError
from grader.grades.leaderboard import Leaderboard, leaderboard
from grader.scoring import CourseScores, score_baselines
from grader.store import file_sha256
from reference_vocoders import hifigan
from reference_vocoders.hifigan import checkpoint
from reference_vocoders.hifigan.configuration import Configuration, FrontEndConfig
from tests.test_progress import Lines
from tests.test_scoring import CLIPS, RATE_HZ, sung


def make_course(root: Path, changes: Mapping[str, str] | None = None) -> Course:
    """Three short sung clips, their mels, and the packaged rubric with quick metrics."""
    course = Course(root)
    for folder in (course.submissions, course.test_mels, course.references):
        folder.mkdir(parents=True)
    text = rubric.default_path().read_text(encoding="utf-8")
    quick = {
        "count: 30": f"count: {CLIPS}",
        "capacity: full": "capacity: tiny",
        "embedding: vggish": "embedding: logmel",
    }
    for before, after in (quick | dict(changes or {})).items():
        assert before in text
        text = text.replace(before, after)
    course.rubric_path.write_text(text, encoding="utf-8")
    for number in range(1, CLIPS + 1):
        sf.write(course.references / f"{number:03d}.wav", sung(number), RATE_HZ, subtype="PCM_16")
        np.save(course.test_mels / f"{number:03d}.npy", mel_spectrogram(sung(number)))
    return course


def scored(course: Course, **arguments: Any) -> CourseScores:
    with course.store() as store:
        return score_baselines(Course(course.root), store, processes=1, **arguments)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Course, CourseScores]:
    course = make_course(tmp_path_factory.mktemp("course") / "course")
    return course, scored(course)


@pytest.fixture
def course(first: tuple[Course, CourseScores], tmp_path: Path) -> Course:
    return Course(shutil.copytree(first[0].root, tmp_path / "course"))


def wavs(course: Course, name: str) -> dict[str, float]:
    """A baseline's rendered clips, and when each was written."""
    return {path.name: path.stat().st_mtime_ns for path in (course.state / "baselines" / name).iterdir()}


def with_anchors(course: Course, *anchors: str) -> Course:
    """The course with other anchors in its rubric."""
    text = course.rubric_path.read_text(encoding="utf-8")
    begin = text.index("  anchors:")
    end = text.index("\nlate:")
    lines = "".join(f"    - {anchor}\n" for anchor in anchors)
    course.rubric_path.write_text(f"{text[:begin]}  anchors:\n{lines}{text[end:]}", encoding="utf-8")
    return Course(course.root)


def other_weights(path: Path, front_end: FrontEndConfig | None = None) -> Path:
    """The shipped weights, louder, in another file."""
    generator, config = checkpoint.load_generator(hifigan.SHIPPED)
    generator.conv_post.bias.data += 0.001
    config = Configuration(config.name, config.generator, front_end or config.front_end)
    checkpoint.write_safetensors(path, generator, config, {})
    return path


def test_both_are_rendered_to_whole_frames_and_scored(first: tuple[Course, CourseScores]) -> None:
    course, result = first
    assert list(result.baselines) == ["griffin_lim", "hifigan"]
    assert result.students == {}
    for name, scores in result.baselines.items():
        assert [clip.name for clip in scores.clips] == ["001.wav", "002.wav", "003.wav"]
        assert all(scores.of(metric) is not None for metric in ("m_stft", "log2_f0", "fad"))
        lengths = sorted(sf.info(path).frames for path in (course.state / "baselines" / name).iterdir())
        assert lengths == [256 * (30 + 2 * number) for number in range(1, CLIPS + 1)]
    assert result.baselines["hifigan"].log2_f0 < 1.0  # type: ignore[operator]


def test_what_is_there_is_not_rendered_again(course: Course, first: tuple[Course, CourseScores]) -> None:
    before = {name: wavs(course, name) for name in ("griffin_lim", "hifigan")}
    assert scored(course).baselines == first[1].baselines
    assert {name: wavs(course, name) for name in before} == before


def test_other_weights_are_other_audio_and_other_scores(course: Course, tmp_path: Path) -> None:
    before = wavs(course, "hifigan")
    scores = scored(course, weights=other_weights(tmp_path / "mine.safetensors"))
    added = set(wavs(course, "hifigan")) - set(before)
    assert len(added) == CLIPS
    assert scores.baselines["hifigan"] != scored(course).baselines["hifigan"]
    assert set(wavs(course, "hifigan")) == set(before) | added


def test_the_rubric_names_weights_as_seen_from_itself(course: Course) -> None:
    other_weights(course.root / "mine.safetensors")
    text = course.rubric_path.read_text()
    course.rubric_path.write_text(text.replace("hifigan_weights: null", "hifigan_weights: mine.safetensors"))
    found = baselines.of(Course(course.root).rubric.baselines, course.root)
    assert found["hifigan"].weights == course.root / "mine.safetensors"
    key = found["hifigan"].key("mel", COURSE, file_sha256)
    assert key != baselines.of(rubric.load().baselines, course.root)["hifigan"].key("mel", COURSE, file_sha256)


def board(course: Course, result: CourseScores) -> Leaderboard:
    return leaderboard(course.rubric, result, {}, {})


def test_two_rungs_stand_in_the_leaderboard_the_better_first(first: tuple[Course, CourseScores]) -> None:
    course, result = first
    course = with_anchors(Course(course.root), "{score: 9, percent: 0}", "{score: 0.1, percent: 100}")
    rungs = board(course, result).rungs
    assert {(rung.name, rung.label) for rung in rungs} == {("griffin_lim", "Griffin-Lim"), ("hifigan", "HiFi-GAN")}
    assert rungs[0].score < rungs[1].score  # type: ignore[operator]
    assert rungs[0].quality_percent > rungs[1].quality_percent > 0  # type: ignore[operator]


def test_hifigan_is_an_anchor_with_and_without_a_factor(course: Course, first: tuple[Course, CourseScores]) -> None:
    course = with_anchors(course, "{score: hifigan * 1.2, percent: 10}", "{score: hifigan, percent: 80}")
    worst, best = sorted(board(course, first[1]).curve.anchors, key=lambda anchor: anchor.percent)
    score = first[1].baselines["hifigan"].m_stft
    assert score is not None
    assert (best.score, worst.score) == (score, pytest.approx(1.2 * score))
    assert worst.name.startswith("HiFi-GAN × 1.2 (")


def test_an_order_that_inverts_is_refused(course: Course, first: tuple[Course, CourseScores]) -> None:
    better, worse = sorted(first[1].baselines, key=lambda name: first[1].baselines[name].m_stft or math.inf)
    course = with_anchors(course, f"{{score: {better}, percent: 20}}", f"{{score: {worse}, percent: 80}}")
    with pytest.raises(CourseError, match="the anchors contradict each other") as caught:
        board(course, first[1])
    assert "HiFi-GAN" in str(caught.value)
    assert "Griffin-Lim" in str(caught.value)


def test_the_course_may_leave_hifigan_out(tmp_path: Path) -> None:
    course = make_course(tmp_path / "course", {"use: [griffin_lim, hifigan]": "use: [griffin_lim]"})
    assert list(scored(course).baselines) == ["griffin_lim"]
    assert not (course.state / "baselines" / "hifigan").exists()


def test_other_mels_leave_it_out_with_a_note(tmp_path: Path) -> None:
    system = baselines.of(rubric.load().baselines, tmp_path)["hifigan"]
    assert system.unfit(COURSE) is None
    assert "its weights know the handout's mel settings only" in (system.unfit(MelConfig(fmax_hz=11025)) or "")
    course = make_course(tmp_path / "course", {"fmax_hz: 8000": "fmax_hz: 7600"})
    said: list[str] = []
    assert list(scored(course, shown=Lines(said.append)).baselines) == ["griffin_lim"]
    assert any(line.startswith("HiFi-GAN is left out: its weights know") for line in said)


def test_weights_that_are_missing_foreign_or_hear_other_mels_stop_with_an_error(course: Course, tmp_path: Path) -> None:
    with pytest.raises(CourseError, match=r"nowhere\.pt: no such file of HiFi-GAN weights"):
        scored(course, weights=tmp_path / "nowhere.pt")
    (tmp_path / "foreign.pt").write_bytes(b"not weights")
    with pytest.raises(GraderError, match=r"foreign\.pt: not usable as a HiFi-GAN checkpoint"):
        scored(course, weights=tmp_path / "foreign.pt")
    official = other_weights(tmp_path / "official.safetensors", FrontEndConfig(kind="official"))
    with pytest.raises(GraderError, match="made for HiFi-GAN's own mels") as caught:
        scored(course, weights=official)
    assert "train --from" in caught.value.help


def test_the_command_prints_a_table_and_json(course: Course) -> None:
    def run(*arguments: str) -> Any:
        return CliRunner().invoke(cli.main, ["baselines", "--course", str(course.root), "--jobs", "1", *arguments])

    done = run()
    assert done.exit_code == 0
    for part in ("Griffin-Lim", "HiFi-GAN", "M-STFT", "log2-F0", "FD-logmel"):
        assert part in done.stdout
    printed = json.loads(run("--json").stdout)
    assert printed["baselines"]["hifigan"]["m_stft"] > 0
    assert printed["students"] == {}
    failed = run("--weights", str(course.root / "nowhere.pt"))
    assert (failed.exit_code, failed.stdout) == (2, "")
