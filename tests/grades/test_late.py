"""Lateness at every limit, across clock changes, and never to a student's gain."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.grades.late import TimeSource, deduct, duration, lateness
from tests.grades.making import the_rubric

TAIPEI = the_rubric()


def at(text: str, rubric: Any = TAIPEI) -> Any:
    time = dt.datetime.fromisoformat(text)
    return lateness(rubric, time if time.tzinfo else time.replace(tzinfo=rubric.zone), TimeSource.TABLE)


@pytest.mark.parametrize(
    ("submitted", "step", "percent"),
    [
        ("2023-11-01 23:59:00", 0, 0),
        ("2023-11-01 23:59:59.999999", 0, 0),
        ("2023-11-02 00:00:00", 1, 20),
        ("2023-11-02 23:59:59.999999", 1, 20),  # exactly 24 h
        ("2023-11-03 00:00:00", 2, 40),
        ("2023-11-03 23:59:59.999999", 2, 40),  # exactly 48 h
        ("2023-11-04 00:00:00", 3, 60),
        ("2024-06-01 00:00:00", 3, 60),
        ("2023-11-01T15:59:59+00:00", 0, 0),  # the same instant as 23:59:59 in Taipei
        ("2023-11-01T16:00:00+00:00", 1, 20),
    ],
)
def test_the_handouts_steps_at_their_limits(submitted: str, step: int, percent: float) -> None:
    late = at(submitted)
    assert (late.step, late.percent) == (step, percent)


def test_a_deadline_with_seconds_is_that_instant() -> None:
    rubric = the_rubric({"deadline": "2023-11-01 12:00:00"})
    assert at("2023-11-01 12:00:00", rubric).step == 0
    assert at("2023-11-01 12:00:00.000001", rubric).step == 1
    assert at("2023-11-02 12:00:00", rubric).step == 1
    assert at("2023-11-02 12:00:00.000001", rubric).step == 2


@pytest.mark.parametrize(
    ("deadline", "last_of_the_first_day"),
    [
        (
            "2023-10-28 12:00:00",
            "2023-10-29T11:00:00+01:00",
        ),  # Berlin's clocks go back that night: a day ends an hour early
        ("2023-03-25 12:00:00", "2023-03-26T13:00:00+02:00"),  # and forward: an hour late
    ],
)
def test_a_day_is_24_hours_also_where_the_clocks_change(deadline: str, last_of_the_first_day: str) -> None:
    rubric = the_rubric({"timezone": "Europe/Berlin", "deadline": deadline})
    last = dt.datetime.fromisoformat(last_of_the_first_day)
    assert lateness(rubric, last, TimeSource.TABLE).step == 1
    assert lateness(rubric, last + dt.timedelta(microseconds=1), TimeSource.TABLE).step == 2
    in_its_zone = last.astimezone(rubric.zone)
    assert lateness(rubric, in_its_zone, TimeSource.TABLE).delay == dt.timedelta(days=1)


def test_the_hour_that_comes_twice() -> None:
    rubric = the_rubric({"timezone": "Europe/Berlin", "deadline": "2023-10-29 02:30:00"})  # the first 02:30 counts
    first = dt.datetime(2023, 10, 29, 2, 30, tzinfo=rubric.zone)
    assert lateness(rubric, first, TimeSource.TABLE).step == 0
    again = lateness(rubric, first.replace(fold=1), TimeSource.TABLE)
    assert (again.step, again.delay) == (1, dt.timedelta(hours=1))


def test_grace_forgives_and_does_not_move_the_steps() -> None:
    rubric = the_rubric({"late.grace_minutes": 15})
    assert at("2023-11-02 00:14:59.999999", rubric).percent == 0  # exactly 15 min
    assert "within the grace of 15 min" in at("2023-11-02 00:14:59", rubric).why
    assert at("2023-11-02 00:15:00", rubric).percent == 20
    assert at("2023-11-02 23:59:59.999999", rubric).percent == 20
    assert at("2023-11-03 00:00:00", rubric).percent == 40


def test_without_steps_every_lateness_costs_the_last_percent() -> None:
    rubric = the_rubric({"late.steps": []})
    assert at("2023-11-01 23:59:59", rubric).percent == 0
    assert at("2023-11-02 00:00:00", rubric).percent == 60


def test_the_sentence_names_time_source_delay_and_cost() -> None:
    late = at("2023-11-02T03:12:30")
    assert late.why == (
        "Handed in 2023-11-02 03:12:30 (submissions.csv), 3 h 12 min after the deadline, 2023-11-01 23:59: "
        "late up to 1 day, which costs 20 % of the points earned."
    )
    assert "by the deadline" in at("2023-11-01T20:00:00").why
    assert "late by more than 2 days" in at("2023-11-05").why


@pytest.mark.parametrize(
    ("how", "remains"), [({}, 64.0), ({"late.deduct": "points"}, 60.0)], ids=["of what was earned", "of all points"]
)
def test_both_ways_to_deduct(how: dict[str, Any], remains: float) -> None:
    assert deduct(the_rubric(how).late, 80, 100, 20) == remains


def test_points_never_fall_below_nothing() -> None:
    assert deduct(the_rubric({"late.deduct": "points"}).late, 12.5, 100, 60) == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.000001, "less than a minute"),
        (59, "less than a minute"),
        (60, "1 min"),
        (3 * 3600 + 12 * 60 + 59, "3 h 12 min"),
        (86400, "1 d"),
        (3 * 86400 + 5 * 3600 + 60, "3 d 5 h"),
    ],
)
def test_a_delay_in_words(seconds: float, text: str) -> None:
    assert duration(dt.timedelta(seconds=seconds)) == text


times = st.datetimes(dt.datetime(2023, 10, 25), dt.datetime(2023, 11, 8)).map(lambda time: time.replace(tzinfo=dt.UTC))
policies = st.builds(
    lambda costs, days, grace, how, zone: the_rubric(
        {
            "timezone": zone,
            "deadline": "2023-10-29 02:30",
            "late.grace_minutes": grace,
            "late.deduct": how,
            "late.after_percent": max(costs),
            "late.steps": [
                {"days": day, "percent": cost} for day, cost in zip(sorted(days), sorted(costs)[:-1], strict=False)
            ],
        }
    ),
    st.lists(st.floats(0, 100), min_size=1, max_size=4),
    st.sets(st.floats(0.01, 6), max_size=3),
    st.floats(0, 3000),
    st.sampled_from(["factor", "points"]),
    st.sampled_from(["Asia/Taipei", "Europe/Berlin", "America/St_Johns"]),
)


@settings(deadline=None)
@given(policies, times, times, st.floats(0, 100))
def test_later_is_never_cheaper(rubric: Any, one: dt.datetime, other: dt.datetime, points: float) -> None:
    early, late = (lateness(rubric, time, TimeSource.FILE) for time in sorted((one, other)))
    assert early.percent <= late.percent
    remains = [deduct(rubric.late, points, 100, each.percent) for each in (early, late)]
    assert 0 <= remains[1] <= remains[0] <= round(points, 2) + 0.005
