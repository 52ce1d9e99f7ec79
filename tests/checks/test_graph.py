"""Checks as a graph: what is missing skips what needs it, a bug is told and stops nothing else."""

from collections.abc import Mapping
from typing import Any

import pytest

from grader import checks
from grader.checks.graph import Checked, Rules, run
from grader.checks.records import CheckResult, Status
from grader.checks.say import error, note
from grader.errors import CourseError
from grader.findings import Severity, Whose


def outcome(rule: Rules, given: Mapping[str, Any]) -> dict[str, CheckResult]:
    results, _ = run(rule.checks, given, {"extra": "there is none"})
    return {result.name: result for result in results}


def chain() -> Rules:
    rule = Rules("group")

    @rule()
    def first(number: int) -> Checked[int | None]:
        """The number is
        even."""
        if number % 2:
            yield error("odd", "here", "It is odd.")
            return None
        return number // 2

    @rule()
    def second(first: int) -> Checked[int]:
        """Its half is small."""
        if first > 10:
            yield error("large", "here", "{half} is large.", half=first)
        return first

    @rule(after=("second",))
    def third(extra: str) -> Checked[None]:
        """Something else."""
        yield note("seen", "there", extra)

    return rule


def test_values_go_from_check_to_check_by_name() -> None:
    results = outcome(chain(), {"number": 4, "extra": "said"})
    assert [result.status for result in results.values()] == [Status.PASSED] * 3
    assert results["third"].findings[0].what == "said"
    assert results["first"].sentence == "The number is even."


def test_what_needs_a_missing_value_is_skipped_not_failed() -> None:
    results = outcome(chain(), {"number": 3, "extra": "said"})
    assert [result.status for result in results.values()] == [Status.FAILED, Status.SKIPPED, Status.SKIPPED]
    assert results["third"].reason == results["second"].reason == "this does not hold: “The number is even.”"
    assert results["second"].findings == ()


def test_a_failed_check_that_has_a_value_holds_nothing_up() -> None:
    results = outcome(chain(), {"number": 40, "extra": "said"})
    assert [result.status for result in results.values()] == [Status.PASSED, Status.FAILED, Status.PASSED]
    assert results["second"].findings[0].what_text() == "20 is large."


def test_what_was_not_given_has_its_own_reason() -> None:
    results = outcome(chain(), {"number": 4, "extra": None})
    assert results["third"].status is Status.SKIPPED
    assert results["third"].reason == "there is none"


def test_a_bug_in_one_check_is_the_graders_and_the_rest_goes_on() -> None:
    rule = Rules("group")

    @rule()
    def breaks(number: int) -> Checked[int]:
        """It breaks."""
        yield note("before", "here", "Said before it broke.")
        return number // 0

    @rule()
    def needs_it(breaks: int) -> Checked[None]:
        """It needs what broke."""
        yield note("fine", "here", "{value}", value=breaks)

    @rule()
    def other(number: int) -> Checked[None]:
        """It is another."""
        yield note("fine", "here", "{value}", value=number)

    results = outcome(rule, {"number": 1})
    assert [result.status for result in results.values()] == [Status.BROKE, Status.SKIPPED, Status.PASSED]
    before, bug = results["breaks"].findings
    assert before.code == "before"
    assert (bug.code, bug.whose, bug.severity) == ("check-broke", Whose.GRADER, Severity.ERROR)
    assert "ZeroDivisionError" in bug.what_text()
    assert "test_graph.py" in bug.what_text()


def test_broken_surroundings_end_the_run() -> None:
    rule = Rules("group")

    @rule()
    def reads(number: int) -> Checked[None]:
        """It reads a course file."""
        yield note("a", "b", "c")
        raise CourseError(f"mel {number} is broken", help="make it again")

    with pytest.raises(CourseError):
        outcome(rule, {"number": 1})


def test_every_check_needs_only_what_stands_before_it() -> None:
    known = {"expected", "rubric", "known_id", "folder", "companions", "unpack_to", "mels", "hand_in"}
    for check in checks.CHECKS:
        assert set(check.needs) <= known, check.name
        assert check.name not in known
        known.add(check.name)


def test_every_check_has_a_sentence_a_student_can_read() -> None:
    for check in checks.CHECKS:
        assert check.sentence.endswith("."), check.name
        assert 15 < len(check.sentence) < 110, check.name
        assert "{" not in check.sentence
