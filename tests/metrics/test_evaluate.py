"""All metrics of a clip from its files: numbers of the course, reasons where there are none, nothing drawn along."""

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from grader import rubric
from grader.errors import CourseError, EnvironmentProblem
from grader.metrics import evaluate, logmel
from grader.metrics.embedding import Source
from grader.metrics.evaluate import Evaluator, Measurement
from grader.metrics.frechet import FrechetScore
from grader.metrics.scores import Scores
from tests.shared import SHARED, needs_shared

RATE_HZ = 22050


def metrics(**changes: object) -> rubric.Metrics:
    packaged = rubric.load().metrics
    f0 = packaged.log2_f0.model_copy(update={"capacity": "tiny", **changes})
    return packaged.model_copy(update={"log2_f0": f0})


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    return Evaluator(metrics(), Source("logmel"))


def sung(seconds: float = 0.6, hz: float = 220.0, rate_hz: int = RATE_HZ) -> np.ndarray:
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    return (0.1 * sum(np.sin(2 * np.pi * hz * k * t) / k for k in range(1, 6))).astype(np.float32)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, audio: np.ndarray, rate_hz: int = RATE_HZ, subtype: str = "PCM_16") -> Path:
        sf.write(tmp_path / name, audio, rate_hz, subtype=subtype)
        return tmp_path / name

    return write


@needs_shared
def test_the_courses_numbers_from_files(evaluator: Evaluator) -> None:
    golden = json.loads((SHARED / "golden/course_scores_tiny.json").read_text())["GAN/1"]
    folder = SHARED / "singing/m4singer"
    prepared = evaluator.prepare(folder / "ground_truth/001.flac")
    score, arrays = evaluator.score_clip("001.wav", prepared, folder / "systems/gansinger/001.flac")
    assert score.m_stft == pytest.approx(golden["mstft"], abs=1e-4)
    assert score.log2_f0 == pytest.approx(golden["log2f0"], abs=1e-3)
    assert (score.f0_frames, score.f0_total) == (golden["frames"], golden["total"])
    assert score.missing == {}
    assert arrays["embedding"].shape == (5, 128)


def test_a_clip_against_itself(evaluator: Evaluator, write: Callable[..., Path]) -> None:
    path = write("001.wav", sung())
    score, arrays = evaluator.score_clip("001.wav", evaluator.prepare(path), path)
    assert (score.m_stft, score.log2_f0) == (0, 0)
    assert score.f0_frames > 40
    np.testing.assert_array_equal(arrays["embedding"], evaluator.embed(path).embedding)


def test_a_silent_reference_has_no_m_stft_and_no_pitch_but_counts_for_fad(
    evaluator: Evaluator, write: Callable[..., Path]
) -> None:
    prepared = evaluator.prepare(write("silent.wav", np.zeros(20000)))
    measured = evaluator.measure(prepared, write("001.wav", sung()))
    assert {metric: one.missing for metric, one in measured.items()} == {
        "m_stft": "the reference is silent",
        "log2_f0": "the reference has no frame that is surely pitched",
        "fad": None,
    }
    assert measured["m_stft"].by_reference
    assert measured["log2_f0"].by_reference
    assert all(one.lasting for one in measured.values())


def test_a_silent_prediction_has_numbers(evaluator: Evaluator, write: Callable[..., Path]) -> None:
    score, _ = evaluator.score_clip("", evaluator.prepare(write("r.wav", sung())), write("p.wav", np.zeros(13230)))
    assert score.missing == {}
    assert score.m_stft is not None
    assert score.m_stft > 2


def test_one_metric_that_fails_leaves_the_others_alone(
    evaluator: Evaluator, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("001.wav", sung())
    prepared = evaluator.prepare(path)

    def fail(*_: object) -> float:
        raise RuntimeError("no\nmore")

    monkeypatch.setattr(evaluate.m_stft, "m_stft", fail)
    measured = evaluator.measure(prepared, path)
    assert measured["m_stft"] == Measurement.failed("the metric failed: RuntimeError: no more")
    assert not measured["m_stft"].lasting
    assert measured["log2_f0"].value == 0
    assert measured["fad"].embedding is not None


def test_a_tracker_that_fails_on_the_reference_costs_only_the_pitch(
    evaluator: Evaluator, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("001.wav", sung())

    def fail(*_: object) -> None:
        raise IndexError("out")

    monkeypatch.setattr(evaluator._pitch, "prepare", fail)
    measured = evaluator.measure(evaluator.prepare(path), path)
    assert measured["log2_f0"].missing == "the pitch tracker failed on the reference: IndexError: out"
    assert not measured["log2_f0"].lasting
    assert measured["m_stft"].value == 0


def test_what_is_no_finite_number_is_missing(
    evaluator: Evaluator, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("001.wav", sung())
    monkeypatch.setattr(evaluate.m_stft, "m_stft", lambda *_: float("nan"))
    measured = evaluator.measure(evaluator.prepare(path), path)
    assert measured["m_stft"].missing == "the metric gives no finite number"
    assert not measured["m_stft"].by_reference


def test_samples_beyond_reason_give_no_number_that_could_rank(evaluator: Evaluator, write: Callable[..., Path]) -> None:
    prepared = evaluator.prepare(write("r.wav", sung()))
    measured = evaluator.measure(prepared, write("p.wav", 1e38 * sung(), subtype="FLOAT"), ["m_stft"])
    assert measured["m_stft"] == Measurement(missing="the metric gives no finite number")


def test_surroundings_that_fail_are_not_a_clips_fault(tmp_path: Path, write: Callable[..., Path]) -> None:
    (tmp_path / "vggish.pth").write_bytes(b"no weights")
    broken = Evaluator(metrics(), Source("vggish", tmp_path / "vggish.pth"))
    path = write("001.wav", sung())
    with pytest.raises(EnvironmentProblem, match=r"vggish\.pth"):
        broken.measure(broken.prepare(path, ()), path, ["fad"])


def test_a_reference_that_is_no_audio(evaluator: Evaluator, tmp_path: Path) -> None:
    (tmp_path / "r.wav").write_bytes(b"RIFF")
    with pytest.raises(CourseError, match=r"r\.wav"):
        evaluator.prepare(tmp_path / "r.wav")


def test_the_embedding_is_of_the_first_channel_at_the_files_own_rate(
    evaluator: Evaluator, write: Callable[..., Path]
) -> None:
    left, right = sung(2.5, 220, 48000), sung(2.5, 500, 48000)
    path = write("stereo.wav", np.stack([left, right], axis=1), 48000, "FLOAT")
    np.testing.assert_array_equal(evaluator.embed(path).embedding, logmel.embed(left, 48000))


def test_only_what_is_wanted_is_computed(evaluator: Evaluator, write: Callable[..., Path]) -> None:
    path = write("001.wav", sung())
    prepared = evaluator.prepare(path, ["m_stft"])
    assert prepared.pitch is None
    assert list(evaluator.measure(prepared, path, ["m_stft"])) == ["m_stft"]


def test_without_an_embedding_every_clip_says_why(write: Callable[..., Path]) -> None:
    none = Evaluator(metrics(), Source("none", reason="no network"))
    measured = none.measure(none.prepare(write("r.wav", sung()), ()), write("p.wav", sung()), ["fad"])
    assert measured["fad"] == Measurement.failed("no network")


def test_settings_and_their_changes() -> None:
    def settings(**changes: object) -> dict[str, object]:
        return dict(Evaluator(metrics(**changes), Source("logmel")).settings())

    assert settings() == json.loads(json.dumps(settings()))
    assert settings()["log2_f0"] != settings(capacity="full")["log2_f0"]
    assert settings()["log2_f0"] != settings(min_confidence=0.5)["log2_f0"]
    assert settings()["m_stft"] == settings(capacity="full")["m_stft"]


def test_settings_and_pickling_load_no_torch() -> None:
    script = (
        "import sys, pickle; from grader import rubric; from grader.metrics.evaluate import Evaluator\n"
        "from grader.metrics.embedding import Source\n"
        "e = Evaluator(rubric.load().metrics, Source('logmel')); e.settings(); pickle.dumps(e)\n"
        "print(sorted({'torch', 'librosa', 'auraloss'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "[]\n"


def test_an_evaluator_travels_to_workers(evaluator: Evaluator) -> None:
    fresh = Evaluator(metrics(), Source("logmel"))
    assert pickle.loads(pickle.dumps(fresh)).settings() == evaluator.settings()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise evaluate.PackageNotFoundError(name)

    monkeypatch.setattr(evaluate, "version", version)
    with pytest.raises(EnvironmentProblem, match="the package auraloss is not installed"):
        Evaluator(metrics(), Source("logmel")).settings()


def measured(m_stft: Measurement, log2_f0: Measurement, fad: Measurement | None = None) -> dict[str, Measurement]:
    return {"m_stft": m_stft, "log2_f0": log2_f0, "fad": fad or Measurement()}


def test_a_summary_means_over_clips_and_leaves_out_what_the_reference_lacks(evaluator: Evaluator) -> None:
    silent = Measurement(missing="the reference is silent", by_reference=True)
    clips = {
        "001.wav": measured(Measurement(1.0), Measurement(0.25, frames=10, total_frames=20)),
        "002.wav": measured(silent, Measurement(0.75, frames=5, total_frames=20)),
        "003.wav": measured(Measurement(2.0), Measurement(0.5, frames=5, total_frames=20)),
    }
    scores = evaluator.summarise(clips, FrechetScore(3.5, 0.5, 18, 19))
    assert (scores.m_stft, scores.log2_f0, scores.fad) == (1.5, 0.5, 3.5)
    assert (scores.fad_name, scores.fad_stderr, scores.patches, scores.reference_patches) == ("FD-logmel", 0.5, 18, 19)
    assert scores.left_out == {"m_stft": {"002.wav": "the reference is silent"}}
    assert scores.clips[1].missing == {"m_stft": "the reference is silent"}
    assert scores.clips[2].f0_frames == 5
    assert Scores.from_json(json.loads(json.dumps(scores.as_json()))) == scores


def test_nobody_gains_by_a_clip_that_cannot_be_measured(evaluator: Evaluator) -> None:
    failed = Measurement.failed("the metric failed: RuntimeError: no more")
    clips = {"001.wav": measured(Measurement(1.0), Measurement(0.2)), "002.wav": measured(failed, Measurement(0.4))}
    scores = evaluator.summarise(clips, "fewer than two patches")
    assert (scores.m_stft, scores.log2_f0) == (None, pytest.approx(0.3))
    assert scores.left_out["m_stft"] == {"002.wav": "the metric failed: RuntimeError: no more"}
    assert scores.fad is None
    assert scores.left_out["fad"] == dict.fromkeys(clips, "fewer than two patches")


def test_the_reason_for_the_fallback_stands_in_the_settings() -> None:
    fallback = Evaluator(metrics(), Source("logmel", reason="no network"))
    scores = fallback.summarise({"001.wav": measured(Measurement(1.0), Measurement(0.2))}, "none")
    assert scores.settings["fad"]["instead_of_vggish"] == "no network"
    assert "instead_of_vggish" not in fallback.settings()["fad"]
