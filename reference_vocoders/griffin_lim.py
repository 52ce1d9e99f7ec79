"""Griffin-Lim from the course's mel: the baseline that needs no training.

The mel (linear power, HTK scale) is first brought back to a power spectrogram, then phases are found for it.

* Filterbank: multiplicative updates that keep every bin non-negative (Richardson 1972, Lucy 1974; the same as NMF's
  update for Kullback-Leibler, Lee & Seung 2001), from a flat start. 80 bands leave 513 bins open; of the spectra that
  fit the mel, the updates lead to a smooth one, where least squares leads to one of few, tall bins.
* Phases: fast Griffin-Lim with momentum (Perraudin, Balazs & Søndergaard 2013), random start from a seed.

Framing is the course's (``pad_samples`` zeros on each side, no centring), so the output is aligned to the sample with
the recording the mel was made of, and hop · frames samples long. Nothing above the mel's highest band can be known, and
nothing is put there.

On its own: ``python -m reference_vocoders.griffin_lim --mels DIR --out DIR``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import numpy as np
import soundfile as sf
from numpy.lib.stride_tricks import sliding_window_view
from rich.console import Console

from grader import progress
from grader.audio import Audio, Mel
from grader.audio.mel import COURSE, MelConfig, filterbank, load_mel
from grader.errors import CourseError, GraderError

VERSION = 1
"""Raised whenever a change here changes the audio."""

_INVERSION_STEPS = 100
_TINY = np.finfo(np.float32).tiny


def griffin_lim(
    mel: Mel, config: MelConfig = COURSE, *, iterations: int = 60, momentum: float = 0.99, seed: int = 0
) -> Audio:
    """Audio of shape (hop · frames,) whose mel resembles ``mel`` of shape (bands, frames).

    The same arguments give the same audio. It is not limited to [−1, 1]. Raises ``ValueError`` for another shape, a mel
    without frames, and values no power has.
    """
    magnitude = np.sqrt(power_from_mel(mel, config))
    return audio_from_magnitude(magnitude, config, iterations=iterations, momentum=momentum, seed=seed)


def audio_from_magnitude(
    magnitude: np.ndarray, config: MelConfig, *, iterations: int, momentum: float = 0.99, seed: int = 0
) -> Audio:
    """Audio of shape (hop · frames,) for an STFT magnitude of shape (n_fft/2 + 1, frames) in the course's framing."""
    target = magnitude.T.astype(np.float32)
    phase = np.exp(2j * np.pi * np.random.default_rng(seed).random(target.shape)).astype(np.complex64)
    previous = None
    for _ in range(iterations):
        consistent = stft(istft(target * phase, config), config)
        ahead = consistent if previous is None else consistent + np.float32(momentum) * (consistent - previous)
        phase = ahead / np.maximum(np.abs(ahead), _TINY)
        previous = consistent
    return istft(target * phase, config)


def power_from_mel(mel: Mel, config: MelConfig = COURSE) -> np.ndarray:
    """A non-negative power spectrogram of shape (n_fft/2 + 1, frames), float32, that has the mel ``mel``.

    Bins in no band (0 Hz, above ``fmax_hz``) are zero. Raises ``ValueError`` as :func:`griffin_lim` does.
    """
    import scipy.sparse

    mel = np.asarray(mel, dtype=np.float32)
    if mel.ndim != 2 or mel.shape[0] != config.bands or mel.shape[1] == 0:
        raise ValueError(f"mel of shape {mel.shape}, expected ({config.bands}, frames)")
    if not np.isfinite(mel).all() or mel.min() < 0:
        raise ValueError("the mel holds NaN, Inf or negative values; expected linear power")
    bank = filterbank(config)
    covered = np.flatnonzero(bank.any(axis=0))
    bands = scipy.sparse.csr_array(bank[:, covered])
    spread = scipy.sparse.csr_array((bank[:, covered] / bank[:, covered].sum(axis=0)).T)
    power = np.ones((len(covered), mel.shape[1]), dtype=np.float32)
    for _ in range(_INVERSION_STEPS):
        power *= spread @ (mel / np.maximum(bands @ power, _TINY))
    whole = np.zeros((bank.shape[1], mel.shape[1]), dtype=np.float32)
    whole[covered] = power
    return whole


def _window(config: MelConfig) -> np.ndarray:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(config.win_length) / config.win_length)).astype(np.float32)


def stft(audio: Audio, config: MelConfig) -> np.ndarray:
    """Complex spectra of shape (frames, n_fft/2 + 1) in the course's framing."""
    import scipy.fft

    frames = sliding_window_view(np.pad(audio, config.pad_samples), config.win_length)[:: config.hop_length]
    spectra: np.ndarray = scipy.fft.rfft(frames * _window(config), n=config.n_fft)
    return spectra


def istft(spectra: np.ndarray, config: MelConfig) -> Audio:
    """The audio whose :func:`stft` is nearest to ``spectra`` in the least-squares sense, shape (hop · frames,)."""
    import scipy.fft

    window, samples = _window(config), config.hop_length * len(spectra)
    frames = scipy.fft.irfft(spectra, n=config.n_fft)[:, : config.win_length] * window
    weight = _overlap_add(np.broadcast_to(window**2, frames.shape), config.hop_length)
    audio: Audio = _overlap_add(frames, config.hop_length) / np.maximum(weight, _TINY)
    return audio[config.pad_samples : config.pad_samples + samples]


def _overlap_add(frames: np.ndarray, hop: int) -> np.ndarray:
    """Frames of shape (count, length), each ``hop`` samples after the last, added up."""
    count, length = frames.shape
    parts = -(-length // hop)
    total = np.zeros((count + parts - 1, hop), dtype=np.float32)
    for part in range(parts):
        piece = frames[:, part * hop : (part + 1) * hop]
        total[part : part + count, : piece.shape[1]] += piece
    return total.reshape(-1)


def write_wav(path: Path, audio: Audio, sample_rate_hz: int = COURSE.sample_rate_hz) -> int:
    """Write 16-bit PCM; samples beyond ±1 are limited to it. Returns how many were."""
    sf.write(path, np.clip(audio, -1, 1), sample_rate_hz, subtype="PCM_16")
    return int(np.count_nonzero(np.abs(audio) > 1))


def render(mels: Path, out: Path, *, iterations: int, seed: int, shown: progress.Progress) -> int:
    """Write ``out/NNN.wav`` for every ``mels/NNN.npy``, once all mels are read; return how many.

    Raises :class:`CourseError` for a folder without mels and for the first unusable one.
    """
    loaded = {path.stem: load_mel(path) for path in sorted(mels.glob("*.npy"))}
    if not loaded:
        raise CourseError(f"{mels}: no .npy files", help="name the folder of test mels: 001.npy, 002.npy, …")
    out.mkdir(parents=True, exist_ok=True)
    shown.start("Griffin-Lim", total=sum(mel.shape[1] for mel in loaded.values()), items=len(loaded))
    for stem, mel in loaded.items():
        audio = griffin_lim(mel, iterations=iterations, seed=seed)
        limited = write_wav(out / f"{stem}.wav", audio)
        if limited:
            shown.note(f"{stem}.wav: {limited} of {len(audio)} samples lay beyond ±1 and were limited to it")
        shown.advance(mel.shape[1])
    return len(loaded)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--mels", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--iterations", type=click.IntRange(min=0), default=60, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the first phases.")
def main(mels: Path, out: Path, iterations: int, seed: int) -> None:
    """Turn the mels in a folder (001.npy, …) into 16-bit wavs (001.wav, …) with Griffin-Lim."""
    try:
        with progress.on(Console(stderr=True)) as shown:
            count = render(mels, out, iterations=iterations, seed=seed, shown=shown)
    except GraderError as error:
        click.echo(f"griffin_lim: {error}\n  help: {error.help}", err=True)
        sys.exit(2)
    click.echo(f"{count} clips in {out}")


if __name__ == "__main__":
    main()
