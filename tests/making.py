"""Makers of good clips, zips and documents, for tests to spoil."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile as sf

RATE_HZ = 22050


def tone(seconds: float = 0.5, hz: float = 220.0) -> np.ndarray:
    time = np.arange(int(RATE_HZ * seconds)) / RATE_HZ
    return (0.3 * np.sin(2 * np.pi * hz * time)).astype(np.float32)


def wav_bytes(audio: np.ndarray, rate: int = RATE_HZ, subtype: str = "PCM_16", format: str = "WAV") -> bytes:
    buffer = io.BytesIO()
    sf.write(buffer, audio, rate, subtype=subtype, format=format)
    return buffer.getvalue()


def good_clips(student: str = "r12345678", count: int = 30, seconds: float = 0.2) -> dict[str, bytes]:
    """Entries of a good hand-in by name; every clip another tone."""
    return {
        f"{student}/{number:03d}.wav": wav_bytes(tone(seconds, 150 + 10 * number)) for number in range(1, count + 1)
    }


def zipped(entries: Mapping[str, bytes], path: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def pdf_bytes(text: str, *, pages: int = 10, width: int = 960, height: int = 540, link: str | None = None) -> bytes:
    """A PDF with ``text`` on its first page, every page of the same size, and ``link`` as an annotation there."""
    from pypdf import PdfWriter
    from pypdf.annotations import Link
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = PdfWriter()
    for number in range(pages):
        page = writer.add_blank_page(width, height)
        if number == 0:
            font = DictionaryObject(
                {
                    NameObject("/Type"): NameObject("/Font"),
                    NameObject("/Subtype"): NameObject("/Type1"),
                    NameObject("/BaseFont"): NameObject("/Helvetica"),
                }
            )
            fonts = DictionaryObject({NameObject("/F1"): font})
            page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
            content = DecodedStreamObject()
            content.set_data(f"BT /F1 24 Tf 50 400 Td ({text}) Tj ET".encode("latin-1"))
            page[NameObject("/Contents")] = writer._add_object(content)
    if link is not None:
        writer.add_annotation(0, Link(rect=(50, 50, 200, 80), url=link))
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()
