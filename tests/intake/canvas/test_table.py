"""CSV files taken apart to the byte."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from grader.intake.canvas import table

LIKELY = st.text(st.sampled_from(list('ab",;\r\n 陳')), max_size=40)


@given(
    st.one_of(st.binary(max_size=80), LIKELY.map(str.encode), LIKELY.map(lambda text: text.encode("utf-8-sig"))),
    st.sampled_from([b",", b";", b"\t"]),
)
def test_joining_gives_the_same_bytes(content: bytes, delimiter: bytes) -> None:
    assert table.take_apart(content, delimiter).join() == content


@given(
    st.lists(st.lists(st.text(st.sampled_from(list('ab",;\n 陳')), max_size=6), min_size=1, max_size=4), max_size=5),
    st.sampled_from([",", ";"]),
    st.sampled_from(["\r\n", "\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_cells_say_what_the_csv_module_reads(rows: list[list[str]], delimiter: str, end: str, quoting: int) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    found = table.take_apart(b"\xef\xbb\xbf" + out.getvalue().encode(), delimiter.encode())
    expected = list(csv.reader(io.StringIO(out.getvalue(), newline=""), delimiter=delimiter))
    assert expected == rows
    assert [[table.value(cell).decode() for cell in line.cells] for line in found.lines] == expected
    assert found.closed
    assert found.mark


@given(LIKELY)
def test_strange_text_is_read_as_the_csv_module_reads_it(text: str) -> None:
    found = table.take_apart(text.encode())
    read = [[table.value(cell).decode() for cell in line.cells] for line in found.lines if line.cells != (b"",)]
    assert read == [row for row in csv.reader(io.StringIO(text, newline="")) if row]


def test_only_the_changed_cells_change() -> None:
    content = b'\xef\xbb\xbfa,"b ""x""",c\r\n1,"2\r\n3",\n4,5,6'
    found = table.take_apart(content)
    assert [line.number for line in found.lines] == [1, 2, 4]
    assert [line.end for line in found.lines] == [b"\r\n", b"\n", b""]
    new = found.join({(1, 2): b"9", (2, 0): table.like(b'"4"', b"7")})
    assert new == b'\xef\xbb\xbfa,"b ""x""",c\r\n1,"2\r\n3",9\n"7",5,6'


def test_a_quote_that_does_not_close_is_told() -> None:
    assert not table.take_apart(b'a,"b\nc').closed
    assert table.take_apart(b'a,"b""').closed is False
    assert table.take_apart(b'a,"b"""').closed
