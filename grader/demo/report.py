"""A small valid PDF, written by hand: pages of a given shape, text in Helvetica, a link on the first page."""

from __future__ import annotations

from collections.abc import Sequence

_LEFT, _TOP, _TITLE_SIZE, _TEXT_SIZE, _LEADING = 48, 80, 30, 16, 26


def pdf(pages: Sequence[tuple[str, Sequence[str]]], link: str, *, width: int = 960, height: int = 540) -> bytes:
    """A PDF with a title and lines of text (Latin letters) on each page, ``link`` below the first page's text.

    width, height: of every page, in points.
    """
    first_lines = len(pages[0][1])
    link_y = height - _TOP - _LEADING * (first_lines + 2)
    numbers = range(4, 4 + 2 * len(pages), 2)
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{' '.join(f'{number} 0 R' for number in numbers)}] >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, (title, lines) in zip(numbers, pages, strict=True):
        first = number == numbers[0]
        annotation = (
            f"/Annots [<< /Type /Annot /Subtype /Link /Border [0 0 0] /Rect [{_LEFT} {link_y - 4} {width - _LEFT} "
            f"{link_y + _TEXT_SIZE}] /A << /S /URI /URI {_string(link)} >> >>]"
        )
        text = [_line(_TITLE_SIZE, height - _TOP, title)]
        text += [_line(_TEXT_SIZE, height - _TOP - _LEADING * row, line) for row, line in enumerate(lines, 2)]
        if first:
            text.append(_line(_TEXT_SIZE, link_y, link))
        content = "\n".join(text)
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] /Contents {number + 1} 0 R "
            f"/Resources << /Font << /F1 3 0 R >> >> {annotation if first else ''} >>"
        )
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    return _file(objects)


def _line(size: int, y: int, text: str) -> str:
    return f"BT /F1 {size} Tf {_LEFT} {y} Td {_string(text)} Tj ET"


def _string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    return f"({escaped})"


def _file(objects: Sequence[str]) -> bytes:
    """Header, numbered objects, the table of where each begins, trailer."""
    out = bytearray(b"%PDF-1.4\n")
    starts = []
    for number, body in enumerate(objects, 1):
        starts.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(b"%010d 00000 n \n" % start for start in starts)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n".encode()
    return bytes(out)
