"""Encoded audio decoded again: in step to the sample, without tags; levels and outlines of known signals."""

import base64
import io

import numpy as np
import pytest
import soundfile as sf

from grader.rubric import SiteAudio
from grader.site.media import sound
from tests.making import tone

RATE_HZ = 22050


def bursts(seconds: float = 1.2) -> np.ndarray:
    """Noise that comes and goes, so that a shift shows at one place only."""
    rng = np.random.default_rng(3)
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    noise = np.convolve(rng.normal(0, 1, len(t)), np.hanning(24) / 12, "same")
    return (0.2 * noise * (np.sin(2 * np.pi * 3.3 * t) > 0)).astype(np.float32)


def lag_samples(decoded: np.ndarray, original: np.ndarray) -> int:
    size = 2 * max(len(decoded), len(original))
    likeness = np.fft.irfft(np.fft.rfft(decoded, size) * np.conj(np.fft.rfft(original, size)))
    peak = int(np.argmax(likeness))
    return peak if peak < size // 2 else peak - size


@pytest.mark.parametrize(("form", "kbps"), [("mp3", 36), ("mp3", 64), ("mp3", 160), ("opus", 24), ("opus", 48)])
def test_what_is_decoded_is_in_step_with_the_recording(form: str, kbps: float) -> None:
    audio = bursts()
    encoded = sound.encode(audio, RATE_HZ, SiteAudio.model_validate({"format": form, "kbps": kbps}))
    decoded, rate_hz = sf.read(io.BytesIO(encoded.content), dtype="float32")
    assert encoded.suffix == form
    seconds = len(audio) / RATE_HZ
    assert len(decoded) / rate_hz == pytest.approx(seconds, abs=0.001)
    at_its_rate = np.interp(np.arange(len(decoded)) / rate_hz, np.arange(len(audio)) / RATE_HZ, audio)
    assert abs(lag_samples(decoded, at_its_rate)) / rate_hz < 0.001
    assert len(encoded.content) * 8 / seconds < 1.4 * 1000 * kbps


def test_the_same_audio_gives_the_same_bytes_and_they_carry_no_tags() -> None:
    how = SiteAudio(format="mp3", kbps=36)
    first, again = (sound.encode(bursts(0.5), RATE_HZ, how).content for _ in range(2))
    assert first == again
    assert first[:3] != b"ID3"
    assert b"TAG" not in first[-128:]


def test_what_is_too_loud_is_clipped_not_wrapped() -> None:
    loud = 3 * tone(0.5)
    encoded = sound.encode(loud, RATE_HZ, SiteAudio(format="mp3", kbps=64))
    decoded, _ = sf.read(io.BytesIO(encoded.content), dtype="float32")
    assert np.corrcoef(decoded[2000:8000], np.clip(loud, -1, 1)[2000:8000])[0, 1] > 0.98


def test_loudness_of_the_standard_tone() -> None:
    """BS.1770: a 997 Hz sine at full scale in one channel is −3.01 LUFS."""
    sine = np.sin(2 * np.pi * 997 * np.arange(3 * 48000) / 48000).astype(np.float32)
    loud = sound.loudness(sine, 48000)
    assert loud.lufs == pytest.approx(-3.01, abs=0.05)
    assert loud.rms_db == pytest.approx(-3.01, abs=0.02)


def test_loudness_of_short_and_silent_clips() -> None:
    short = sound.loudness(tone(0.3), RATE_HZ)
    assert short.lufs is None
    assert short.rms_db == pytest.approx(20 * np.log10(0.3 / np.sqrt(2)), abs=0.05)
    assert sound.loudness(np.zeros(RATE_HZ, np.float32), RATE_HZ) == sound.Loudness(None, None)
    assert sound.loudness(np.zeros(0, np.float32), RATE_HZ) == sound.Loudness(None, None)


def test_peaks_show_where_the_sound_is() -> None:
    audio = np.zeros(8000, np.float32)
    audio[4000:6000] = 0.5
    audio[5000] = -0.25
    outline, peak = sound.peaks(audio, 16000)
    pairs = np.frombuffer(base64.b64decode(outline), np.int8).reshape(sound.PEAK_COLUMNS, 2)
    assert peak == 0.5
    assert pairs[:, 1].tolist() == [0] * 200 + [127] * 100 + [0] * 500
    assert np.flatnonzero(pairs[:, 0] < 0).tolist() == [250]
    assert pairs[250, 0] == round(-0.25 / 0.5 * 127)


def test_peaks_of_nearly_nothing() -> None:
    assert sound.peaks(np.zeros(0, np.float32), 256)[1] == 0
    assert len(base64.b64decode(sound.peaks(tone(0.01), 100)[0])) == 2 * sound.PEAK_COLUMNS
