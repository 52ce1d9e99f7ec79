"""The probe tells what uses its mels from what hands back an upload."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from grader.audio.mel import COURSE, mel_spectrogram
from grader.rerun import probe
from reference_vocoders.griffin_lim import griffin_lim

RATE_HZ = 22050


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Path]]:
    """Two sung phrases: their mels, and Griffin-Lim of them as the upload."""
    root = tmp_path_factory.mktemp("clips")
    found: dict[str, dict[str, Path]] = {"mels": {}, "uploaded": {}}
    rng = np.random.default_rng(3)
    for number in (1, 2):
        seconds = np.arange(3 * RATE_HZ) / RATE_HZ
        pitch_hz = 220 * number * 2 ** (np.sin(2 * np.pi * 5 * seconds) / 24 + seconds / 12)
        phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
        voice = sum(np.sin(k * phase) / k for k in range(1, 12)) * (0.6 + 0.4 * np.sin(2 * np.pi * seconds))
        audio = (0.1 * voice + 0.003 * rng.standard_normal(len(voice))).astype(np.float32)
        mel = mel_spectrogram(audio)
        name = f"{number:03d}.wav"
        found["mels"][name] = root / f"{number:03d}.npy"
        np.save(found["mels"][name], mel)
        found["uploaded"][name] = root / name
        sf.write(root / name, griffin_lim(mel), RATE_HZ)
    return found


def answers(folder: Path, made: dict[str, np.ndarray]) -> dict[str, Path]:
    folder.mkdir(exist_ok=True)
    for name, samples in made.items():
        sf.write(folder / name, samples, RATE_HZ)
    return {name: folder / name for name in made}


def test_a_vocoder_makes_something_new_that_fits(clips: dict[str, dict[str, Path]], tmp_path: Path) -> None:
    mels = probe.make_mels(clips["mels"], tmp_path / "mels", COURSE)
    assert [np.load(path).shape for path in mels.values()] == [(80, probe.FRAMES)] * 2
    made = answers(tmp_path / "made", {name: griffin_lim(np.load(path)) for name, path in mels.items()})
    assert probe.copies(made, clips["uploaded"]) == {}
    fit = probe.fits(made, mels, COURSE)
    assert fit is not None
    assert fit > 0.9


@pytest.mark.parametrize("seconds", [1, 3])
def test_an_upload_handed_back_is_found_whole_or_cut_even_under_another_name(
    seconds: int, clips: dict[str, dict[str, Path]], tmp_path: Path
) -> None:
    uploads = [sf.read(path)[0][: seconds * RATE_HZ] for path in clips["uploaded"].values()]
    made = answers(tmp_path / "made", {"001.wav": uploads[1], "002.wav": uploads[1] + 1e-4})
    assert probe.copies(made, clips["uploaded"]) == {"001.wav": "002.wav", "002.wav": "002.wav"}


def test_noise_does_not_fit_and_silence_and_rubbish_are_no_copies(
    clips: dict[str, dict[str, Path]], tmp_path: Path
) -> None:
    mels = probe.make_mels(clips["mels"], tmp_path / "mels", COURSE)
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE_HZ)
    made = answers(tmp_path / "made", {"001.wav": noise, "002.wav": noise})
    fit = probe.fits(made, mels, COURSE)
    assert fit is not None
    assert fit < 0.5
    (tmp_path / "made" / "001.wav").write_bytes(b"no audio")
    silent = answers(tmp_path / "made", {"002.wav": np.zeros(RATE_HZ)})
    assert probe.copies({**made, **silent}, clips["uploaded"]) == {}
    assert probe.fits({}, mels, COURSE) is None
