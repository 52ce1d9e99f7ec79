"""Mel to waveform: a smooth spectrum that has the mel, then Griffin-Lim in the framing of the course."""

import argparse
import itertools
import pathlib

import numpy as np
from scipy import fft, sparse
from scipy.io import wavfile

RATE, BANDS, N_FFT, HOP, F_MAX = 22050, 80, 1024, 256, 8000
PAD = (N_FFT - HOP) // 2
WINDOW = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)


def mel_bank():
    hz = np.linspace(0, RATE / 2, N_FFT // 2 + 1)
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + F_MAX / 700), BANDS + 2) / 2595) - 1)
    slopes = [(hz - low) / (top - low) for low, top in itertools.pairwise(edges)]
    return np.array([np.clip(np.minimum(up, 1 - down), 0, None) for up, down in itertools.pairwise(slopes)])


def spectrum(mel, steps=60):
    """Multiplicative updates (Richardson-Lucy) from a flat start."""
    bank = mel_bank()
    sums = np.maximum(bank.sum(axis=0), 1e-12)
    bands, spread = sparse.csr_matrix(bank), sparse.csr_matrix((bank / sums).T)
    power = np.ones((N_FFT // 2 + 1, mel.shape[1])) * (bank.sum(axis=0) > 0)[:, None]
    for _ in range(steps):
        power *= spread @ (mel / np.maximum(bands @ power, 1e-30))
    return np.sqrt(power)


def analyse(audio):
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(audio, PAD), N_FFT)[::HOP]
    return fft.rfft(frames * WINDOW).T


def synthesise(spectra):
    frames = fft.irfft(spectra.T) * WINDOW
    audio, weight = np.zeros((2, HOP * (len(frames) - 1) + N_FFT))
    for number, frame in enumerate(frames):
        audio[number * HOP :][:N_FFT] += frame
        weight[number * HOP :][:N_FFT] += WINDOW**2
    return (audio / np.maximum(weight, 1e-6))[PAD:-PAD]


def vocoder(mel, iterations=32):
    magnitude = spectrum(mel.astype(np.float64))
    turn = np.exp(2j * np.pi * np.random.default_rng(7).random(magnitude.shape))
    last = 0
    for _ in range(iterations):
        now = analyse(synthesise(magnitude * turn))
        turn = now + 0.99 * (now - last)
        turn /= np.maximum(np.abs(turn), 1e-16)
        last = now
    return synthesise(magnitude * turn)


parser = argparse.ArgumentParser()
parser.add_argument("--input_mels_dir")
parser.add_argument("--output_dir")
args = parser.parse_args()
out = pathlib.Path(args.output_dir)
out.mkdir(exist_ok=True, parents=True)
for path in sorted(pathlib.Path(args.input_mels_dir).glob("*.npy")):
    samples = np.round(np.clip(vocoder(np.load(path)), -1, 1) * 32767).astype(np.int16)
    wavfile.write(out / f"{int(path.stem)}.wav", RATE, samples)
