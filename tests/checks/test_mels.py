"""Contents against mels: sure of a swap, and never of one that did not happen."""

import dataclasses
from functools import cache

import numpy as np
import pytest
import soundfile as sf

from grader.audio import Audio
from grader.audio.mel import COURSE, mel_spectrogram
from grader.audio.resample import resample
from grader.checks.mels import _SURE_CORRELATION, _SURE_MARGIN, similarity, sparse_frames, sparse_mel
from tests.real_course import recordings
from tests.shared import SHARED, needs_shared


def test_sparse_frames_are_the_courses_frames() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 30_000).astype(np.float32)
    sparse, all_frames = sparse_mel(noise, COURSE), sparse_frames(mel_spectrogram(noise), COURSE)
    frames = min(sparse.shape[1], all_frames.shape[1])
    assert frames > 25
    # BLAS may sum another number of frames in another order: a few float32 steps, depending on the processor
    np.testing.assert_allclose(sparse[:, :frames], all_frames[:, :frames], rtol=1e-6)


def test_other_hops_take_every_frame() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 30_000).astype(np.float32)
    config = dataclasses.replace(COURSE, hop_length=300)
    np.testing.assert_array_equal(sparse_mel(noise, config), mel_spectrogram(noise, config))


def test_similarity_does_not_depend_on_level() -> None:
    mel = np.random.default_rng(0).gamma(1, 1, (80, 50)).astype(np.float32)
    assert similarity(mel, 1000 * mel) == pytest.approx(1, abs=1e-6)
    assert similarity(mel, mel[:, :0]) == 0


@cache
def _load(name: str) -> Audio:
    assert SHARED
    audio, rate = sf.read(SHARED / "singing" / name, dtype="float32", always_2d=True)
    return resample(audio.mean(axis=1), rate, COURSE.sample_rate_hz)


@needs_shared
@pytest.mark.parametrize("system", ["vocoded", "diffsinger", "gansinger", "fftsinger", "in noise"])
def test_no_false_alarm_and_every_vocoders_swap_on_real_singing(system: str) -> None:
    assert SHARED
    truth = [_load(str(path.relative_to(SHARED / "singing"))) for path in recordings(SHARED)]
    mels = [sparse_frames(mel_spectrogram(audio), COURSE) for audio in truth]
    rng = np.random.default_rng(0)
    clips = (
        [audio + rng.normal(0, 0.3 * audio.std(), len(audio)).astype(np.float32) for audio in truth]
        if system == "in noise"
        else [_load(f"m4singer/systems/{system}/{number:03d}.flac") for number in range(1, 17)]
    )
    caught = 0
    for number, audio in enumerate(clips):
        heard = sparse_mel(audio, COURSE)
        alike = np.array([similarity(heard, mel) for mel in mels])
        own, other = alike[number], np.delete(alike, number).max()
        assert other < _SURE_CORRELATION
        assert own > other
        swapped_for = (number + 1) % len(mels)
        caught += own > _SURE_CORRELATION and own - alike[swapped_for] > _SURE_MARGIN
    if system == "vocoded":
        assert caught == len(clips)
