"""Mel to waveform: the mel's own envelope on noise. An early try, not what made the clips."""

import argparse
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile as sf

RATE, BANDS, N_FFT, HOP, F_MAX = 22050, 80, 1024, 256, 8000


def vocode(mel):
    edges = 2595 * np.log10(1 + F_MAX / 700) * np.arange(1, BANDS + 1) / (BANDS + 1)
    centres, hz = 700 * (10 ** (edges / 2595) - 1), np.linspace(0, RATE / 2, N_FFT // 2 + 1)
    level = np.sqrt(np.stack([np.interp(hz, centres, frame, right=0) for frame in mel.T], axis=1))
    noise = np.exp(2j * np.pi * np.random.default_rng(0).random(level.shape))
    _, audio = scipy.signal.istft(level * noise, RATE, nperseg=N_FFT, noverlap=N_FFT - HOP, scaling="spectrum")
    audio = audio[: HOP * mel.shape[1]] / N_FFT * 2
    return np.pad(audio, (0, HOP * mel.shape[1] - len(audio)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input_mels_dir", type=Path, required=True)
    parser.add_argument("--output_dir", type=Path, required=True)
    given = parser.parse_args()
    given.output_dir.mkdir(parents=True, exist_ok=True)
    for path in sorted(given.input_mels_dir.glob("*.npy")):
        sf.write(given.output_dir / path.with_suffix(".wav").name, vocode(np.load(path)), RATE, subtype="PCM_16")


if __name__ == "__main__":
    main()
