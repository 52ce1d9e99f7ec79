"""Clips that are the same audio as another's."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest

from grader.audio import wav
from grader.progress import Progress
from grader.scoring import CourseScores
from grader.store import Store
from grader.tells import alike, waveform
from grader.tells.alignment import align, spectrum
from grader.tells.groups import groups
from tests.shared import SHARED, needs_shared
from tests.tells.making import RATE_HZ, Clips, a_class, recordings, voice
from tests.tells.test_waveform import mp3, noisy

NAMES = ["001.wav", "002.wav"]


def a_voice(seed: int) -> dict[str, np.ndarray]:
    return {name: voice(10 * seed + number) for number, name in enumerate(NAMES)}


REFERENCES = a_voice(0)


def late(audio: np.ndarray, samples: int) -> np.ndarray:
    return np.concatenate([np.zeros(samples, np.float32), audio]).astype(np.float32)


def pairs(found: CourseScores, store: Path) -> dict[tuple[str, str], list[str]]:
    with Store(store) as opened:
        told = alike.alike(found, RATE_HZ, 10.0, opened, Progress())
    return {pair: sorted(clips) for pair, clips in told.items()}


def test_copies_are_found_however_disguised(tmp_path: Path) -> None:
    own = {f"R{seed}": a_voice(seed) for seed in range(1, 6)}
    students: dict[str, Clips] = {
        **own,
        "S_EQUAL": own["R1"],
        "S_LATE": {
            name: -0.2 * np.concatenate([np.zeros(300), audio]).astype(np.float32) for name, audio in own["R2"].items()
        },
        "S_MP3": {name: mp3(audio) for name, audio in own["R3"].items()},
        "S_ONE": {**a_voice(9), "002.wav": noisy(own["R4"]["002.wav"], 15)},
    }
    found = a_class(tmp_path, students, REFERENCES)
    assert pairs(found, tmp_path / "store") == {
        ("R1", "S_EQUAL"): NAMES,
        ("R2", "S_LATE"): NAMES,
        ("R3", "S_MP3"): NAMES,
        ("R4", "S_ONE"): ["002.wav"],
    }


def test_a_baseline_handed_in_is_told_and_baselines_are_not_compared(tmp_path: Path) -> None:
    baselines = {"griffin_lim": a_voice(1), "other": a_voice(1)}
    found = a_class(tmp_path, {"R1": a_voice(2), "R2": a_voice(1)}, REFERENCES, baselines)
    with Store(tmp_path / "store") as store:
        (tell,) = alike.tells(found, RATE_HZ, 10.0, store, Progress())
    assert tell.students == ("R2",)
    assert "R2 and Griffin-Lim: 2 of 2 clips equal" in tell.sentence
    assert [sound.label for sound in tell.evidence[0].listen] == ["R2", "Griffin-Lim"]


def test_a_students_own_earlier_upload_is_no_copy_and_counts_as_the_students(tmp_path: Path) -> None:
    found = a_class(tmp_path, {"R1": a_voice(1), "R2": a_voice(2)}, REFERENCES)
    earlier = {"R1 (1 of 2)": found.recordings["R1"], "R2 (1 of 2)": recordings(tmp_path / "earlier", a_voice(1))}
    found = dataclasses.replace(found, recordings={**found.recordings, **earlier})
    with Store(tmp_path / "store") as store:
        (tell,) = alike.tells(found, RATE_HZ, 10.0, store, Progress())
        assert waveform.tells(found, RATE_HZ, 5.0, store, 1, Progress()) == []
    assert tell.students == ("R1", "R2")
    assert "R1 and R2 (1 of 2): 2 of 2 clips equal" in tell.sentence
    alone = dataclasses.replace(found, recordings={name: found.recordings[name] for name in ("R1", "R1 (1 of 2)")})
    assert pairs(alone, tmp_path / "store") == {}


def test_all_who_share_stand_together(tmp_path: Path) -> None:
    students = {
        "R1": a_voice(1),
        "R2": a_voice(1),
        "R3": {**a_voice(3), "001.wav": a_voice(1)["001.wav"]},
        "R4": a_voice(4),
    }
    with Store(tmp_path / "store") as store:
        (tell,) = alike.tells(a_class(tmp_path, students, REFERENCES), RATE_HZ, 10.0, store, Progress())
    assert tell.students == ("R1", "R2", "R3")
    assert len(tell.evidence) == 4
    assert tell.evidence[0].values == {"SI-SDR": "equal", "lag samples": 0}


def test_the_lag_has_the_sign_of_the_pair(tmp_path: Path) -> None:
    early = a_voice(1)["001.wav"]
    for first, second, lag in ((early, late(early, 100), 100), (late(early, 100), early, -100)):
        found = a_class(tmp_path / str(lag), {"R1": {"001.wav": first}, "R2": {"001.wav": second}}, {"001.wav": early})
        with Store(tmp_path / str(lag) / "store") as store:
            told = alike.alike(found, RATE_HZ, 10.0, store, Progress())
        assert told["R1", "R2"]["001.wav"][1] == lag


def test_what_is_known_is_not_compared_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = a_class(tmp_path, {"R1": a_voice(1), "R2": a_voice(1)}, REFERENCES)
    first = pairs(found, tmp_path / "store")
    monkeypatch.setattr(alike, "_compare", None)
    assert pairs(found, tmp_path / "store") == first == {("R1", "R2"): NAMES}


def test_silent_and_short_clips_are_nobodys_copy(tmp_path: Path) -> None:
    silent = np.zeros(2000, np.float32)
    students = {"R1": {"001.wav": silent}, "R2": {"001.wav": silent[:10]}, "R3": {"001.wav": voice(3)[:50]}}
    assert pairs(a_class(tmp_path, students, {"001.wav": voice(0)}), tmp_path / "store") == {}


def test_groups_join_what_hangs_together() -> None:
    assert groups([("b", "c"), ("x", "y"), ("a", "b"), ("c", "d")]) == [{"a", "b", "c", "d"}, {"x", "y"}]
    assert groups([]) == []


@needs_shared
def test_on_real_singing_systems_are_told_apart_and_the_quick_look_misses_no_copy(tmp_path: Path) -> None:
    assert SHARED is not None
    folder = SHARED / "singing" / "m4singer"
    lines = ["003", "007", "011", "014"]
    references = {f"{line}.wav": wav.load(folder / "ground_truth" / f"{line}.flac") for line in lines}
    systems = {
        path.name.upper(): {f"{line}.wav": wav.load(path / f"{line}.flac") for line in lines}
        for path in sorted((folder / "systems").iterdir())
    }
    copies = {
        f"{name}_COPY": {clip: noisy(audio, 12) for clip, audio in clips.items()} for name, clips in systems.items()
    }
    found = a_class(tmp_path, {**systems, **copies}, references)
    expected = {(name, f"{name}_COPY"): sorted(references) for name in systems}
    assert pairs(found, tmp_path / "store") == expected
    for first, second in itertools.combinations(systems, 2):
        for line in references:
            one, other = systems[first][line], systems[second][line]
            samples = max(len(one), len(other))
            aligned = align(spectrum(one, samples), spectrum(other, samples))
            assert aligned is not None
            assert aligned.si_sdr_db < 0
