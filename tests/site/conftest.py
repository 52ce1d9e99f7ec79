"""A class as it comes: good, worse, late, without times, without report points, failed, missing, some rerun."""

import datetime as dt

import pytest

from grader.findings import Severity, Whose
from grader.grades.leaderboard import Leaderboard, leaderboard
from grader.rerun.evidence import Kind
from tests.grades.making import ON_TIME, course, finding, rerun, result, scores, the_rubric


@pytest.fixture
def board() -> Leaderboard:
    return a_class()


def a_class(name: str = "R12922004", said: str = "The clip is named 3.wav.", fad_name: str = "FAD") -> Leaderboard:
    """``name`` and ``said`` are a ranked student's ID and what a finding and a rerun of that student say."""
    later = {hours: ON_TIME + dt.timedelta(hours=hours) for hours in (7, 27, 80)}
    warning = finding(Severity.WARNING, "{said}", "{said}", where=said, facts={"said": said})
    error = finding(Severity.ERROR, "The clip is silent.", "Write what your vocoder makes.")
    unmeasured = scores(2.5, 0.2, None, fad_name=fad_name, left_out={"fad": {"001.wav": "too few patches"}})
    found = course(
        result("R12922001", scores(1.1919, 0.1493, 0.278, fad_name=fad_name)),
        result("B10902017", scores(1.275, 0.1972, 0.261, fad_name=fad_name)),
        result(name, scores(1.3127, 0.1871, 0.942, fad_name=fad_name), findings=(warning, warning)),
        result("D11944011", scores(1.4408, 0.1127, 1.771, fad_name=fad_name), file_time=later[7]),
        result("R12922009", scores(1.4408, 16.3, 7.022, fad_name=fad_name)),
        result("R12922012", unmeasured),
        result("R12922007", None, failure="003.wav: The clip is silent.", whose=Whose.STUDENT, findings=(error,)),
        result("R12922008", None, failure=said, whose=Whose.GRADER, attempts=0),
        baselines={"griffin_lim": scores(2.2312, 0.1123, 3.41, fad_name=fad_name)},
    )
    times = {"R12922001": ON_TIME, "B10902017": ON_TIME, name: later[27], "R12922012": later[80]}
    reruns = {
        "R12922001": rerun("R12922001", Kind.REPRODUCED),
        name: rerun(name, Kind.FAILED, said, whose=Whose.STUDENT),
        "R12922007": rerun("R12922007", Kind.NOT_RUN, said, whose=Whose.ENVIRONMENT),
    }
    points = {"R12922001": 46, "B10902017": 41.5, name: 38, "R12922099": 12}
    return leaderboard(the_rubric(), found, times, points, reruns)
