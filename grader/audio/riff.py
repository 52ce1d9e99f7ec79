"""The header of a WAV file, read without trusting it: what libsndfile repairs or hides in silence.

Source of the definition: Microsoft's RIFF/WAVE (``fmt ``, ``data``, WAVE_FORMAT_EXTENSIBLE) and EBU Tech 3306 (RF64,
``ds64``). Sizes are in bytes, a frame is one sample of every channel. Nothing is allocated by what a header says.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

PCM, FLOAT, EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
TAGS = {
    PCM: "PCM", FLOAT: "float", 0x0002: "Microsoft ADPCM", 0x0006: "A-law", 0x0007: "µ-law", 0x0011: "IMA ADPCM",
    0x0031: "GSM 6.10", 0x0050: "MPEG", 0x0055: "MP3", 0x0161: "Windows Media", 0x1610: "AAC", 0x00FF: "AAC",
}  # fmt: skip
_UNKNOWN_SIZE = 0xFFFFFFFF
_MOST_CHUNKS = 256
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")


class BadHeader(Exception):
    """Not a WAV file, or one whose header makes no sense; ``str(error)`` says what is missing."""


@dataclass(frozen=True)
class Header:
    """What a WAV file says about itself, and what is there.

    tag: format tag, that of the subformat for EXTENSIBLE; bits: container size of one sample.
    claimed_bytes: size of the ``data`` chunk, None where it is written as unknown (a streamed header).
    present_bytes: bytes of the file that can belong to it. leftover_bytes: bytes behind it that are no chunk.
    """

    rf64: bool
    extensible: bool
    tag: int
    channels: int
    sample_rate_hz: int
    frame_bytes: int
    bits: int
    claimed_bytes: int | None
    present_bytes: int
    leftover_bytes: int

    @property
    def encoding(self) -> str:
        """Such as ``16-bit PCM`` or ``µ-law``."""
        name = TAGS.get(self.tag, f"format 0x{self.tag:04x}")
        return f"{self.bits}-bit {name}" if self.tag in (PCM, FLOAT) else name

    @property
    def linear(self) -> bool:
        """Whether samples are plain numbers of a size that exists."""
        sizes = {PCM: (8, 16, 24, 32), FLOAT: (32, 64)}.get(self.tag, ())
        return self.bits in sizes and self.channels > 0 and self.frame_bytes == self.channels * self.bits // 8

    @property
    def frames(self) -> int:
        """Frames that are really there."""
        size = self.present_bytes if self.claimed_bytes is None else min(self.claimed_bytes, self.present_bytes)
        return size // max(self.frame_bytes, 1)

    @property
    def claimed_frames(self) -> int | None:
        return None if self.claimed_bytes is None else self.claimed_bytes // max(self.frame_bytes, 1)


def read_header(path: Path) -> Header:
    """Read a WAV file's header. Raises :class:`BadHeader`, and :class:`OSError` where the file cannot be read."""
    with path.open("rb") as file:
        file_bytes = file.seek(0, 2)
        file.seek(0)
        head = file.read(12)
        if len(head) < 12 or head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:] != b"WAVE":
            raise BadHeader("it does not start as a WAV file does")
        return _walk(file, file_bytes, rf64=head[:4] != b"RIFF")


def _walk(file: BinaryIO, file_bytes: int, *, rf64: bool) -> Header:
    """Go through the chunks up to ``data``."""
    fmt: bytes | None = None
    data_size_64: int | None = None
    for _ in range(_MOST_CHUNKS):
        chunk = file.read(8)
        if len(chunk) < 8:
            raise BadHeader("it has no sound in it (no “data” chunk)")
        name, size = struct.unpack("<4sI", chunk)
        start = file.tell()
        if name == b"fmt ":
            fmt = file.read(min(size, 40))
        elif name == b"ds64":
            sizes = file.read(min(size, 16))
            data_size_64 = struct.unpack("<8xQ", sizes)[0] if len(sizes) == 16 else None
        elif name == b"data":
            if fmt is None or len(fmt) < 16:
                raise BadHeader("it does not say its sample rate before the sound (no “fmt ” chunk)")
            claimed: int | None = size
            if size == _UNKNOWN_SIZE:
                claimed = data_size_64 if rf64 else None
            return _header(file, file_bytes - start, fmt, claimed, rf64)
        file.seek(start + size + size % 2)
    raise BadHeader("it has no sound in its first chunks (no “data” chunk)")


def _header(file: BinaryIO, present: int, fmt: bytes, claimed: int | None, rf64: bool) -> Header:
    tag, channels, rate, _, frame_bytes, bits = struct.unpack("<HHIIHH", fmt[:16])
    extensible = tag == EXTENSIBLE
    if extensible:
        if len(fmt) < 40:
            raise BadHeader("its header is cut off (a WAVE_FORMAT_EXTENSIBLE without its format)")
        subformat = fmt[24:40]
        tag = struct.unpack("<H", subformat[:2])[0] if subformat[2:] == _GUID_TAIL else EXTENSIBLE
    leftover = 0
    if claimed is not None and claimed < present:
        behind = present - claimed - claimed % 2
        file.seek(-behind, 2) if behind > 0 else file.seek(0, 2)
        leftover = 0 if _is_chunk(file.read(8), behind) else max(behind, 0)
    return Header(rf64, extensible, tag, channels, rate, frame_bytes, bits, claimed, present, leftover)


def _is_chunk(start: bytes, room: int) -> bool:
    """Whether bytes behind the sound begin another chunk that fits."""
    if len(start) < 8:
        return False
    name, size = struct.unpack("<4sI", start)
    return all(0x20 <= byte < 0x7F for byte in name) and size + 8 <= room
