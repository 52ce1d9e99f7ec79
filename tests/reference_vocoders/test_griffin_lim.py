"""Griffin-Lim: exact length, alignment, the same audio each time, and what its inversion is worth."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from grader.audio import Audio
from grader.audio.mel import COURSE, MelConfig, filterbank, mel_spectrogram, power_spectrogram
from grader.audio.resample import resample
from grader.demo.singing import RATE_HZ, SINGERS, sing
from grader.metrics.m_stft import m_stft
from reference_vocoders.griffin_lim import (
    audio_from_magnitude,
    griffin_lim,
    istft,
    main,
    power_from_mel,
    stft,
    write_wav,
)
from tests.shared import SHARED, needs_shared


@pytest.fixture(scope="module")
def singing() -> Audio:
    return resample(sing(SINGERS[0], 1.6, seed=4), RATE_HZ, COURSE.sample_rate_hz)


def pseudo_inverse(mel: np.ndarray) -> np.ndarray:
    """What is commonly done: least squares, negative values cut off."""
    return np.maximum(0, np.linalg.pinv(filterbank().astype(np.float64)) @ mel).astype(np.float32)


def mel_error(power: np.ndarray, mel: np.ndarray) -> float:
    return float(np.linalg.norm(filterbank() @ power - mel) / np.linalg.norm(mel))


@pytest.mark.parametrize("frames", [1, 2, 3, 5, 40])
def test_length_is_256_samples_a_frame(frames: int) -> None:
    mel = np.abs(np.random.default_rng(frames).normal(size=(80, frames))).astype(np.float32)
    audio = griffin_lim(mel, iterations=2)
    assert audio.shape == (256 * frames,)
    assert audio.dtype == np.float32
    assert np.isfinite(audio).all()


def test_length_follows_the_configuration() -> None:
    config = MelConfig(bands=40, n_fft=512, win_length=512, hop_length=100)
    mel = mel_spectrogram(np.random.default_rng(0).normal(0, 0.1, 3000).astype(np.float32), config)
    assert griffin_lim(mel, config, iterations=2).shape == (100 * mel.shape[1],)


def test_silence_stays_silent() -> None:
    assert not griffin_lim(np.zeros((80, 12), dtype=np.float32)).any()


def test_same_seed_same_audio(singing: Audio) -> None:
    mel = mel_spectrogram(singing)
    first = griffin_lim(mel, iterations=3, seed=7)
    assert np.array_equal(first, griffin_lim(mel.copy(), iterations=3, seed=7))
    assert not np.allclose(first, griffin_lim(mel, iterations=3, seed=8), atol=1e-2)


def test_inversion_gives_a_power_spectrogram_of_that_mel(singing: Audio) -> None:
    mel = mel_spectrogram(singing)
    power = power_from_mel(mel)
    assert power.shape == (513, mel.shape[1])
    assert power.min() >= 0
    assert not power[filterbank().any(axis=0) == 0].any()
    assert mel_error(power, mel) < 0.005
    assert mel_error(power, mel) < 0.1 * mel_error(pseudo_inverse(mel), mel)


def test_inversion_beats_the_pseudo_inverse(singing: Audio) -> None:
    def distance(power: np.ndarray) -> float:
        return m_stft(audio_from_magnitude(np.sqrt(power), COURSE, iterations=16), singing)

    mel = mel_spectrogram(singing)
    assert distance(power_from_mel(mel)) < distance(pseudo_inverse(mel)) - 0.1


@pytest.mark.parametrize("momentum", [0.0, 0.99])
def test_more_iterations_come_nearer_to_the_magnitude(singing: Audio, momentum: float) -> None:
    target = np.sqrt(power_spectrogram(singing))

    def distance(iterations: int) -> float:
        audio = audio_from_magnitude(target, COURSE, iterations=iterations, momentum=momentum)
        return float(np.linalg.norm(np.sqrt(power_spectrogram(audio)) - target) / np.linalg.norm(target))

    distances = [distance(iterations) for iterations in (0, 4, 16, 64)]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < (0.06 if momentum else 0.2) < distances[0]


def test_analysis_and_synthesis_are_in_the_courses_framing(singing: Audio) -> None:
    audio = singing[: 256 * 50]
    spectra = stft(audio, COURSE)
    assert np.allclose(np.abs(spectra.T) ** 2, power_spectrogram(audio), rtol=1e-3, atol=1e-6)
    assert np.allclose(istft(spectra, COURSE), audio, atol=1e-5)


def test_shifted_either_way_it_is_worse(singing: Audio) -> None:
    audio = audio_from_magnitude(np.sqrt(power_spectrogram(singing)), COURSE, iterations=60)
    here = m_stft(audio, singing)
    for shift in (16, 64, 128):
        assert m_stft(np.roll(audio, shift), singing) > here
        assert m_stft(np.roll(audio, -shift), singing) > here


@pytest.mark.parametrize("at", [700, 2000, 2049, 5000])
def test_a_click_stays_where_it_is(at: int) -> None:
    click = np.zeros(256 * 24, dtype=np.float32)
    click[at] = 1
    audio = griffin_lim(mel_spectrogram(click))
    centre = np.average(np.arange(len(audio)), weights=audio.astype(np.float64) ** 2)
    assert abs(centre - at) < 24


@pytest.mark.parametrize(
    ("mel", "said"),
    [
        (np.ones((20, 80), np.float32), "shape \\(20, 80\\), expected \\(80, frames\\)"),
        (np.ones((80, 0), np.float32), "shape \\(80, 0\\)"),
        (np.ones(80, np.float32), "shape \\(80,\\)"),
        (np.full((80, 3), -11.5, np.float32), "negative"),
        (np.full((80, 3), np.nan, np.float32), "NaN"),
        (np.full((80, 3), np.inf, np.float32), "Inf"),
    ],
)
def test_refuses_what_is_no_course_mel(mel: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        griffin_lim(mel)


@needs_shared
def test_on_real_singing_better_than_the_pseudo_inverse_and_aligned() -> None:
    assert SHARED is not None
    ours, theirs, early, late = [], [], [], []
    for number in (1, 3):
        recording, _ = sf.read(SHARED / f"singing/m4singer/ground_truth/{number:03d}.flac", dtype="float32")
        mel = mel_spectrogram(recording)
        audio = griffin_lim(mel, iterations=32)
        assert len(audio) == 256 * mel.shape[1]
        ours.append(m_stft(audio, recording))
        early.append(m_stft(np.roll(audio, -16), recording))
        late.append(m_stft(np.roll(audio, 16), recording))
        theirs.append(m_stft(audio_from_magnitude(np.sqrt(pseudo_inverse(mel)), COURSE, iterations=32), recording))
    assert np.mean(ours) < np.mean(theirs) - 0.25
    assert np.mean(ours) < min(np.mean(early), np.mean(late))


def test_written_within_full_scale(tmp_path: Path) -> None:
    limited = write_wav(tmp_path / "a.wav", np.array([0.5, 1.0, 1.5, -3.0, -1.0], dtype=np.float32))
    assert limited == 2
    samples, rate = sf.read(tmp_path / "a.wav", dtype="int16")
    assert rate == 22050
    assert samples.tolist() == [16384, 32767, 32767, -32768, -32768]
    assert sf.info(tmp_path / "a.wav").subtype == "PCM_16"


def run_it(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_a_folder_of_mels_becomes_a_folder_of_wavs(tmp_path: Path, singing: Audio) -> None:
    mels, out = tmp_path / "mels", tmp_path / "made" / "wavs"
    mels.mkdir()
    mel = mel_spectrogram(singing)
    np.save(mels / "001.npy", mel[:, :30])
    np.save(mels / "002.npy", mel[None, :, :20])
    np.save(mels / "003.npy", 1e4 * mel[:, 30:60])
    code, said, logged = run_it("--mels", mels, "--out", out, "--iterations", 2, "--seed", 3)
    assert (code, said) == (0, f"3 clips in {out}\n")
    assert "003.wav: " in logged
    assert "beyond ±1" in logged
    assert "001.wav" not in logged
    assert {path.name: sf.info(path).frames for path in out.iterdir()} == {
        "001.wav": 7680,
        "002.wav": 5120,
        "003.wav": 7680,
    }
    samples, _ = sf.read(out / "002.wav", dtype="float32")
    assert np.abs(samples - griffin_lim(mel[:, :20], iterations=2, seed=3)).max() < 1e-4


@pytest.mark.parametrize(
    ("mel", "said"),
    [
        (np.ones((20, 80), np.float32), "shape (20, 80)"),
        (np.full((80, 20), -5, np.float32), "log mel"),
        (np.ones((80, 0), np.float32), "empty"),
    ],
)
def test_one_bad_mel_stops_before_anything_is_written(tmp_path: Path, mel: np.ndarray, said: str) -> None:
    np.save(tmp_path / "001.npy", np.ones((80, 4), np.float32))
    np.save(tmp_path / "002.npy", mel)
    code, _, logged = run_it("--mels", tmp_path, "--out", tmp_path / "out")
    assert code == 2
    assert "002.npy" in logged
    assert said in logged
    assert "help: " in logged
    assert not (tmp_path / "out").exists()


def test_a_folder_without_mels(tmp_path: Path) -> None:
    code, _, logged = run_it("--mels", tmp_path, "--out", tmp_path / "out")
    assert code == 2
    assert "no .npy files" in logged


def test_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "reference_vocoders.griffin_lim", "--help"]
    assert "--iterations" in subprocess.run(command, check=True, capture_output=True, text=True).stdout
