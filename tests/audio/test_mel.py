"""The course's mel: equal to torchaudio's, and nothing else is taken for one."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from grader.audio.mel import COURSE, filterbank, load_mel, mel_spectrogram
from grader.audio.resample import resample
from grader.errors import CourseError
from tests.shared import SHARED, needs_shared

GOLDEN = {
    "GT/1": "ground_truth/001.flac",
    "GT/2": "ground_truth/002.flac",
    "Alto-1_1": "samples_48k/Alto-1_1.flac",
    "Soprano-1_2": "samples_48k/Soprano-1_2.flac",
    "Tenor-2_2": "samples_48k/Tenor-2_2.flac",
}


@needs_shared
@pytest.mark.parametrize("name", GOLDEN)
def test_equals_torchaudio(name: str) -> None:
    """The 48 kHz lines also go through the resampler."""
    assert SHARED is not None
    audio, rate_hz = sf.read(SHARED / "singing/m4singer" / GOLDEN[name], dtype="float32")
    mel = mel_spectrogram(resample(audio, rate_hz, COURSE.sample_rate_hz))
    with np.load(SHARED / "golden/coursemel.npz") as golden:
        expected = golden[name]
    assert mel.shape == expected.shape
    assert mel.dtype == np.float32
    assert np.abs(mel - expected).max() <= 1e-5 * expected.max()


@given(st.integers(0, 5000))
def test_frames_are_whole_hops(samples: int) -> None:
    assert mel_spectrogram(np.ones(samples, dtype=np.float32)).shape == (80, samples // 256)


def test_is_power() -> None:
    audio = np.random.default_rng(0).uniform(-0.1, 0.1, 4096).astype(np.float32)
    np.testing.assert_allclose(mel_spectrogram(10 * audio), 100 * mel_spectrogram(audio), rtol=1e-4)


def test_hears_a_tone_in_its_band() -> None:
    tone = np.sin(2 * np.pi * 1000 / 22050 * np.arange(22050)).astype(np.float32)
    expected_mel = 2595 * np.log10(1 + 1000 / 700)
    centre = expected_mel / (2595 * np.log10(1 + 8000 / 700)) * 81 - 1
    assert mel_spectrogram(tone)[:, 40].argmax() == round(centre)


def test_filters_are_htk_triangles_of_unit_height() -> None:
    bank = filterbank()
    assert bank.shape == (80, 513)
    assert bank.max() <= 1
    assert bank[:, np.linspace(0, 11025, 513) > 8000].max() == 0
    assert bank[40:].max(axis=1).min() > 0.8, "wide triangles come near their peak at some bin"


def saved(path: Path, mel: np.ndarray) -> Path:
    np.save(path / "001.npy", mel)
    return path / "001.npy"


@pytest.mark.parametrize("shape", [(80, 7), (1, 80, 7)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loads_what_the_course_ships(tmp_path: Path, shape: tuple[int, ...], dtype: type) -> None:
    mel = np.random.default_rng(0).uniform(0, 1e4, shape).astype(dtype)
    loaded = load_mel(saved(tmp_path, mel))
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(loaded, mel.reshape(80, 7).astype(np.float32))


@pytest.mark.parametrize(
    ("mel", "message"),
    [
        (np.ones((81, 7), dtype=np.float32), r"shape \(81, 7\), expected \(80, frames\)"),
        (np.ones((2, 80, 7), dtype=np.float32), r"shape \(2, 80, 7\)"),
        (np.ones(80, dtype=np.float32), r"shape \(80,\)"),
        (np.ones((80, 0), dtype=np.float32), "empty"),
        (np.ones((80, 7), dtype=np.int64), "not floating point"),
        (np.full((80, 7), np.nan, dtype=np.float32), "NaN"),
        (np.full((80, 7), np.inf, dtype=np.float32), "Inf"),
        (np.full((80, 7), -11.513, dtype=np.float32), "negative values, as in a log mel"),
        (np.array(["a"] * 80)[:, None], "not floating point"),
    ],
)
def test_refuses_what_is_no_course_mel(tmp_path: Path, mel: np.ndarray, message: str) -> None:
    with pytest.raises(CourseError, match=message) as refused:
        load_mel(saved(tmp_path, mel))
    assert "001.npy" in str(refused.value)
    assert refused.value.help


def test_says_that_a_mel_is_turned(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match=r"\(7, 80\)") as refused:
        load_mel(saved(tmp_path, np.ones((7, 80), dtype=np.float32)))
    assert "transpose" in refused.value.help


def test_runs_no_pickle_and_reads_no_rubbish(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "ran",)

    np.save(tmp_path / "001.npy", np.array([Payload()], dtype=object), allow_pickle=True)
    for damage in (None, b"", b"rubbish", (tmp_path / "001.npy").read_bytes()[:50]):
        if damage is not None:
            (tmp_path / "001.npy").write_bytes(damage)
        with pytest.raises(CourseError, match=r"001\.npy: not a readable \.npy array"):
            load_mel(tmp_path / "001.npy")
    with pytest.raises(CourseError, match=r"002\.npy"):
        load_mel(tmp_path / "002.npy")
    assert not (tmp_path / "ran").exists()
