"""The tiers, each with the smallest difference that leads to it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from grader import rubric
from grader.rerun.comparison import ClipComparison, Tier, compare, compare_all, worst

SAME = rubric.load().rerun.same
RATE_HZ = 22050
TONE = (0.5 * np.sin(2 * np.pi * 220 * np.arange(RATE_HZ) / RATE_HZ)).astype(np.float32)
STEPS = np.round(TONE * 32767).astype(np.int16)


def written(path: Path, samples: np.ndarray, rate_hz: int = RATE_HZ, subtype: str = "PCM_16") -> Path:
    sf.write(path, samples, rate_hz, subtype=subtype)
    return path


def pair(tmp_path: Path, second: np.ndarray, **settings: object) -> ClipComparison:
    uploaded = written(tmp_path / "a.wav", STEPS)
    return compare("001.wav", uploaded, written(tmp_path / "b.wav", second, **settings), SAME)  # type: ignore[arg-type]


def test_identical_bytes(tmp_path: Path) -> None:
    assert pair(tmp_path, STEPS).tier is Tier.BYTES


def test_the_same_samples_in_another_file_format(tmp_path: Path) -> None:
    assert pair(tmp_path, STEPS / np.float64(32768), subtype="FLOAT").tier is Tier.SAMPLES


def test_one_sample_off_by_one_step(tmp_path: Path) -> None:
    other = STEPS.copy()
    other[1000] += 1
    clip = pair(tmp_path, other)
    assert clip.tier is Tier.LSB
    assert clip.most == 2.0**-15


def test_one_sample_off_by_two_steps_is_only_close(tmp_path: Path) -> None:
    other = STEPS.copy()
    other[1000] += 2
    clip = pair(tmp_path, other)
    assert clip.tier is Tier.CLOSE
    assert clip.snr_db is not None
    assert clip.snr_db > 100


@pytest.mark.parametrize(("snr_db", "tier"), [(60.5, Tier.CLOSE), (59.5, Tier.DIFFERENT)])
def test_close_ends_at_the_rubrics_snr(snr_db: float, tier: Tier, tmp_path: Path) -> None:
    tone = STEPS / 32768
    noise = np.random.default_rng(0).standard_normal(len(tone))
    noise *= np.sqrt(np.sum(tone**2) / np.sum(noise**2)) * 10 ** (-snr_db / 20)
    clip = pair(tmp_path, tone + noise, subtype="DOUBLE")
    assert clip.tier is tier
    assert clip.snr_db == pytest.approx(snr_db, abs=0.01)


def test_another_phase_is_the_same_by_the_metrics_only_within_both_tolerances(tmp_path: Path) -> None:
    uploaded = written(tmp_path / "a.wav", STEPS)
    rerun = written(tmp_path / "b.wav", -STEPS)

    def tier(m_stft: float, log2_f0: float) -> Tier:
        return compare("001.wav", uploaded, rerun, SAME, lambda *_: {"m_stft": m_stft, "log2_f0": log2_f0}).tier

    assert tier(0.02, 0.05) is Tier.METRICS
    assert tier(0.021, 0.0) is Tier.DIFFERENT
    assert tier(0.0, 0.051) is Tier.DIFFERENT
    assert compare("001.wav", uploaded, rerun, SAME, lambda *_: {"m_stft": 0.0}).tier is Tier.DIFFERENT


def test_a_frame_more_of_silence_is_never_within_1_lsb(tmp_path: Path) -> None:
    clip = pair(tmp_path, np.append(STEPS, np.zeros(256, np.int16)))
    assert clip.tier is Tier.CLOSE
    assert "22306 samples" in clip.why


@pytest.mark.parametrize(
    ("settings", "words"), [({"rate_hz": 24000}, "24000 Hz"), ({"subtype": "PCM_24", "rate_hz": 44100}, "44100 Hz")]
)
def test_another_rate_is_different(settings: dict[str, object], words: str, tmp_path: Path) -> None:
    clip = pair(tmp_path, STEPS, **settings)
    assert clip.tier is Tier.DIFFERENT
    assert words in clip.why


def test_nan_stereo_and_no_audio_are_different(tmp_path: Path) -> None:
    broken = (STEPS / 32768).astype(np.float32)
    broken[5] = np.nan
    assert "NaN" in pair(tmp_path, broken, subtype="FLOAT").why
    assert "2 channels" in pair(tmp_path, np.stack([STEPS, STEPS], axis=1)).why
    noise = tmp_path / "c.wav"
    noise.write_bytes(b"no audio at all")
    assert "no audio" in compare("001.wav", tmp_path / "a.wav", noise, SAME).why


def test_all_clips_and_the_worst_of_them(tmp_path: Path) -> None:
    uploaded = {f"{n:03d}.wav": written(tmp_path / f"u{n}.wav", STEPS) for n in (1, 2)}
    clips = compare_all(uploaded, {"001.wav": uploaded["001.wav"]}, SAME)
    assert [clip.tier for clip in clips] == [Tier.BYTES, Tier.MISSING]
    assert worst(clips) is Tier.MISSING
    assert worst(()) is None
    assert [ClipComparison.from_json(clip.as_json()) for clip in clips] == list(clips)
