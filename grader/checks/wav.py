"""Is every clip a whole wav file of the right format?

soundfile reads MP3 under the name of wav, and reads a truncated file short without a word; so the header is read here
first, and compared with the file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from grader.checks.graph import SkipError, Subject
from grader.findings import Finding, Severity
from grader.intake.interim_archive import Entry

_OTHER_FORMATS = (
    (b"ID3", "MP3"),
    (b"fLaC", "FLAC"),
    (b"OggS", "Ogg (Vorbis or Opus)"),
    (b"FORM", "AIFF"),
    (b".snd", "AU"),
    (b"caff", "CAF"),
    (b"PK\x03\x04", "zip"),
    (b"RIFX", "big-endian RIFF"),
    (b"\x93NUMPY", "NumPy .npy"),
)
_CODECS = {
    2: "Microsoft ADPCM",
    6: "A-law",
    7: "µ-law",
    0x11: "IMA ADPCM",
    0x31: "GSM 6.10",
    0x50: "MPEG",
    0x55: "MP3",
    0xFF: "AAC",
    0x674F: "Ogg Vorbis",
}
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_STREAMED = 0xFFFFFFFF
_WRITE = "write it with soundfile.write(path, audio, {rate}, subtype='PCM_16')"


@dataclass(frozen=True)
class Header:
    """What a wav file says of itself, and how many bytes of samples it holds."""

    codec: int
    channels: int
    rate_hz: int
    bits: int
    block_bytes: int
    declared_bytes: int
    held_bytes: int

    @property
    def seconds(self) -> float:
        return self.held_bytes / max(1, self.block_bytes) / max(1, self.rate_hz)


class _NoWavError(Exception):
    """Why bytes are no wav file: a finding's code, its sentence and facts."""

    def __init__(self, code: str, what: str, **facts: object) -> None:
        super().__init__(what)
        self.code, self.what, self.facts = code, what, facts


def read_header(path: Path) -> Header:
    """Walk the chunks of a RIFF or RF64 file up to its samples, reading nothing else."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        return _read_header(file, size)


def _read_header(file: BinaryIO, size: int) -> Header:
    head = file.read(12)
    if size == 0:
        raise _NoWavError("wav-empty", "is empty: 0 bytes")
    if head[:4] not in (b"RIFF", b"RF64") or head[8:12] != b"WAVE":
        for magic, name in _OTHER_FORMATS:
            if head.startswith(magic):
                raise _NoWavError("wav-other-format", "is a {found} file under the name of a wav", found=name)
        if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
            raise _NoWavError("wav-other-format", "is a {found} file under the name of a wav", found="MP3")
        raise _NoWavError("wav-not-wav", "is no wav file: it does not begin with RIFF … WAVE")
    large_bytes = None
    form: tuple[int, int, int, int, int] | None = None
    while len(chunk := file.read(8)) == 8:
        name, length = chunk[:4], struct.unpack("<I", chunk[4:])[0]
        if name == b"data":
            if form is None:
                break
            codec, channels, rate, block, bits = form
            declared = large_bytes if head[:4] == b"RF64" and large_bytes is not None else length
            held = min(size - file.tell(), declared) if declared != _STREAMED else size - file.tell()
            if declared == 0:
                held = size - file.tell()
            return Header(codec, channels, rate, bits, block, declared, held)
        body = file.read(min(length, 64))
        if name == b"ds64" and len(body) >= 16:
            large_bytes = struct.unpack_from("<Q", body, 8)[0]
        if name == b"fmt " and len(body) >= 16:
            codec, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", body)
            if codec == _EXTENSIBLE and len(body) >= 26:
                codec = struct.unpack_from("<H", body, 24)[0]
            form = codec, channels, rate, block, bits
        file.seek(length - len(body) + length % 2, 1)
    raise _NoWavError("wav-damaged", "breaks off before its samples: its header is not whole")


def clips_are_wav_files(subject: Subject) -> Iterator[Finding]:
    """Every clip is a whole wav file with plain samples in it."""
    if not subject.clips:
        raise SkipError("no clip was found")
    rate = subject.rubric.clips.sample_rate_hz
    for name, entry in subject.clips.items():
        finding = _unreadable(subject, entry, rate)
        if finding is None:
            subject.wavs[name] = entry
        else:
            yield finding


def clips_have_the_right_format(subject: Subject) -> Iterator[Finding]:
    """Every clip has the course's sample rate and is mono."""
    if not subject.wavs:
        raise SkipError("no clip can be read")
    clips = subject.rubric.clips
    for name, entry in list(subject.wavs.items()):
        header = read_header(entry.path)
        wrong = False
        if header.rate_hz != clips.sample_rate_hz:
            wrong = True
            yield Finding(
                "wav-sample-rate",
                Severity.ERROR,
                subject.at(entry),
                "has {found} Hz, expected {expected} Hz",
                "write it at the rate of the mels: soundfile.write(path, audio, {expected}); resample it only where "
                "your model works at {found} Hz",
                facts={"found": header.rate_hz, "expected": clips.sample_rate_hz},
            )
        if header.channels != clips.channels:
            wrong = True
            yield Finding(
                "wav-channels",
                Severity.ERROR,
                subject.at(entry),
                "has {found} channels, expected {expected}",
                "write one channel: audio of shape (samples,), not (samples, {found})",
                facts={"found": header.channels, "expected": clips.channels},
            )
        if header.seconds > clips.max_seconds and not wrong:
            wrong = True
            yield Finding(
                "wav-too-long",
                Severity.ERROR,
                subject.at(entry),
                "lasts {found} s; clips are under {most} s",
                "make it from its own mel: T frames give 256·T samples",
                facts={"found": f"{header.seconds:.1f}", "most": f"{clips.max_seconds:g}"},
            )
        if wrong:
            del subject.wavs[name]
        elif header.codec != _PCM or header.bits != 16 or header.declared_bytes == _STREAMED:
            yield Finding(
                "wav-encoding",
                Severity.NOTE,
                subject.at(entry),
                "is {found}; it is read as it is, 16-bit PCM is usual",
                facts={"found": _encoding(header)},
            )


def _unreadable(subject: Subject, entry: Entry, rate: int) -> Finding | None:
    """Why a clip is no whole wav file, None where it is one."""
    try:
        header = read_header(entry.path)
        if header.codec not in (_PCM, _FLOAT):
            codec = _CODECS.get(header.codec, f"codec {header.codec:#06x}")
            raise _NoWavError("wav-other-format", "holds {found} instead of plain samples", found=codec)
        if (
            header.channels == 0
            or header.rate_hz == 0
            or header.block_bytes != header.channels * ((header.bits + 7) // 8)
        ):
            raise _NoWavError(
                "wav-damaged",
                "has a header that cannot be: {channels} channels, {rate} Hz, {bits} bits",
                channels=header.channels,
                rate=header.rate_hz,
                bits=header.bits,
            )
        if header.declared_bytes == 0 and header.held_bytes:
            raise _NoWavError(
                "wav-header-size",
                "says in its header that it holds no samples, but {held} bytes follow: the program that wrote it was "
                "stopped, or never closed the file",
                held=header.held_bytes,
            )
        if header.held_bytes < header.block_bytes:
            raise _NoWavError("wav-empty", "holds no samples")
        if header.declared_bytes not in (0, _STREAMED) and header.held_bytes < header.declared_bytes:
            seconds = header.declared_bytes / header.block_bytes / header.rate_hz
            raise _NoWavError(
                "wav-truncated",
                "is cut off: its header says {declared} s, the file holds {held} s",
                declared=f"{seconds:.2f}",
                held=f"{header.seconds:.2f}",
            )
    except _NoWavError as error:
        facts = {**error.facts, "rate": rate}
        return Finding(error.code, Severity.ERROR, subject.at(entry), error.what, _WRITE, facts=facts)
    return None


def _encoding(header: Header) -> str:
    kind = {_PCM: "PCM", _FLOAT: "float"}[header.codec]
    streamed = ", its header without a length" if header.declared_bytes == _STREAMED else ""
    return f"{header.bits}-bit {kind}{streamed}"
