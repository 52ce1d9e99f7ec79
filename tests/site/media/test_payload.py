"""A clip's script: levels made equal by turning down only, curves that read back, and text that stays text."""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest

from grader.audio.mel import COURSE
from grader.metrics.pitch import PitchTrack, Thresholds
from grader.metrics.scores import ClipScore
from grader.rubric import SiteAudio
from grader.site.media import payload, tracks
from grader.site.media.making import Media, Settings
from grader.site.media.payload import Source

SETTINGS = Settings(SiteAudio(format="mp3", kbps=36), COURSE)
MEDIA = Media(
    "audio/a.mp3",
    "pictures/m.webp",
    "pictures/l.webp",
    None,
    1.5,
    -20.0,
    -21.0,
    "AAAA",
    0.5,
    {"mel": [-60.0, 15.0], "linear": [-58.0, 17.0]},
)


def levels(*lufs: float | None) -> list[Media]:
    return [replace(MEDIA, lufs=each, rms_db=each) for each in lufs]


def test_everyone_is_turned_down_to_the_quietest() -> None:
    assert payload.level_gains(levels(-20, -23.5, -18)) == ("lufs", [-3.5, 0, -5.5])


def test_one_far_too_quiet_or_silent_turns_nobody_down() -> None:
    assert payload.level_gains(levels(-20, -22, -50, -21, None))[1] == [-2, 0, 0, -1, None]


def test_silence_everywhere() -> None:
    assert payload.level_gains(levels(None, None))[1] == [None, None]


def test_rms_where_one_is_too_short_for_the_standard() -> None:
    short = replace(MEDIA, lufs=None, rms_db=-30.0)
    assert payload.level_gains([MEDIA, short]) == ("rms_db", [-9.0, 0.0])


def test_the_data_of_a_clip() -> None:
    student = replace(MEDIA, audio="audio/b.mp3", difference="pictures/d.webp", lufs=-18.0)
    sources = [
        Source("reference", "reference", "Recording", MEDIA, "AAA=", None),
        Source("R1", "student", "R1", student, None, ClipScore("007.wav", 1.5, None, 0, 100)),
    ]
    data = payload.clip("007.wav", sources, SETTINGS, (50.0, 2100.0))
    assert data["clip"] == "007"
    assert data["level"] == "BS.1770"
    assert data["scales"]["mel"] == {"min_hz": 0, "max_hz": 8000, "low_db": -60, "high_db": 15}
    assert data["scales"]["linear"]["max_hz"] == 11025
    assert [source["gain_db"] for source in data["sources"]] == [0, -2]
    assert data["sources"][1]["scores"] == {"m_stft": 1.5, "log2_f0": None}
    assert data["sources"][1]["difference"] == "pictures/d.webp"


def test_names_cannot_end_the_script() -> None:
    name = "</script><b>\u2028\"'"
    text = payload.script(
        payload.clip("001.wav", [Source(name, "student", name, MEDIA, None, None)], SETTINGS, (50, 2100))
    )
    assert "<" not in text
    assert text.isascii()
    assert text.startswith('grader.clip("001",{')
    data = json.loads(text.removeprefix('grader.clip("001",').removesuffix(");\n"))
    assert data["sources"][0]["label"] == name


def test_a_page_may_hold_the_files_itself() -> None:
    data = payload.clip("001.wav", [Source("a", "student", "a", MEDIA, None, None)], SETTINGS, (50, 2100))
    inside = payload.in_place(data, lambda name: f"data:{name}")
    assert inside["sources"][0]["audio"] == "data:audio/a.mp3"
    assert inside["sources"][0]["difference"] is None
    assert data["sources"][0]["audio"] == "audio/a.mp3"


def test_curves_read_back_in_cents() -> None:
    track = PitchTrack(np.array([440.0, 440.0, 20.0, 100.0]), np.array([0.9, 0.3, 0.9, 0.9]))
    cents = np.frombuffer(base64.b64decode(tracks.encode(track, Thresholds())), "<i2")
    assert cents.tolist() == [6551, -1, -1, 3986]
    assert 10 * 2 ** (cents[0] / 1200) == pytest.approx(440, rel=1e-3)
