"""How a student's text file is written."""

import pytest

from grader.checks.companions import encoding_of

TEXT = "numpy==1.26\n# 說明：先裝 torch\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp950"])
def test_encodings_are_told_apart(encoding: str) -> None:
    data = TEXT.encode(encoding)
    found = encoding_of(data)
    assert found == encoding
    assert data.decode(found) == TEXT


@pytest.mark.parametrize(
    "data", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xff\xff", b"PK\x03\x04\x14\0\0\0", b"\x01\x02"]
)
def test_what_is_no_text(data: bytes) -> None:
    assert encoding_of(data) is None


def test_an_empty_file_is_text() -> None:
    assert encoding_of(b"") == "utf-8"
