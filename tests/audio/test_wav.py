"""Clips are read as librosa.load reads them."""

import subprocess
import sys
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile as sf

from grader.audio import wav
from grader.errors import CourseError
from tests.shared import SHARED, needs_shared

pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated and slated for removal:DeprecationWarning:audioread")


def noise(samples: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(samples).uniform(-0.9, 0.9, (samples, channels))


@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050, 24000, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_equals_librosa(tmp_path: Path, rate_hz: int, channels: int) -> None:
    path = tmp_path / "clip.wav"
    sf.write(path, noise(10_007, channels), rate_hz, subtype="PCM_16")
    audio = wav.load(path)
    assert audio.dtype == np.float32
    np.testing.assert_array_equal(audio, librosa.load(path, sr=22050)[0])


@pytest.mark.parametrize("samples", [1, 2, 100])
def test_equals_librosa_when_short(tmp_path: Path, samples: int) -> None:
    path = tmp_path / "clip.wav"
    sf.write(path, noise(samples), 24000, subtype="FLOAT")
    np.testing.assert_array_equal(wav.load(path), librosa.load(path, sr=22050)[0])


def test_other_target_rate(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    sf.write(path, noise(4800), 48000)
    np.testing.assert_array_equal(wav.load(path, 16000), librosa.load(path, sr=16000)[0])


@needs_shared
def test_equals_librosa_on_singing() -> None:
    assert SHARED is not None
    path = SHARED / "singing/m4singer/systems/gansinger/003.flac"
    np.testing.assert_array_equal(wav.load(path), librosa.load(path, sr=22050)[0])


def test_no_sample_gives_none(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    for rate_hz in (22050, 24000):
        sf.write(path, np.zeros(0), rate_hz)
        assert wav.load(path).shape == (0,)


def test_refuses_what_is_no_audio(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    with pytest.raises(CourseError, match=r"clip\.wav: there is no such file"):
        wav.load(path)
    path.write_bytes(b"not audio at all" * 10)
    with pytest.raises(CourseError, match=r"clip\.wav: not readable as audio"):
        wav.load(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_refuses_nan_and_inf(tmp_path: Path, bad: float) -> None:
    path = tmp_path / "clip.wav"
    audio = noise(1000)
    audio[500] = bad
    sf.write(path, audio, 22050, subtype="FLOAT")
    with pytest.raises(CourseError, match="NaN or Inf"):
        wav.load(path)


def test_imports_no_resampler_for_the_course_rate(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    sf.write(path, noise(1000), 22050)
    code = (
        "import sys; from pathlib import Path; from grader.audio import wav; wav.load(Path(sys.argv[1]));"
        "print([name for name in ('librosa', 'soxr', 'scipy', 'torch') if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
