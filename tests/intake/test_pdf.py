"""A stranger's PDF is read at arm's length."""

import subprocess
import sys
from pathlib import Path

import pytest

from grader.intake import pdf
from tests.making import pdf_bytes


@pytest.fixture
def report(tmp_path: Path) -> Path:
    (tmp_path / "report.pdf").write_bytes(pdf_bytes("Vocoder, R12345678", pages=3, link="https://drive.example.org/x"))
    return tmp_path / "report.pdf"


def test_what_a_pdf_holds(report: Path) -> None:
    found = pdf.look_into(report)
    assert found.pages == 3
    assert found.sizes == ((960.0, 540.0),) * 3
    assert found.text == "Vocoder, R12345678"
    assert found.links == ("https://drive.example.org/x",)


def test_a_turned_page_is_measured_as_it_is_shown(tmp_path: Path) -> None:
    from pypdf import PdfWriter

    writer = PdfWriter()
    writer.add_blank_page(540, 960).rotate(90)
    writer.write(tmp_path / "turned.pdf")
    assert pdf.look_into(tmp_path / "turned.pdf").sizes == ((960.0, 540.0),)


def test_a_reader_that_takes_too_long_is_ended(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "_MOST_SECONDS", 0.01)
    with pytest.raises(pdf.PdfProblem, match="longer than") as caught:
        pdf.look_into(report)
    assert caught.value.kind == "too-much"


def test_a_file_that_is_too_large_is_not_opened(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "_MOST_FILE_BYTES", 100)
    with pytest.raises(pdf.PdfProblem, match="larger than"):
        pdf.look_into(report)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps to RLIMIT_AS")
def test_the_reader_cannot_take_more_memory() -> None:
    script = "from grader.intake import pdf; pdf._limit(); bytearray(450_000_000)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "MemoryError" in done.stderr


def test_nothing_is_imported_from_the_folder_one_stands_in(
    report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json", "pypdf", "logging"):
        (tmp_path / f"{name}.py").write_text("open('was-here', 'w')")
    monkeypatch.chdir(tmp_path)
    assert pdf.look_into(report).pages == 3
    assert not (tmp_path / "was-here").exists()
