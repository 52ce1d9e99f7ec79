"""Quality points between anchors: by hand, monotone, and refused where a baseline stands in the wrong order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.errors import CourseError
from grader.grades.numbers import hundredths, plain
from grader.grades.points import Anchor, Curve, curve
from tests.grades.making import GRIFFIN_LIM, scores, the_rubric

HANDOUT = curve(the_rubric(), {"griffin_lim": GRIFFIN_LIM})


@pytest.mark.parametrize(
    ("score", "percent"),
    [
        (0.0, 100),
        (1.142, 100),
        (1.6866, 70),  # half way between 1.142 and Griffin-Lim
        (2.2312, 40),
        (3.3468, 20),  # half way between Griffin-Lim and twice it
        (4.4624, 0),
        (1e9, 0),
    ],
)
def test_straight_lines_between_the_anchors_and_flat_outside(score: float, percent: float) -> None:
    assert HANDOUT.percent(score) == percent


def test_the_sentence_holds_every_number() -> None:
    assert HANDOUT.why(1.6866, 50) == (
        "M-STFT 1.6866 lies between 1.1420, which earns 100 %, and Griffin-Lim (2.2312), which earns 40 %: "
        "70 % of 50 quality points = 35.00."
    )
    assert "better than) the best anchor, 1.1420: 100 % of 50 quality points = 50.00" in HANDOUT.why(0.9, 50)
    assert "worse than) the last anchor, Griffin-Lim × 2 (4.4624): 0 %" in HANDOUT.why(9, 50)


def test_a_baseline_better_than_the_number_above_it_is_refused_not_inverted() -> None:
    with pytest.raises(CourseError, match="contradict each other in M-STFT") as caught:
        curve(the_rubric(), {"griffin_lim": scores(0.9684, 0.158, 0.798)})
    assert "Griffin-Lim (0.9684) is better than 1.1420, but they earn 40 % and 100 %" in str(caught.value)
    assert "another score or percent" in caught.value.help


def test_two_percents_for_one_score_are_refused() -> None:
    rubric = the_rubric({"points.anchors": [{"score": 1.0, "percent": 50}, {"score": 1.0, "percent": 60}]})
    with pytest.raises(CourseError, match=r"are the same score but earn 60 % and 50 %"):
        curve(rubric, {})


def test_anchors_of_another_metric_are_refused() -> None:
    with pytest.raises(CourseError, match="contradict each other in log2-F0"):
        curve(the_rubric({"metrics.rank_by": "log2_f0"}), {"griffin_lim": GRIFFIN_LIM})


@pytest.mark.parametrize(
    ("score", "said"),
    [
        ("world", "there is no baseline 'world' here; scored are griffin_lim"),
        ("griffin_lim * 1.2.3", "'1.2.3' in 'griffin_lim \\* 1.2.3' is not a number"),
    ],
)
def test_an_anchor_that_means_nothing(score: str, said: str) -> None:
    rubric = the_rubric({"points.anchors": [{"score": score, "percent": 0}, {"score": 1.0, "percent": 100}]})
    with pytest.raises(CourseError, match=said):
        curve(rubric, {"griffin_lim": GRIFFIN_LIM})


def test_a_baseline_without_the_number() -> None:
    rubric = the_rubric({"metrics.rank_by": "fad"})
    with pytest.raises(CourseError, match="'griffin_lim \\* 2' has no value: Griffin-Lim got no FAD here"):
        curve(rubric, {"griffin_lim": scores(2.2, 0.1, None)})


def test_equal_neighbours_make_a_plateau() -> None:
    rubric = the_rubric(
        {"points.anchors": [{"score": s, "percent": p} for s, p in ((1.0, 80), (1.0, 80), (2.0, 80), (3.0, 0))]}
    )
    line = curve(rubric, {})
    assert [line.percent(value) for value in (0.5, 1.0, 1.5, 2.0, 2.5)] == [80, 80, 80, 80, 40]


def test_not_a_number_is_no_score() -> None:
    with pytest.raises(ValueError, match="not a number"):
        HANDOUT.percent(float("nan"))


lines = st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 100)), min_size=2, max_size=6).map(
    lambda pairs: Curve(
        "m_stft",
        "M-STFT",
        tuple(
            Anchor(score, percent)
            for score, percent in zip(
                sorted({score for score, _ in pairs}), sorted((p for _, p in pairs), reverse=True), strict=False
            )
        ),
    )
)


@given(lines, st.floats(0, 2e6), st.floats(0, 2e6))
def test_a_better_score_never_earns_less(line: Curve, one: float, other: float) -> None:
    better, worse = sorted((one, other))
    assert 0 <= line.percent(worse) <= line.percent(better) <= 100


@given(lines)
def test_every_anchor_earns_its_own_percent(line: Curve) -> None:
    assert [line.percent(anchor.score) for anchor in line.anchors] == [
        hundredths(anchor.percent) for anchor in line.anchors
    ]


@pytest.mark.parametrize(("value", "rounded"), [(0.125, 0.13), (2.675, 2.68), (41.7249, 41.72), (0.0, 0.0)])
def test_half_a_hundredth_goes_up(value: float, rounded: float) -> None:
    assert hundredths(value) == rounded


@pytest.mark.parametrize(("value", "text"), [(20.0, "20"), (39.5, "39.5"), (0.0, "0"), (100.0, "100"), (7.126, "7.13")])
def test_plain_numbers(value: float, text: str) -> None:
    assert plain(value) == text
