"""log2-F0: the course's numbers, references prepared once, and the two engines."""

import hashlib
import json
import subprocess
import sys
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from grader.audio import wav
from grader.errors import EnvironmentProblem, GraderError
from grader.metrics import crepe, crepe_network
from grader.metrics.pitch import PitchTrack, PitchTracker, PreparedPitch, Thresholds, decode, log2_f0
from tests.metrics.test_crepe import random_weights
from tests.metrics.test_m_stft import SYSTEMS
from tests.metrics.test_viterbi import plain_viterbi
from tests.shared import SHARED, needs_shared

LINES = {"tiny": range(1, 9), "full": (2, 3)}


def sung(seconds: float, start_hz: float = 220) -> np.ndarray:
    time = np.arange(int(22050 * seconds)) / 22050
    phase = 2 * np.pi * np.cumsum(start_hz * 2 ** (np.sin(4 * time) / 3)) / 22050
    return sum(0.2 / n * np.sin(n * phase) for n in range(1, 8)).astype(np.float32)


def clip(system: str, line: int) -> np.ndarray:
    assert SHARED is not None
    return wav.load(SHARED / "singing/m4singer" / SYSTEMS[system] / f"{line:03d}.flac")


@pytest.fixture(scope="module")
def tiny() -> PitchTracker:
    return PitchTracker("tiny")


@needs_shared
@pytest.mark.parametrize(("capacity", "line"), [(capacity, line) for capacity in LINES for line in LINES[capacity]])
def test_equals_the_course(capacity: crepe.Capacity, line: int) -> None:
    """Scores and kept frames of five systems, from a reference prepared once; tracks and activations where known."""
    assert SHARED is not None
    tracker = PitchTracker(capacity)
    scores = json.loads((SHARED / f"golden/course_scores_{capacity}.json").read_text())
    golden = np.load(SHARED / f"golden/crepe_tf_{capacity}.npz")
    reference = tracker.prepare(clip("GT", line))
    for system in SYSTEMS:
        expected = scores[f"{system}/{line}"]
        found = tracker.log2_f0(reference, clip(system, line))
        assert (found.frames, found.total_frames, found.reason) == (expected["frames"], expected["total"], None)
        assert found.semitones == pytest.approx(expected["log2f0"], abs=1e-5)
    if f"GT/{line}/f" in golden:
        np.testing.assert_allclose(reference.track.f0_hz, golden[f"GT/{line}/f"], rtol=1e-6)
        np.testing.assert_allclose(reference.track.confidence, golden[f"GT/{line}/c"], atol=1e-5)
    if f"GT/{line}/act" in golden:
        np.testing.assert_allclose(reference.activations, golden[f"GT/{line}/act"], atol=1e-5)


@needs_shared
def test_track_equals_tensorflow(tiny: PitchTracker) -> None:
    assert SHARED is not None
    golden = np.load(SHARED / "golden/crepe_tf_tiny.npz")
    for line in range(1, 5):
        np.testing.assert_allclose(tiny.track(clip("GAN", line)).f0_hz, golden[f"GAN/{line}/f"], rtol=1e-6)


@pytest.mark.parametrize("more", [1, 100, 441, 1000, 3000, 22050])
@pytest.mark.parametrize("ending", ["sung", "silent", "loud"])
def test_longer_prediction_only_recomputes_the_references_end(tiny: PitchTracker, more: int, ending: str) -> None:
    """To the last bit as if the padded reference were tracked anew."""
    audio = sung(1.7)
    if ending != "sung":
        audio[-1500:] = 0 if ending == "silent" else np.random.default_rng(0).uniform(-1, 1, 1500)
    prepared = tiny.prepare(audio)
    anew = tiny.track(np.pad(audio, (0, more)))
    found = tiny.reference_track(prepared, len(audio) + more)
    np.testing.assert_array_equal(found.f0_hz, anew.f0_hz)
    np.testing.assert_array_equal(found.confidence, anew.confidence)


def test_of_a_longer_pair_only_the_end_is_computed_anew(tiny: PitchTracker, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = tiny.prepare(sung(1.7))
    engine, asked = tiny._engine, []

    def activations(signal: np.ndarray, first_frame: int) -> tuple[int, np.ndarray]:
        asked.append(first_frame)
        return engine.activations(signal, first_frame)

    monkeypatch.setattr(tiny, "_engine", types.SimpleNamespace(activations=activations, decode=engine.decode))
    tiny.reference_track(prepared, len(prepared.audio) + 500)
    assert len(prepared.activations) - 10 < asked[0] < len(prepared.activations)
    tiny.reference_track(prepared, len(prepared.audio))
    assert len(asked) == 1


def test_shorter_prediction_is_padded(tiny: PitchTracker) -> None:
    reference = tiny.prepare(sung(1))
    short = sung(1)[:12000]
    found = tiny.log2_f0(reference, short)
    assert found == tiny.log2_f0(reference, np.pad(short, (0, 22050 - 12000)))
    assert found.semitones is not None
    assert found.semitones > 0.1, "a missing end costs"


def test_prepared_reference_survives_being_stored(tiny: PitchTracker, tmp_path: Path) -> None:
    prepared = tiny.prepare(sung(1))
    np.savez(tmp_path / "reference.npz", **prepared.arrays())
    with np.load(tmp_path / "reference.npz", allow_pickle=False) as arrays:
        restored = PreparedPitch.from_arrays(arrays)
    prediction = sung(1.2, 225)
    assert tiny.log2_f0(restored, prediction) == tiny.log2_f0(prepared, prediction)


def test_identical_clips_are_at_zero_and_a_semitone_is_one(tiny: PitchTracker) -> None:
    reference = tiny.prepare(sung(1))
    assert tiny.log2_f0(reference, sung(1)).semitones == 0
    shifted = tiny.log2_f0(reference, sung(1, 220 * 2 ** (1 / 12)))
    assert shifted.frames > 80
    assert shifted.semitones == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("samples", [0, 1, 2, 100, 22050])
def test_silent_and_short_clips_do_no_harm(tiny: PitchTracker, samples: int) -> None:
    silence = np.zeros(samples, dtype=np.float32)
    track = tiny.track(silence)
    assert np.isfinite(track.f0_hz).all()
    assert len(track.f0_hz) == len(track.confidence) == crepe.frame_count(-(-samples * 320 // 441))
    found = tiny.log2_f0(tiny.prepare(silence), sung(0.5))
    assert (found.semitones, found.frames) == (None, 0)
    assert found.reason == "the reference has no frame that is surely pitched"
    assert tiny.log2_f0(tiny.prepare(sung(0.5)), silence).semitones is not None


def test_thresholds_select_by_the_reference() -> None:
    reference = PitchTrack(np.array([100.0, 40, 100, 3000, 200]), np.array([0.9, 0.9, 0.5, 0.9, 0.7], dtype=np.float32))
    prediction = PitchTrack(np.array([200.0, 40, 1, 1, 200]), np.zeros(5, dtype=np.float32))
    found = log2_f0(reference, prediction)
    assert (found.semitones, found.frames, found.total_frames) == (6, 2, 5)
    assert log2_f0(reference, prediction, Thresholds(min_confidence=0.8)).semitones == 12
    assert log2_f0(reference, prediction, Thresholds(max_hz=150)).frames == 1
    assert log2_f0(reference, prediction, Thresholds(min_hz=10)).frames == 3
    assert log2_f0(reference, prediction, Thresholds(min_confidence=0.95)).reason is not None


def test_prediction_without_a_pitch_has_no_number() -> None:
    reference = PitchTrack(np.array([100.0]), np.array([0.9], dtype=np.float32))
    found = log2_f0(reference, replace(reference, f0_hz=np.array([0.0])))
    assert found.semitones is None
    assert "gives no pitch" in str(found.reason)


def test_decoding_is_the_one_of_crepe() -> None:
    """Against crepe's formulas written one frame at a time, at both ends of the bins too."""
    rng = np.random.default_rng(0)
    activations = rng.uniform(0, 1, (40, 360)).astype(np.float32) ** 4
    for frame, bin_ in enumerate([0, 1, 2, 3, 4, 359, 358, 357, 356, 355] * 4):
        activations[frame, bin_] = 1
    mapping = np.linspace(0, 7180, 360) + 1997.3794084376191
    expected = []
    for salience, center in zip(activations, plain_viterbi(activations.argmax(axis=1).tolist()), strict=True):
        start, end = max(0, center - 4), min(360, center + 5)
        cents = np.sum(salience[start:end] * mapping[start:end]) / np.sum(salience[start:end])
        expected.append(10 * 2 ** (cents / 1200))
    track = decode(activations)
    np.testing.assert_allclose(track.f0_hz, expected, rtol=1e-12)
    np.testing.assert_array_equal(track.confidence, activations.max(axis=1))


def test_activations_that_vanish_give_no_pitch() -> None:
    assert decode(np.zeros((3, 360), dtype=np.float32)).f0_hz.tolist() == [0, 0, 0]


def test_settings_are_json_and_need_no_torch() -> None:
    code = (
        "import sys, json; from grader.metrics.pitch import PitchTracker; settings = PitchTracker('tiny').settings();"
        "assert not {'torch', 'scipy', 'librosa'} & set(sys.modules); print(json.dumps(settings))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(printed) == {
        "version": 3,
        "engine": "builtin",
        "capacity": "tiny",
        "weights_sha256": "d4993eea36ed1a0ad9ac549c740dae5265b049ce72004f00c2f59e01c0be8432",
        "device": "cpu",
        "precision": "float32",
        "min_confidence": 0.6,
        "min_hz": 50.0,
        "max_hz": 2100.0,
    }


def test_given_weights_are_used_and_recorded(tmp_path: Path) -> None:
    torch.save(random_weights("medium"), tmp_path / "medium.pth")
    tracker = PitchTracker("medium", tmp_path / "medium.pth", thresholds=Thresholds(min_confidence=0.5))
    assert tracker.settings()["weights_sha256"] == crepe.weights_sha256("medium", tmp_path / "medium.pth")
    assert tracker.settings()["min_confidence"] == 0.5
    assert len(tracker.track(sung(0.1)).f0_hz) == 11


# The engine `crepe`

FAKE_PACKAGE = '''
"""Stands for the TensorFlow package: the same calls, answered by what the test puts in."""
import numpy as np
from . import core

def get_activation(audio, sr, model_capacity="full", center=True, step_size=10, verbose=1):
    assert sr == 16000 and audio.dtype == np.float32 and center and step_size == 10 and verbose == 0
    return core.network(model_capacity, np.pad(audio, 512))
'''


@pytest.fixture
def _fake_crepe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package `crepe` 0.0.16 whose network is our plain one and whose decoding is ours."""
    for name in ("tensorflow", "hmmlearn"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    package = tmp_path / "crepe"
    package.mkdir()
    (package / "__init__.py").write_text(FAKE_PACKAGE)
    (package / "core.py").write_text("def network(capacity, audio): ...\ndef to_viterbi_cents(salience): ...\n")
    (package / "model-tiny.h5").write_bytes(b"weights")
    info = tmp_path / "crepe-0.0.16.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: crepe\nVersion: 0.0.16\n")
    for name in [name for name in sys.modules if name.split(".")[0] == "crepe"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    import crepe.core

    def network(capacity: crepe_network.Capacity, padded: np.ndarray) -> np.ndarray:
        frames = np.lib.stride_tricks.sliding_window_view(padded, 1024)[::160].copy()
        frames -= frames.mean(axis=1, keepdims=True)
        frames /= np.clip(frames.std(axis=1, keepdims=True), 1e-8, None)
        return crepe_network.load(capacity)(torch.from_numpy(frames)).numpy()

    monkeypatch.setattr(crepe.core, "network", network)
    monkeypatch.setattr(
        crepe.core, "to_viterbi_cents", lambda salience: 1200 * np.log2(decode(salience).f0_hz / 10), raising=False
    )
    yield
    for name in ("crepe", "crepe.core"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("_fake_crepe")
def test_package_engine_is_called_as_the_course_calls_it(tiny: PitchTracker) -> None:
    tracker = PitchTracker("tiny", engine="crepe")
    ours = tiny.settings()
    del ours["device"]  # TensorFlow chooses its own
    assert tracker.settings() == {
        **ours,
        "engine": "crepe",
        "engine_version": "0.0.16",
        "weights_sha256": hashlib.sha256(b"weights").hexdigest(),
    }
    for seconds in (0.5, 0.7):
        prediction = sung(seconds, 230)
        expected = tiny.log2_f0(tiny.prepare(sung(1)), prediction)
        found = tracker.log2_f0(tracker.prepare(sung(1)), prediction)
        assert (found.frames, found.total_frames) == (expected.frames, expected.total_frames)
        assert found.semitones == pytest.approx(expected.semitones, abs=1e-5)


def test_package_engine_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("crepe", "tensorflow"):
        monkeypatch.setitem(sys.modules, name, None)
    tracker = PitchTracker("tiny", engine="crepe")
    for use in (tracker.settings, lambda: tracker.track(sung(0.1))):
        with pytest.raises(EnvironmentProblem, match=r"needs crepe, tensorflow.* not installed") as problem:
            use()
        assert "grader[course]" in problem.value.help


@pytest.mark.usefixtures("_fake_crepe")
def test_package_engine_that_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EnvironmentProblem, match=r"model-small\.h5: the crepe package lacks these weights"):
        PitchTracker("small", engine="crepe").settings()
    (tmp_path / "crepe/__init__.py").write_text("import a_part_that_is_missing")
    monkeypatch.delitem(sys.modules, "crepe")
    with pytest.raises(EnvironmentProblem, match="cannot be loaded: No module named 'a_part_that_is_missing'"):
        PitchTracker("tiny", engine="crepe").track(sung(0.1))


def test_package_engine_takes_no_weight_file(tmp_path: Path) -> None:
    with pytest.raises(GraderError, match="weights_file") as refused:
        PitchTracker("tiny", tmp_path / "weights.pth", engine="crepe")
    assert "null" in refused.value.help


@needs_shared
def test_real_package_equals_ours(tiny: PitchTracker) -> None:
    for name in ("crepe", "tensorflow", "hmmlearn"):
        pytest.importorskip(name, reason="the TensorFlow package crepe is not installed")
    tracker = PitchTracker("tiny", engine="crepe")
    prediction = clip("GAN", 3)
    expected = tiny.log2_f0(tiny.prepare(clip("GT", 3)), prediction)
    found = tracker.log2_f0(tracker.prepare(clip("GT", 3)), prediction)
    assert found.frames == expected.frames
    assert found.semitones == pytest.approx(expected.semitones, abs=1e-3)
