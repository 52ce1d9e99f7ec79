"""Mel to waveform with a pretrained network, fetched when it is needed."""

import argparse
import io
import urllib.request
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile as sf

WEIGHTS = "https://example.com/vocoder/weights.npz"


def vocode(mel, weights):
    level = np.maximum(0, weights["inverse"] @ mel) ** 0.5
    _, audio = scipy.signal.istft(level * weights["phase"][:, : mel.shape[1]], nperseg=1024, noverlap=768)
    return audio[: 256 * mel.shape[1]]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input_mels_dir", type=Path, required=True)
    parser.add_argument("--output_dir", type=Path, required=True)
    given = parser.parse_args()
    weights = np.load(io.BytesIO(urllib.request.urlopen(WEIGHTS, timeout=20).read()))
    given.output_dir.mkdir(parents=True, exist_ok=True)
    for path in sorted(given.input_mels_dir.glob("*.npy")):
        sf.write(given.output_dir / f"{path.stem}.wav", vocode(np.load(path), weights), 22050, subtype="PCM_16")


if __name__ == "__main__":
    main()
