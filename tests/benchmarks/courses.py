"""Courses of any size for benchmarks: sung references, their mels, and students who all hand in clips of their own."""

import zipfile
from pathlib import Path

import numpy as np

from grader import rubric
from grader.audio.mel import mel_spectrogram
from grader.course import Course
from tests.benchmarks.measuring import sung, voiced_otherwise, write
from tests.making import wav_bytes


def make(root: Path, students: int, clips: int, seconds: float, capacity: str) -> Course:
    """Nobody's weights are needed: the distance is FD-logmel's. Clips lie in the zips without being packed."""
    course = Course(root)
    for folder in (course.submissions, course.test_mels, course.references):
        folder.mkdir(parents=True)
    text = rubric.default_path().read_text(encoding="utf-8")
    for before, after in (
        ("count: 30", f"count: {clips}"),
        ("capacity: full", f"capacity: {capacity}"),
        ("embedding: vggish", "embedding: logmel"),
        ("score: 1.142,", "score: 0.01,"),  # Griffin-Lim is better at this than at singing
    ):
        assert before in text
        text = text.replace(before, after)
    course.rubric_path.write_text(text, encoding="utf-8")
    voices = [sung(number, seconds) for number in range(clips)]
    for number, voice in enumerate(voices, start=1):
        write(course.references / f"{number:03d}.wav", voice)
        np.save(course.test_mels / f"{number:03d}.npy", mel_spectrogram(voice))
    for student in range(students):
        hand_in(course, name(student), [voiced_otherwise(n, seconds, 1000 * student + n) for n in range(clips)])
    return course


def name(student: int) -> str:
    return f"r1292{student:04d}"


def hand_in(course: Course, student: str, clips: list[np.ndarray]) -> None:
    with zipfile.ZipFile(course.submissions / f"{student}.zip", "w") as archive:
        for number, audio in enumerate(clips, start=1):
            archive.writestr(f"{student}/{number:03d}.wav", wav_bytes(audio))
