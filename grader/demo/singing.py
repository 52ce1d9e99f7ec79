"""Singing from nothing: melody, vibrato, vowels, breath and consonants, so that no licence is involved.

A source-filter voice (Fant 1960; Klatt 1980). Harmonics of a gliding F0 are weighted by the complex response of a row
of formants; noise, shaped frame by frame, is the breath and the consonants. Everything that moves is drawn on a grid of
frames and interpolated in between. The same singer and seed give the same sound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grader.audio import Audio

Values = npt.NDArray[np.float64]

RATE_HZ = 48_000
_HOP = 256
_FFT = 1024
_FRAMES_PER_S = RATE_HZ / _HOP
_BINS_HZ = np.arange(_FFT // 2 + 1) * RATE_HZ / _FFT
_HIGHEST_HARMONIC_HZ = 14_000

# The first three formants of each vowel in Hz, of an adult male voice (Peterson & Barney 1952; y, ə: Klatt 1980).
_VOWELS_HZ = {
    "a": (730, 1090, 2440),
    "e": (530, 1840, 2480),
    "i": (270, 2290, 3010),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
    "y": (280, 1950, 2350),
    "ə": (490, 1350, 2400),
    "m": (250, 1150, 2100),
}
_HIGHER_FORMANTS_HZ = (3350, 3900, 5000, 6100, 7200, 8300, 9400, 10500)  # the fourth and fifth close: a sung voice
# Consonants of noise: duration in s, centre and width of the noise in Hz, level against a vowel.
_NOISES = {"s": (0.11, 7600, 1900, 0.2), "sh": (0.12, 4200, 1500, 0.25), "f": (0.09, 6500, 4500, 0.06)}
_BURSTS = {"t": (0.025, 4300, 2200, 0.4), "k": (0.035, 2200, 800, 0.5), "p": (0.02, 900, 900, 0.4)}
_CONSONANTS = ("", "m", *_NOISES, *_BURSTS)


@dataclass(frozen=True)
class Singer:
    """A voice. low, high: its range in MIDI notes. tract: formant frequencies against an adult male's.

    breath: level of the breath noise against the voice. vibrato_hz, vibrato_semitones: rate and half width.
    tilt_hz: above this the voice loses another 6 dB an octave.
    """

    name: str
    low: int
    high: int
    tract: float
    breath: float
    vibrato_hz: float
    vibrato_semitones: float
    tilt_hz: float


SINGERS = (
    Singer("Alto-1", 55, 70, 1.13, 0.06, 5.6, 0.35, 3000),
    Singer("Alto-2", 54, 69, 1.10, 0.15, 5.1, 0.15, 1800),
    Singer("Bass-1", 41, 55, 0.96, 0.05, 5.0, 0.40, 2400),
    Singer("Soprano-1", 62, 77, 1.18, 0.07, 6.0, 0.50, 3500),
    Singer("Tenor-1", 50, 64, 1.00, 0.05, 5.4, 0.45, 3200),
    Singer("Tenor-2", 48, 63, 1.03, 0.12, 5.8, 0.20, 2000),
)


@dataclass(frozen=True)
class _Note:
    """A syllable: from its consonant's first frame to its vowel's last, then perhaps a rest."""

    start: int
    vowel_start: int
    end: int
    pitch: float
    consonant: str
    vowels: tuple[str, str]
    loudness: float


def sing(singer: Singer, seconds: float, seed: int) -> Audio:
    """A phrase of about ``seconds`` at 48 kHz, shape (samples,), peak about 0.3 to 0.5."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * _FRAMES_PER_S)
    notes = _phrase(singer, frames, rng)
    formants_hz = _formants(singer, notes, frames)
    loudness = _loudness(notes, frames, rng)
    voiced = _harmonics(singer, _pitch_hz(singer, notes, frames, rng), formants_hz, loudness)
    noise = _noise(_noise_gain(singer, notes, formants_hz, loudness, rng), rng)
    audio = voiced + noise
    audio *= rng.uniform(0.3, 0.5) / np.abs(audio).max()
    audio += rng.normal(0, 2e-4, len(audio))
    return audio.astype(np.float32)


def _phrase(singer: Singer, frames: int, rng: np.random.Generator) -> list[_Note]:
    """Notes on a pentatonic scale that move by steps more than by leaps, with a breath somewhere."""
    scale = [pitch for pitch in range(singer.low, singer.high + 1) if (pitch - singer.low) % 12 in (0, 2, 4, 7, 9)]
    degree = int(rng.integers(2, len(scale) - 2))
    at, last = round(rng.uniform(0.12, 0.3) * _FRAMES_PER_S), frames - round(0.2 * _FRAMES_PER_S)
    rest_after = int(rng.integers(2, 4))
    vowels = [vowel for vowel in _VOWELS_HZ if vowel != "m"]
    notes: list[_Note] = []
    while last - at > 0.25 * _FRAMES_PER_S:
        consonant = str(rng.choice(_CONSONANTS))
        consonant_s = {**_NOISES, **_BURSTS}.get(consonant, (0.07 if consonant else 0.0,))[0]
        closure_s = 0.05 if consonant in _BURSTS else 0.0
        vowel_start = at + round((consonant_s + closure_s) * _FRAMES_PER_S)
        vowel_s = float(rng.choice([0.22, 0.3, 0.45, 0.7]))
        end = min(last, vowel_start + round(vowel_s * _FRAMES_PER_S))
        if last - end < 0.35 * _FRAMES_PER_S:
            end = last
        first = str(rng.choice(vowels))
        second = str(rng.choice(vowels)) if rng.random() < 0.3 else first
        arc = 0.6 + 0.4 * np.sin(np.pi * (at + end) / 2 / frames)
        loudness = float(arc * rng.uniform(0.75, 1.0))
        notes.append(_Note(at, vowel_start, end, scale[degree], consonant, (first, second), loudness))
        step = int(rng.choice([-2, -1, -1, 0, 1, 1, 2, 3]))
        degree = int(np.clip(degree + step, 0, len(scale) - 1))
        rests = len(notes) == rest_after and last - end > 0.7 * _FRAMES_PER_S
        at = end + (round(0.25 * _FRAMES_PER_S) if rests else 0)
    return notes


def _smooth(values: Values, seconds: float) -> Values:
    """Moving Hann-weighted mean over ``seconds`` along the first axis."""
    width = 2 * round(seconds * _FRAMES_PER_S / 2) + 1
    kernel = np.hanning(width + 2)[1:-1]
    padded = np.pad(values, [(width // 2, width // 2)] + [(0, 0)] * (values.ndim - 1), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, width, axis=0)
    smoothed: Values = windows @ (kernel / kernel.sum())
    return smoothed


def _pitch_hz(singer: Singer, notes: list[_Note], frames: int, rng: np.random.Generator) -> Values:
    """F0 per frame: gliding between notes, vibrato that sets in on long ones, and the drift of a human voice."""
    pitch = np.full(frames, float(notes[0].pitch))
    vibrato = np.zeros(frames)
    for note in notes:
        pitch[note.start :] = note.pitch
        pitch[note.start : note.vowel_start + 6] -= rng.uniform(0, 2)
        held_s = np.arange(note.end - note.vowel_start) / _FRAMES_PER_S
        vibrato[note.vowel_start : note.end] = np.clip((held_s - 0.15) / 0.25, 0, 1)
    rate = singer.vibrato_hz * (1 + 0.06 * _smooth(rng.normal(0, 3, frames), 0.4))
    wave = np.sin(2 * np.pi * np.cumsum(rate) / _FRAMES_PER_S + rng.uniform(0, 2 * np.pi))
    drift = _smooth(rng.normal(0, 0.6, frames), 0.25) + _smooth(rng.normal(0, 0.05, frames), 0.02)
    semitones = _smooth(pitch, 0.12) + singer.vibrato_semitones * _smooth(vibrato, 0.1) * wave + drift
    hz: Values = 440 * 2 ** ((semitones - 69) / 12)
    return hz


def _formants(singer: Singer, notes: list[_Note], frames: int) -> Values:
    """Formant frequencies in Hz, shape (frames, formants), moving from vowel to vowel."""
    table = {vowel: np.array(lowest + _HIGHER_FORMANTS_HZ) * singer.tract for vowel, lowest in _VOWELS_HZ.items()}
    formants = np.tile(table[notes[0].vowels[0]], (frames, 1))
    for note in notes:
        middle = (note.vowel_start + note.end) // 2
        formants[note.start :] = table["m"] if note.consonant == "m" else table[note.vowels[0]]
        formants[note.vowel_start :] = table[note.vowels[0]]
        formants[middle:] = table[note.vowels[1]]
    return _smooth(formants, 0.08)


def _loudness(notes: list[_Note], frames: int, rng: np.random.Generator) -> Values:
    """Amplitude of the voice per frame, 0 where it rests and in consonants without voice."""
    loudness = np.zeros(frames)
    for note in notes:
        if note.consonant == "m":
            loudness[note.start : note.vowel_start] = 0.4 * note.loudness
        held = np.linspace(0, 1, note.end - note.vowel_start)
        loudness[note.vowel_start : note.end] = note.loudness * (0.8 + 0.2 * np.sin(np.pi * held))
    flutter = 1 + 0.25 * _smooth(rng.normal(0, 1, frames), 0.03) / np.sqrt(0.03 * _FRAMES_PER_S)
    moving: Values = _smooth(loudness, 0.05) * flutter
    return moving


def _response(frequency_hz: Values, formants_hz: Values) -> npt.NDArray[np.complex128]:
    """Complex response of the vocal tract at frequencies of shape (frames, n)."""
    highest_hz, count = formants_hz[:, -1:], formants_hz.shape[1]
    below = np.minimum(frequency_hz, highest_hz) / highest_hz
    response: npt.NDArray[np.complex128] = 0j + np.exp(below**2 * (count - 0.5) ** 2 / count)  # the poles above these
    for formant in formants_hz.T[:, :, None]:
        bandwidth = 60 + 0.04 * formant
        response *= formant**2 / (formant**2 - frequency_hz**2 + 1j * bandwidth * frequency_hz)
    return response


def _harmonics(singer: Singer, f0_hz: Values, formants_hz: Values, loudness: Values) -> Values:
    """The voiced sound, shape (hop · frames,)."""
    count = int(_HIGHEST_HARMONIC_HZ / f0_hz.min())
    frequency = f0_hz[:, None] * np.arange(1, count + 1)
    source = 1 / frequency / (1 + frequency / (singer.tilt_hz * (0.4 + loudness[:, None])))
    source *= np.clip((_HIGHEST_HARMONIC_HZ - frequency) / 2000, 0, 1)
    weights = 100 * loudness[:, None] * source * _response(frequency, formants_hz)
    fade = np.arange(_HOP) / _HOP
    step = np.diff(weights, axis=0, append=weights[-1:])
    f0_step = np.diff(f0_hz, append=f0_hz[-1:])
    turn = np.exp(2j * np.pi * np.cumsum(f0_hz[:, None] + f0_step[:, None] * fade) / RATE_HZ).reshape(len(f0_hz), _HOP)
    wave, voice = turn.copy(), np.zeros(turn.shape)
    for k in range(count):
        weight = weights[:, k, None] + step[:, k, None] * fade
        voice += (weight * wave).real
        wave *= turn
    return voice.reshape(-1)


def _noise_gain(
    singer: Singer, notes: list[_Note], formants_hz: Values, loudness: Values, rng: np.random.Generator
) -> Values:
    """Level of the noise, shape (frames, bins): breath through the vowel, consonants, a gasp before the phrase."""
    tract = np.abs(_response(np.broadcast_to(_BINS_HZ, (len(loudness), len(_BINS_HZ))), formants_hz))
    breath = (_BINS_HZ / (_BINS_HZ + 2500)) ** 1.5
    gain = singer.breath * loudness[:, None] * tract * breath
    for note in notes:
        if note.consonant in _NOISES:
            _, centre, width, level = _NOISES[note.consonant]
            first = note.start
        elif note.consonant in _BURSTS:
            seconds, centre, width, level = _BURSTS[note.consonant]
            first = note.vowel_start - round(seconds * _FRAMES_PER_S)
        else:
            continue
        length = note.vowel_start + 2 - first
        shape = np.exp(-0.5 * ((_BINS_HZ - centre * singer.tract) / width) ** 2)
        burst = note.consonant in _BURSTS
        rise = np.exp(-np.arange(length) / 3) if burst else np.hanning(length + 2)[1:-1] ** 0.5
        gain[first : first + length] += level * note.loudness * rise[:, None] * shape
    start = notes[0].start
    gasp = np.hanning(start) * rng.uniform(0.005, 0.03)
    gain[:start] += gasp[:, None] * np.exp(-_BINS_HZ / 3500) * breath
    return gain


def _noise(gain: Values, rng: np.random.Generator) -> Values:
    """Gaussian noise with a level per frame and bin, shape (hop · frames,)."""
    spectra = gain * (rng.normal(size=gain.shape) + 1j * rng.normal(size=gain.shape))
    pieces = np.fft.irfft(spectra, n=_FFT) * np.hanning(_FFT + 1)[:-1]
    parts = _FFT // _HOP
    total = np.zeros((len(gain) + parts - 1, _HOP))
    for part in range(parts):
        total[part : part + len(gain)] += pieces[:, part * _HOP : (part + 1) * _HOP]
    noise: Values = np.sqrt(_FFT) * total.reshape(-1)[_FFT // 2 - _HOP // 2 :][: len(gain) * _HOP]
    return noise
