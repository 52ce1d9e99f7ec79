"""A course made of real singing, from the shared data: 30 test mels, and hand-ins that differ as real ones do.

``python -m tests.real_course DIR [--seconds S] [--capacity tiny]`` makes it, to be graded by hand;
``tests/test_real_course.py`` makes a shortened one and grades it.
"""

import argparse
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile as sf

from grader import rubric
from grader.audio import Audio
from grader.audio.mel import mel_spectrogram
from grader.audio.resample import resample
from grader.course import Course
from reference_vocoders.griffin_lim import griffin_lim
from tests.shared import SHARED

RATE_HZ = 22050
SYSTEMS = {"R11000001": "vocoded", "R11000002": "diffsinger", "R11000003": "gansinger", "R11000004": "fftsinger"}


def recordings(shared: Path) -> list[Path]:
    """The 22 M4Singer test lines (the first 16 exist from four systems too) and eight GTSinger clips of `valid`."""
    singing = shared / "singing"
    rows = [line.split(",") for line in (singing / "manifest.csv").read_text().splitlines()]
    valid = sorted(row[0] for row in rows if row[1] == "valid" and row[3] == "singing")
    lines = sorted((singing / "m4singer/ground_truth").glob("*.flac"))
    lines += sorted((singing / "m4singer/samples_48k").glob("*.flac"))
    return lines + [singing / name for name in valid[:8]]


def make(root: Path, *, seconds: float = 30, capacity: str = "full") -> Course:
    """Make the course in ``root``; recordings are cut to ``seconds``. Returns it."""
    assert SHARED is not None
    course = Course(root)
    for folder in (course.submissions, course.test_mels, course.references):
        folder.mkdir(parents=True, exist_ok=True)
    text = rubric.default_path().read_text(encoding="utf-8")
    course.rubric_path.write_text(text.replace("capacity: full", f"capacity: {capacity}"), encoding="utf-8")

    names = course.rubric.clips.names()
    truth: dict[str, Audio] = {}
    mels = {}
    rng = np.random.default_rng(0)
    for name, path in zip(names, recordings(SHARED), strict=True):
        recorded, rate = sf.read(path, dtype="float32", always_2d=True)
        recorded = recorded[: int(seconds * rate)]
        sf.write(course.references / name, recorded, rate, subtype="PCM_16")
        truth[name] = resample(recorded.mean(axis=1), rate, RATE_HZ)
        mels[name] = mel_spectrogram(truth[name])
        np.save(course.test_mels / f"{Path(name).stem}.npy", mels[name])

    rendered = {name: griffin_lim(mel, iterations=8, seed=1) for name, mel in mels.items()}
    for student, system in SYSTEMS.items():
        outputs = {}
        for number, name in enumerate(names, 1):
            path = SHARED / f"singing/m4singer/systems/{system}/{number:03d}.flac"
            outputs[name] = _load(path, seconds) if path.exists() else rendered[name]
        hand_in(course, student, outputs, mels)
    by_clip: dict[str, Callable[[Audio], Audio]] = {
        "R11000006": lambda audio: audio + rng.normal(0, 0.02, len(audio)).astype(np.float32),
        "R11000007": lambda audio: _detune(audio, 0.5),
    }
    hand_in(course, "R11000005", rendered, mels)
    for student, change in by_clip.items():
        hand_in(course, student, {name: change(audio) for name, audio in truth.items()}, mels)
    return course


def hand_in(course: Course, student: str, clips: dict[str, Audio], mels: dict[str, np.ndarray]) -> None:
    """Write clips, each cut or padded to its mel's 256·T samples, as the student's zip."""
    folder = course.root / "made" / student
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(course.submissions / f"{student.lower()}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, audio in clips.items():
            exact = np.zeros(256 * mels[name].shape[1], dtype=np.float32)
            exact[: len(audio)] = audio[: len(exact)]
            sf.write(folder / name, np.clip(exact, -1, 1), RATE_HZ, subtype="PCM_16")
            archive.write(folder / name, f"{student.lower()}/{name}")
    shutil.rmtree(course.root / "made")


def _load(path: Path, seconds: float) -> Audio:
    audio, rate = sf.read(path, dtype="float32")
    return resample(audio[: int(seconds * rate)], rate, RATE_HZ)


def _detune(audio: Audio, semitones: float) -> Audio:
    """Raise the pitch by reading faster, as a wrong sample rate would; the end is left silent."""
    positions = np.arange(len(audio)) * 2 ** (semitones / 12)
    return np.interp(positions, np.arange(len(audio)), audio, right=0).astype(np.float32)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("dir", type=Path)
    arguments.add_argument("--seconds", type=float, default=30)
    arguments.add_argument("--capacity", default="full")
    chosen = arguments.parse_args()
    print(make(chosen.dir, seconds=chosen.seconds, capacity=chosen.capacity).root)
