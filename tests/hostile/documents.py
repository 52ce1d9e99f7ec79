"""Reports and requirements.txt that are careless or hostile. Whatever they are, the clips can still be scored."""

import io
import zlib
from pathlib import Path

from tests.hostile.corpus import STUDENT, Corpus, write_zip
from tests.making import pdf_bytes

documents = Corpus()
LINK = "https://drive.example.org/folder"


def _with_report(folder: Path, report: bytes | None = None, requirements: bytes = b"numpy\n") -> Path:
    good = pdf_bytes(f"Mel vocoder, {STUDENT}", link=LINK)
    (folder / f"{STUDENT}_report.pdf").write_bytes(good if report is None else report)
    (folder / f"{STUDENT}_README.txt").write_text("python inference.py\n")
    (folder / f"{STUDENT}_requirements.txt").write_bytes(requirements)
    return write_zip(folder)


@documents(None, status=0)
def good_documents(folder: Path) -> Path:
    return _with_report(folder)


@documents("report-damaged")
def not_a_pdf(folder: Path) -> Path:
    return _with_report(folder, b"PK\x03\x04 a Word document, renamed" + bytes(3000))


@documents("report-damaged")
def cut_off(folder: Path) -> Path:
    return _with_report(folder, pdf_bytes("x")[:200])


@documents("report-damaged")
def empty_report(folder: Path) -> Path:
    return _with_report(folder, b"")


@documents("report-encrypted", status=0)
def with_a_password(folder: Path) -> Path:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf_bytes(STUDENT, link=LINK))))
    writer.encrypt("secret", algorithm="RC4-128")
    buffer = io.BytesIO()
    writer.write(buffer)
    return _with_report(folder, buffer.getvalue())


@documents("report-shape", status=0)
def portrait_a4(folder: Path) -> Path:
    return _with_report(folder, pdf_bytes(STUDENT, link=LINK, width=595, height=842))


@documents("report-pages", status=0)
def two_pages(folder: Path) -> Path:
    return _with_report(folder, pdf_bytes(STUDENT, link=LINK, pages=2))


@documents("report-no-id", status=0)
def nobodys_report(folder: Path) -> Path:
    return _with_report(folder, pdf_bytes("Mel vocoder", link=LINK))


@documents("report-no-text", status=0)
def scanned_cover(folder: Path) -> Path:
    return _with_report(folder, pdf_bytes("", link=LINK))


@documents("report-no-link", status=0)
def no_link_to_the_code(folder: Path) -> Path:
    return _with_report(folder, pdf_bytes(STUDENT))


def _raw_pdf(*objects: bytes) -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalogue."""
    body, offsets = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    table += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    end = b"trailer\n<</Size %d /Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(body))
    return body + table + end


PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 960 540]/Contents 4 0 R>>"


@documents("report-no-text", status=0)
def text_that_unpacks_to_a_gigabyte(folder: Path) -> Path:
    zeros = bytes(1 << 20)
    packer = zlib.compressobj(9)
    first = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = ((1000 << 20) % 65521 << 16 | 1).to_bytes(4, "big")
    packed = first + again * 999 + b"\x03\0" + checksum
    stream = b"<</Filter/FlateDecode/Length %d>>\nstream\n%s\nendstream" % (len(packed), packed)
    report = _raw_pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", PAGE, stream)
    return _with_report(folder, report)


@documents("report-damaged")
def pages_in_a_circle(folder: Path) -> Path:
    report = _raw_pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2>>")
    return _with_report(folder, report)


@documents("report-too-much", status=0)
def a_page_tree_that_doubles_thirty_times(folder: Path) -> Path:
    tree = [b"<</Type/Pages/Kids[%d 0 R %d 0 R]/Count 2>>" % (number + 1, number + 1) for number in range(2, 32)]
    report = _raw_pdf(b"<</Type/Catalog/Pages 2 0 R>>", *tree, b"<</Type/Page/MediaBox[0 0 960 540]>>")
    return _with_report(folder, report)


@documents("requirements-unreadable", status=0)
def requirements_that_are_no_text(folder: Path) -> Path:
    return _with_report(folder, requirements=bytes(range(256)) * 20)


@documents("requirements-encoding", status=0)
def requirements_in_utf16_without_a_mark(folder: Path) -> Path:
    return _with_report(folder, requirements="numpy==1.26\n".encode("utf-16-le"))


@documents("requirements-encoding", status=0)
def requirements_in_big5(folder: Path) -> Path:
    return _with_report(folder, requirements="# 需要的套件\nnumpy\n".encode("cp950"))


@documents("requirements-missing", status=0)
def no_requirements(folder: Path) -> Path:
    path = _with_report(folder)
    (folder / f"{STUDENT}_requirements.txt").unlink()
    return path
