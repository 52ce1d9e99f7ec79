"""Names in a bulk download."""

import pytest

from grader.intake.canvas.naming import Named, again, read
from tests.intake.canvas.making import BRIEN, CHEN, JANE, entry_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("doejane_5001_700_r12345678.zip", Named(5001, 700, False, "r12345678.zip")),
        ("doejane_LATE_5001_700_r12345678-1.zip", Named(5001, 700, True, "r12345678-1.zip")),
        ("陳小明_5002_701_期末_2_3.pdf", Named(5002, 701, False, "期末_2_3.pdf")),
        ("late_5001_700_a.zip", Named(5001, 700, False, "a.zip")),
        ("van_der_berg_5001_700_1_2_3.zip", Named(5001, 700, False, "1_2_3.zip")),
        ("_5001_700_a.zip", Named(5001, 700, False, "a.zip")),
        ("doejane_LATE_5001_text.html", Named(5001, None, True, "text.html")),
        ("doejane_5001_link.html", Named(5001, None, False, "link.html")),
        ("anon_12_5001_700_a.zip", None),
        ("r12345678.zip", None),
        ("doejane_5001.zip", None),
        ("doejane_5001_700_", None),
        ("", None),
    ],
)
def test_names(name: str, expected: Named | None) -> None:
    assert read(name) == expected


@pytest.mark.parametrize("user", [JANE, CHEN, BRIEN])
@pytest.mark.parametrize("late", [False, True])
def test_what_canvas_writes_is_read(user: object, late: bool) -> None:
    assert read(entry_name(user, 9, "x_1_2.zip", late=late)) == Named(user.canvas_id, 9, late, "x_1_2.zip")  # type: ignore[attr-defined, arg-type]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("r1.zip", ("r1.zip", 0)),
        ("r1-2.zip", ("r1.zip", 2)),
        ("r1_report-10.pdf", ("r1_report.pdf", 10)),
        ("a-1.tar.gz", ("a.tar.gz", 1)),
        ("2023-11-01", ("2023-11-01", 0)),
    ],
)
def test_numbers_of_resubmissions(file: str, expected: tuple[str, int]) -> None:
    assert again(file) == expected
