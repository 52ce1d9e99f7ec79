"""Mel to waveform with Griffin-Lim, as a common library does it: centred frames, a clipped pseudo-inverse."""

import argparse
from pathlib import Path

import numpy as np
import scipy.fft
import soundfile as sf

RATE, BANDS, N_FFT, HOP, F_MAX = 22050, 80, 1024, 256, 8000
WINDOW = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)


def filterbank():
    """Triangles on the HTK mel scale."""
    hz = np.linspace(0, RATE / 2, N_FFT // 2 + 1)
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + F_MAX / 700), BANDS + 2) / 2595) - 1)
    rise = (hz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - hz) / np.diff(edges)[1:, None]
    return np.maximum(0, np.minimum(rise, fall))


def stft(audio):
    padded = np.pad(audio, N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    return scipy.fft.rfft(frames * WINDOW).T


def istft(spectra):
    frames = scipy.fft.irfft(spectra.T) * WINDOW
    total, weight = np.zeros((2, HOP * (len(frames) - 1) + N_FFT))
    for number, frame in enumerate(frames):
        total[number * HOP :][:N_FFT] += frame
        weight[number * HOP :][:N_FFT] += WINDOW**2
    return (total / np.maximum(weight, 1e-8))[N_FFT // 2 : -N_FFT // 2]


def vocode(mel, iterations=16, momentum=0.99):
    magnitude = np.sqrt(np.maximum(0, np.linalg.pinv(filterbank()) @ mel.astype(np.float64)))
    phase = np.exp(2j * np.pi * np.random.default_rng(0).random(magnitude.shape))
    before = 0
    for _ in range(iterations):
        now = stft(istft(magnitude * phase))
        ahead = now + momentum * (now - before)
        phase = ahead / np.maximum(np.abs(ahead), 1e-16)
        before = now
    return istft(magnitude * phase)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input_mels_dir", type=Path, required=True)
    parser.add_argument("--output_dir", type=Path, required=True)
    given = parser.parse_args()
    given.output_dir.mkdir(parents=True, exist_ok=True)
    for path in sorted(given.input_mels_dir.glob("*.npy")):
        audio = np.clip(vocode(np.load(path)), -1, 1)
        sf.write(given.output_dir / f"{path.stem}.wav", audio, RATE, subtype="PCM_16")


if __name__ == "__main__":
    main()
