"""What a file really is, by its first bytes, whatever it is called."""

from __future__ import annotations

from pathlib import Path

HEAD_BYTES = 512

_ARCHIVES = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PK\x07\x08", "part of a split zip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"\x1f\x8b", "tar.gz (gzip)"),
    (b"BZh", "tar.bz2 (bzip2)"),
    (b"\xfd7zXZ\0", "tar.xz (xz)"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)
_AUDIO = (
    (b"fLaC", "FLAC"),
    (b"ID3", "MP3"),
    (b".snd", "AU"),
    (b"caff", "CAF"),
    (b"riff\x2e\x91\xcf\x11", "Wave64"),
    (b"RIFX", "big-endian WAV (RIFX)"),
)
_OTHER = (
    (b"%PDF", "PDF"),
    (b"\x93NUMPY", "NumPy array (.npy)"),
    (b"\x89PNG", "PNG picture"),
    (b"\xff\xd8\xff", "JPEG picture"),
    (b"\x1aE\xdf\xa3", "Matroska or WebM"),
    (b"MZ", "Windows program"),
)


def kind(head: bytes) -> str | None:
    """The format of a file that starts with ``head`` (:data:`HEAD_BYTES` of it), or None where it is not known."""
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return "WAV"
    if head[:4] == b"FORM" and head[8:11] == b"AIF":
        return "AIFF"
    if head[:4] == b"OggS":
        return "Ogg Opus" if b"OpusHead" in head[:64] else "Ogg Vorbis" if b"vorbis" in head[:64] else "Ogg"
    if head[4:8] == b"ftyp":
        return "MP4 or M4A (AAC)"
    for magic, name in _ARCHIVES + _AUDIO + _OTHER:
        if head.startswith(magic):
            return name
    if head[257:262] == b"ustar":
        return "tar"
    if len(head) > 2 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "AAC"
    if len(head) > 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06 and head[1] != 0xFE:
        return "MP3"
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "web page (HTML)"
    return None


def is_archive(name: str | None) -> bool:
    return name == "tar" or any(name == known for _, known in _ARCHIVES)


def head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)
