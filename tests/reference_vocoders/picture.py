"""The README's picture of the reference vocoders: ``python -m tests.reference_vocoders.picture LINE.flac OUT.png``.

Spectrograms of a recording and of what Griffin-Lim and HiFi-GAN make of its mel, on one scale of 70 dB.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from grader.audio import Audio, wav
from grader.audio.mel import MelConfig, mel_spectrogram, power_spectrogram
from reference_vocoders.griffin_lim import griffin_lim
from reference_vocoders.hifigan.render import vocoder

RANGE_DB = 70
HIGHEST_HZ = 8000
FINE = MelConfig(n_fft=1024, win_length=1024, hop_length=64)
_COLOURS = ((0, 0, 4), (60, 15, 110), (140, 41, 129), (222, 73, 104), (254, 159, 109), (252, 253, 191))


def decibels(audio: Audio) -> np.ndarray:
    """Power in dB, shape (bins to 8 kHz, frames), low frequencies first."""
    bins = HIGHEST_HZ * FINE.n_fft // FINE.sample_rate_hz
    return 10 * np.log10(np.maximum(power_spectrogram(audio, FINE)[:bins], 1e-10))


def coloured(levels: np.ndarray, top: float) -> Image.Image:
    """Levels in dB as an image, the top as the brightest colour."""
    place = np.clip((levels - (top - RANGE_DB)) / RANGE_DB, 0, 1)[::-1]
    stops = np.linspace(0, 1, len(_COLOURS))
    channels = [np.interp(place, stops, [colour[channel] for colour in _COLOURS]) for channel in range(3)]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


def picture(audio: Audio, width: int = 380, height: int = 260) -> Image.Image:
    """The three panels side by side with their names, from at most three seconds of the recording."""
    audio = audio[: 3 * FINE.sample_rate_hz // 256 * 256]
    mel = mel_spectrogram(audio)
    panels = {
        "recording, 0 to 8 kHz": audio,
        "Griffin-Lim": griffin_lim(mel),
        "HiFi-GAN, shipped weights": vocoder()(mel),
    }
    levels = {name: decibels(made) for name, made in panels.items()}
    top = max(float(level.max()) for level in levels.values())
    gap, head = 8, 22
    sheet = Image.new("RGB", (3 * width + 2 * gap, height + head), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (name, level) in enumerate(levels.items()):
        left = number * (width + gap)
        sheet.paste(coloured(level, top).resize((width, height), Image.Resampling.BILINEAR), (left, head))
        draw.text((left + 2, 3), name, fill="black", font=ImageFont.load_default(14))
    return sheet.quantize(64)


if __name__ == "__main__":
    line, out = map(Path, sys.argv[1:])
    picture(wav.load(line)).save(out, optimize=True)
