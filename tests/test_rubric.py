"""rubric.yaml: the handout's facts, every key explained, every mistake told with its line."""

import datetime as dt
import re

import pytest
import yaml

from grader import rubric
from grader.errors import RubricError

TEXT = rubric.default_path().read_text(encoding="utf-8")


def changed(before: str, after: str) -> str:
    assert TEXT.count(before) == 1
    return TEXT.replace(before, after)


def problems(text: str) -> str:
    with pytest.raises(RubricError) as caught:
        rubric.parse(text, "r.yaml")
    assert caught.value.help
    return str(caught.value)


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def test_states_the_homework_as_the_handout_does() -> None:
    homework = rubric.load()
    assert homework.deadline_at == dt.datetime.fromisoformat("2023-11-01T23:59:59.999999+08:00")
    assert homework.clips.names()[0] == "001.wav"
    assert homework.clips.names()[-1] == "030.wav"
    assert len(homework.clips.names()) == 30
    assert (homework.clips.sample_rate_hz, homework.clips.channels, homework.clips.max_seconds) == (22050, 1, 30)
    assert (homework.mel.bands, homework.mel.n_fft, homework.mel.hop_length, homework.mel.fmax_hz) == (
        80,
        1024,
        256,
        8000,
    )
    assert (homework.points.quality, homework.points.report, homework.semester_weight_percent) == (50, 50, 20)
    assert [(step.days, step.percent) for step in homework.late.steps] == [(1, 20), (2, 40)]
    assert homework.late.after_percent == 60


def test_every_key_is_explained_on_its_line() -> None:
    unexplained = [
        line for line in TEXT.splitlines() if re.match(r"\s*[a-z_0-9]+:", line) and not re.search(r"\s# \S", line)
    ]
    assert unexplained == []


@pytest.mark.parametrize(
    ("before", "after", "place", "said"),
    [
        ("hop_length: 256", "hop_lenght: 256", "hop_lenght", "mel.hop_lenght: unknown key; did you mean hop_length?"),
        (
            "rank_by: m_stft",
            "rank_by: fadd",
            "rank_by",
            "metrics.rank_by: must be 'm_stft', 'log2_f0' or 'fad'; found 'fadd'",
        ),
        ("count: 30", "count: thirty", "count: thirty", "clips.count: must be a valid integer; found 'thirty'"),
        ("count: 30", "count: 30.5", "count: 30.5", "clips.count: must be a valid integer; found 30.5"),
        (
            "after_percent: 60",
            "after_percent: 160",
            "after_percent",
            "late.after_percent: must be less than or equal to 100",
        ),
        ("after_percent: 60", "after_percent: 30", "late:", "a later step must not cost less than an earlier one"),
        ("timezone: Asia/Taipei", "timezone: Taipei", "timezone", "timezone: must be an IANA time zone"),
        (
            "deadline: 2023-11-01 23:59",
            "deadline: 1 Nov",
            "deadline",
            "deadline: must be a time such as 2023-11-01 23:59",
        ),
        ("{days: 1, percent: 20}", "{days: 1, percentt: 20}", "percentt", "unknown key; did you mean percent?"),
        ("score: griffin_lim, percent: 40", "score: griffin lim?, percent: 40", "griffin lim?", "must be a number"),
        (
            "wheels_only: true",
            "wheels_only: yes",
            "wheels_only",
            "rerun.wheels_only: must be a valid boolean; found 'yes'",
        ),
        ('name: "{number:03d}.wav"', "name: clip.wav", "clip.wav", "clips.name: must be a .wav file name"),
        (" --output_dir {out}", "", "command:", "rerun.command: must hold {mels} and {out}"),
    ],
)
def test_a_mistake_is_told_with_file_line_key_and_what_is_allowed(
    before: str, after: str, place: str, said: str
) -> None:
    text = changed(before, after)
    message = problems(text)
    assert said in message
    assert f"r.yaml:{line_of(text, place)}:" in message


def test_all_mistakes_are_told_at_once() -> None:
    text = TEXT.replace("hop_length:", "hop:").replace("rank_by: m_stft", "rank_by: x")
    assert len(problems(text).splitlines()) == 3  # the unknown key, the missing one, the wrong value


def test_a_key_that_stands_twice() -> None:
    text = changed("title: HW2", "title: HW1\ntitle: HW2")
    assert problems(text) == "r.yaml:5: title: stands twice"


@pytest.mark.parametrize("text", ["", "# nothing", "- a list", "just text"])
def test_a_file_without_keys(text: str) -> None:
    assert "holds no keys" in problems(text)


def test_broken_yaml_names_its_line() -> None:
    assert problems("title: HW2\n  course: [1, 2\n").startswith("r.yaml:2: not valid YAML")


def test_an_unreadable_file(tmp_path) -> None:
    with pytest.raises(RubricError, match="cannot be read"):
        rubric.load(tmp_path / "rubric.yaml")


def test_the_model_and_the_file_name_the_same_keys() -> None:
    assert set(yaml.safe_load(TEXT)) == set(rubric.Rubric.model_fields)


METRICS = "  metrics: [{{metric: {}, anchors: [{{score: 1.0, percent: 100}}, {{score: 2.0, percent: 0}}]}}]\n"
ANCHORS = TEXT[TEXT.index("  anchors:") : TEXT.index("bonus:")]


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (METRICS.format("m_stft, weight: 2"), None),
        ("", "points: needs either anchors"),
        (ANCHORS + METRICS.format("m_stft, weight: 2"), "points: needs either anchors"),
        (METRICS.format("fad, weight: 1"), "must hold m_stft, the ranking metric"),
        (METRICS.format("m_stft, wait: 1"), "points.metrics.0.wait: unknown key; did you mean weight?"),
    ],
)
def test_points_by_the_ranking_metric_or_by_several(points: str, said: str | None) -> None:
    text = TEXT.replace(ANCHORS, points)
    if said is None:
        assert rubric.parse(text).points.metrics
    else:
        assert said in problems(text)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2023-11-03 23:59", "2023-11-03T23:59:59.999999+08:00"),
        ("2023-11-03 23:59:00", "2023-11-03T23:59:00+08:00"),
        ("2023-11-03", "2023-11-03T23:59:59.999999+08:00"),
        ("2023-11-03T23:59+01:00", "2023-11-03T23:59:59.999999+01:00"),
        ("20231103T235900Z", "2023-11-03T23:59:00+00:00"),
        ("2023-11-03T10:00:00.5", "2023-11-03T10:00:00.500000+08:00"),
    ],
)
def test_a_time_without_seconds_lasts_until_its_end(text: str, end: str) -> None:
    assert rubric.last_instant(text, rubric.load().zone) == dt.datetime.fromisoformat(end)
