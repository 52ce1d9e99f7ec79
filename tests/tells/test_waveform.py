"""The recording's own waveform in a clip, on made voices and on real singing."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from grader.audio import wav
from grader.audio.mel import mel_spectrogram
from grader.progress import Progress
from grader.scoring import CourseScores
from grader.store import Store
from grader.tells import waveform
from grader.tells.records import Kind
from reference_vocoders.griffin_lim import griffin_lim
from tests.shared import SHARED, needs_shared
from tests.tells.making import RATE_HZ, a_class, voice

NAMES = ["001.wav", "002.wav", "003.wav"]


def mp3(audio: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    sf.write(buffer, audio, RATE_HZ, format="MP3")
    buffer.seek(0)
    decoded, _ = sf.read(buffer, dtype="float32")
    return np.asarray(decoded[: len(audio)], dtype=np.float32)


def noisy(audio: np.ndarray, below_db: float = 20) -> np.ndarray:
    noise = np.random.default_rng(0).normal(size=len(audio)).astype(np.float32)
    return audio + noise * np.float32(10 ** (-below_db / 20) * np.linalg.norm(audio) / np.linalg.norm(noise))


def told(found: CourseScores, store: Path) -> dict[str, list[str]]:
    with Store(store) as opened:
        tells = waveform.tells(found, RATE_HZ, 5.0, opened, 1, Progress())
    assert all(tell.kind is Kind.WAVEFORM for tell in tells)
    return {tell.students[0]: [piece.what for piece in tell.evidence] for tell in tells}


def test_a_leak_is_told_and_a_vocoder_is_not(tmp_path: Path) -> None:
    references = {name: voice(number) for number, name in enumerate(NAMES)}
    vocoded = {name: voice(100 + number) for number, name in enumerate(NAMES)}
    students = {
        "R1": vocoded,
        "R2": {name: mp3(audio) for name, audio in references.items()},
        "R3": {**vocoded, "002.wav": noisy(references["002.wav"])},
        "R4": {name: -0.3 * np.roll(audio, 500) for name, audio in references.items()},
    }
    found = a_class(tmp_path, students, references, {"griffin_lim": {n: voice(200 + i) for i, n in enumerate(NAMES)}})
    assert told(found, tmp_path / "store") == {"R2": NAMES, "R4": NAMES, "R3": ["002.wav"]}


def test_what_a_baseline_reaches_too_is_not_told(tmp_path: Path) -> None:
    """A long even tone agrees with itself however it was made."""
    time = np.arange(RATE_HZ) / RATE_HZ
    tone = (0.3 * np.sin(2 * np.pi * 220 * time)).astype(np.float32)
    clips = {"001.wav": noisy((0.3 * np.sin(2 * np.pi * 220 * time + 1)).astype(np.float32), 15)}
    griffin_lim = {"001.wav": noisy((0.3 * np.sin(2 * np.pi * 220 * time + 2)).astype(np.float32), 10)}
    alone = a_class(tmp_path / "a", {"R1": clips}, {"001.wav": tone})
    beside = a_class(tmp_path / "b", {"R1": clips}, {"001.wav": tone}, {"griffin_lim": griffin_lim})
    assert told(alone, tmp_path / "store") == {"R1": ["001.wav"]}
    assert told(beside, tmp_path / "store") == {}


def test_what_is_known_is_not_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    references = {name: voice(number) for number, name in enumerate(NAMES)}
    found = a_class(tmp_path, {"R1": references}, references)
    first = told(found, tmp_path / "store")
    compared = []

    def compare(clips: object, rate_hz: int) -> dict[str, object]:
        compared.append((clips, rate_hz))
        return {}

    monkeypatch.setattr(waveform, "compare", compare)
    assert told(found, tmp_path / "store") == first == {"R1": NAMES}
    assert compared == []
    changed = a_class(tmp_path / "again", {"R1": {**references, "001.wav": voice(9)}}, references)
    assert told(changed, tmp_path / "store") == {}
    assert len(compared) == 1


@needs_shared
def test_real_singing(tmp_path: Path) -> None:
    """The recording through MP3 or light noise is told of; Griffin-Lim, HiFi-GAN and four systems are not."""
    from reference_vocoders.hifigan import checkpoint, validation

    assert SHARED is not None
    folder = SHARED / "singing" / "m4singer"
    lines = [f"{number:03d}" for number in range(1, 17)]
    references = {f"{line}.wav": wav.load(folder / "ground_truth" / f"{line}.flac") for line in lines}
    systems = {
        path.name.upper(): {f"{line}.wav": wav.load(path / f"{line}.flac") for line in lines}
        for path in sorted((folder / "systems").iterdir())
    }
    leaks = {
        "R_MP3": {name: mp3(audio) for name, audio in references.items()},
        "R_NOISE": {name: noisy(audio) for name, audio in references.items()},
    }
    few = dict(sorted(references.items(), key=lambda each: len(each[1]))[:1])
    rendered = {name: griffin_lim(mel_spectrogram(audio), seed=0) for name, audio in few.items()}
    generator, config = checkpoint.load_generator(SHARED / "models" / "hifigan_lj_v2" / "generator_v2")
    vocoded = {name: validation.render(generator, config, audio) for name, audio in few.items()}
    assert len(systems) == 4
    found = a_class(tmp_path, {**systems, **leaks, "R_GL": rendered, "R_HIFIGAN": vocoded}, references)
    with Store(tmp_path / "store") as store:
        agreements = waveform.agreements(found, RATE_HZ, store, 1, Progress())
    highest = {owner: max(each.si_sdr_db for each in clips.values() if each) for owner, clips in agreements.items()}
    lowest = {owner: min(each.si_sdr_db for each in clips.values() if each) for owner, clips in agreements.items()}
    assert set(told(found, tmp_path / "store")) == set(leaks)
    assert all(highest[owner] < 0 for owner in (*systems, "R_GL", "R_HIFIGAN"))
    assert lowest["R_MP3"] > 20
    assert lowest["R_NOISE"] > 19
