"""Hostile and careless hand-ins: each is made by one small function, which says what must be found."""

import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from grader import rubric
from tests.making import good_clips, tone, wav_bytes

STUDENT = "r12345678"
CLIPS = good_clips(STUDENT, seconds=0.2)
SAMPLES = 4410


@dataclass(frozen=True)
class Case:
    """make: writes a hand-in into an empty folder and returns its path. code: a finding it must have, None for none.

    status: the command's exit status. course: whether the folder is a course folder with test mels.
    """

    name: str
    make: Callable[[Path], Path]
    code: str | None
    status: int
    course: bool


class Corpus(list[Case]):
    def __call__(
        self, code: str | None, *, status: int = 1, course: bool = False
    ) -> Callable[[Callable[[Path], Path]], Callable[[Path], Path]]:
        def add(make: Callable[[Path], Path]) -> Callable[[Path], Path]:
            self.append(Case(make.__name__, make, code, status, course))
            return make

        return add


def clips(**changes: bytes | None) -> dict[str, bytes]:
    """A good hand-in's entries with some clips changed, or left out (None): ``clips(c003=b"")``."""
    entries: dict[str, bytes] = dict(CLIPS)
    for number, content in changes.items():
        name = f"{STUDENT}/{number[1:]}.wav"
        entries.pop(name)
        if content is not None:
            entries[name] = content
    return entries


def entry(name: str, *, mode: int = 0, method: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    """A zip entry whose name is written as it is given, with a Unix file mode."""
    info = zipfile.ZipInfo(name)
    info.filename = name
    info.create_system = 3
    info.external_attr = mode << 16
    info.compress_type = method
    return info


def write_zip(
    folder: Path,
    *more: tuple[zipfile.ZipInfo | str, bytes],
    entries: dict[str, bytes] | None = None,
    name: str = f"{STUDENT}.zip",
) -> Path:
    """A zip of good clips (or ``entries``) and ``more``, whatever their names."""
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        for inner, content in (CLIPS if entries is None else entries).items():
            archive.writestr(inner, content)
        for info, content in more:
            archive.writestr(info, content)
    return path


def patched(path: Path, before: bytes, after: bytes, *, all_of_them: bool = True) -> Path:
    """The file with some of its bytes replaced by as many others."""
    data = path.read_bytes()
    assert len(before) == len(after)
    assert before in data
    path.write_bytes(data.replace(before, after, -1 if all_of_them else 1))
    return path


def set_in_directory(path: Path, offset: int, value: bytes) -> Path:
    """Overwrite a field of every entry of a zip's central directory."""
    data = bytearray(path.read_bytes())
    at = 0
    while (at := data.find(b"PK\x01\x02", at)) >= 0:
        data[at + offset : at + offset + len(value)] = value
        at += 46
    path.write_bytes(data)
    return path


def end_record(entries: int, directory_bytes: int, directory_at: int) -> bytes:
    return struct.pack(
        "<4s4H2LH", b"PK\x05\x06", 0, 0, entries & 0xFFFF, entries & 0xFFFF, directory_bytes, directory_at, 0
    )


def directory_entry(name: bytes, packed: int, size: int, crc: int, offset: int, method: int = 8) -> bytes:
    return (
        struct.pack(
            "<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, method, 0, 0, crc, packed, size, len(name), 0, 0, 0, 0, 0, offset
        )
        + name
    )


def local_entry(name: bytes, packed: bytes, size: int, crc: int, method: int = 8) -> bytes:
    head = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, method, 0, 0, crc, len(packed), size, len(name), 0)
    return head + name + packed


def riff(
    samples: np.ndarray | bytes,
    *,
    tag: int = 1,
    channels: int = 1,
    rate: int = 22050,
    bits: int = 16,
    data_size: int | None = None,
    riff_size: int | None = None,
    magic: bytes = b"RIFF",
    before: bytes = b"",
) -> bytes:
    """A WAV file with every field of its header as wanted."""
    data = samples if isinstance(samples, bytes) else samples.tobytes()
    align = channels * bits // 8
    fmt = struct.pack("<HHIIHH", tag, channels, rate, rate * align & 0xFFFFFFFF, align & 0xFFFF, bits)
    chunks = before + b"fmt " + struct.pack("<I", len(fmt)) + fmt
    chunks += b"data" + struct.pack("<I", len(data) if data_size is None else data_size) + data
    size = len(chunks) + 4 if riff_size is None else riff_size
    return magic + struct.pack("<I", size) + b"WAVE" + chunks


def pcm(audio: np.ndarray | None = None) -> np.ndarray:
    return np.round((tone(0.2) if audio is None else audio) * 32767).astype("<i2")


def with_clip(folder: Path, content: bytes) -> Path:
    """A good hand-in whose third clip is replaced."""
    return write_zip(folder, entries=clips(c003=content))


def make_course(folder: Path) -> Path:
    """Make the folder a course: the packaged rubric and the test mels of the good clips. Returns its submissions."""
    from grader.audio.mel import mel_spectrogram

    (folder / "rubric.yaml").write_text(rubric.default_path().read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "test_mels").mkdir()
    (folder / "submissions").mkdir()
    for number in range(1, 31):
        np.save(folder / "test_mels" / f"{number:03d}.npy", mel_spectrogram(clip_audio(number)))
    return folder / "submissions"


def clip_audio(number: int, samples: int = 4352) -> np.ndarray:
    """A clip of a course made here: 17 frames of a tone that glides, each in its own place."""
    hz = np.geomspace(120, 3000, 30)[number - 1] * np.linspace(1, 1.2, samples)
    return (0.3 * np.sin(2 * np.pi * np.cumsum(hz) / 22050)).astype(np.float32)


def course_clips(audio: dict[int, np.ndarray] | None = None) -> dict[str, bytes]:
    """A good hand-in for that course, some clips replaced."""
    chosen = {number: clip_audio(number) for number in range(1, 31)} | (audio or {})
    return {f"{STUDENT}/{number:03d}.wav": wav_bytes(sound) for number, sound in chosen.items()}
