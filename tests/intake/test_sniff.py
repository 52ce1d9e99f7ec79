"""Formats told by their first bytes."""

import io

import pytest
import soundfile as sf

from grader.intake.sniff import HEAD_BYTES, is_archive, kind
from tests.making import tone


@pytest.mark.parametrize(
    ("format", "subtype", "name"),
    [
        ("WAV", "PCM_16", "WAV"),
        ("RF64", "PCM_16", "WAV"),
        ("MP3", "MPEG_LAYER_III", "MP3"),
        ("FLAC", "PCM_16", "FLAC"),
        ("OGG", "VORBIS", "Ogg Vorbis"),
        ("OGG", "OPUS", "Ogg Opus"),
        ("AIFF", "PCM_16", "AIFF"),
        ("AU", "PCM_16", "AU"),
        ("CAF", "PCM_16", "CAF"),
        ("W64", "PCM_16", "Wave64"),
    ],
)
def test_sound(format: str, subtype: str, name: str) -> None:
    buffer = io.BytesIO()
    sf.write(buffer, tone(), 48000 if subtype == "OPUS" else 22050, format=format, subtype=subtype)
    assert kind(buffer.getvalue()[:HEAD_BYTES]) == name
    assert not is_archive(name)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\xff\xf1\x50\x80", "AAC"),
        (b"\xff\xfb\x90\x00", "MP3"),
        (b"\xff\xfe1\x000\x00", None),
        (b"\0\0\0\x20ftypM4A ", "MP4 or M4A (AAC)"),
        (b"  <!DOCTYPE html>", "web page (HTML)"),
        (b"RIFF\0\0\0\0AVI ", None),
        (b"", None),
    ],
)
def test_other_beginnings(head: bytes, name: str | None) -> None:
    assert kind(head) == name


@pytest.mark.parametrize(
    "head", [b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x00", b"\x1f\x8b\x08", b"\0" * 257 + b"ustar"]
)
def test_archives(head: bytes) -> None:
    assert is_archive(kind(head))
