"""Files made from recordings once, by workers, and made again only where something changed."""

import pickle
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from grader.audio.mel import COURSE
from grader.measuring import Recording
from grader.progress import Lines, Progress
from grader.rubric import SiteAudio
from grader.site.media import making
from grader.site.media.making import Media, Settings
from grader.store import Store, file_sha256
from grader.workers import Job, Pool
from tests.making import RATE_HZ, tone

SETTINGS = Settings(SiteAudio(format="mp3", kbps=36), COURSE)


class Place:
    """A folder with recordings of a reference and two students, and a site."""

    def __init__(self, root: Path) -> None:
        self.root, self.site = root, root / "site"
        self.references = [self.recording("reference", n, tone(0.5, 200 + 30 * n)) for n in (1, 2)]
        self.students = {
            who: [self.recording(who, n, 0.5 * tone(0.5, 200 + 30 * n + off)) for n in (1, 2)]
            for who, off in (("A1", 3), ("A2", 9))
        }

    def recording(self, who: str, number: int, audio: np.ndarray) -> Recording:
        path = self.root / who / f"{number:03d}.wav"
        path.parent.mkdir(exist_ok=True)
        sf.write(path, audio, RATE_HZ, subtype="PCM_16")
        return Recording(path.name, path, file_sha256(path), ("log2_f0", f"{who}{number}"))

    def make(
        self, settings: Settings = SETTINGS, processes: int = 1, shown: Progress | None = None
    ) -> dict[tuple[str, str], Media]:
        with Store(self.root / "store.sqlite") as store, making.workers(processes) as pool:
            return making.make(self.students, self.references, self.site, settings, store, pool, shown or Progress())

    def files(self) -> dict[str, int]:
        return {str(path.relative_to(self.site)): path.stat().st_ino for path in self.site.rglob("*") if path.is_file()}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_every_recording_has_its_files_and_nothing_else_lies_there(place: Place) -> None:
    made = place.make()
    assert sorted(made) == sorted((who, f"00{n}.wav") for who in ("", "A1", "A2") for n in (1, 2))
    named = {file for media in made.values() for file in media.files()}
    assert set(place.files()) == named
    assert made["", "001.wav"].difference is None
    assert made["A1", "001.wav"].difference is not None
    assert {made[who, "001.wav"].seconds for who in ("", "A1", "A2")} == {round(43 * 256 / RATE_HZ, 4)}
    assert made["A1", "001.wav"].scales == made["", "001.wav"].scales
    assert made["A1", "001.wav"].lufs == pytest.approx(made["", "001.wav"].lufs - 6.02, abs=0.2)  # type: ignore[operator]


def test_names_are_of_what_is_in_the_files_and_of_no_upload(place: Place) -> None:
    made = place.make()
    for file in place.files():
        assert Path(file).stem == file_sha256(place.site / file)[: making.NAME_DIGITS]
    uploads = {one.sha256[: making.NAME_DIGITS] for owned in place.students.values() for one in owned}
    assert not uploads & {Path(file).stem for media in made.values() for file in media.files()}


def test_a_second_run_makes_nothing(place: Place) -> None:
    first, files = place.make(), place.files()
    said: list[str] = []
    assert place.make(shown=Lines(said.append)) == first
    assert said == []
    assert place.files() == files


def test_only_what_changed_is_made_again(place: Place) -> None:
    first, files = place.make(), place.files()
    place.students["A2"][1] = place.recording("A2", 2, tone(0.5, 444))
    again = place.make()
    assert {where for where in first if first[where] != again[where]} == {("A2", "002.wav")}
    after = place.files()
    assert {name: after[name] for name in files} == files
    assert set(after) - set(files) == set(again["A2", "002.wav"].files())


def test_another_bitrate_is_another_sound_but_the_same_picture(place: Place) -> None:
    first = place.make()
    again = place.make(Settings(SiteAudio(format="opus", kbps=24), COURSE))
    assert again["A1", "001.wav"].audio.endswith(".opus")
    assert again["A1", "001.wav"].mel == first["A1", "001.wav"].mel


def test_a_file_that_is_gone_is_made_again(place: Place) -> None:
    made = place.make()
    (place.site / made["A1", "002.wav"].mel).unlink()
    assert place.make() == made
    assert (place.site / made["A1", "002.wav"].mel).is_file()


def test_a_recording_that_cannot_be_encoded_is_left_out_and_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    real = making.sound.encode

    def breaks(audio: np.ndarray, rate_hz: int, how: SiteAudio) -> making.sound.Encoded:
        if len(audio) == len(tone(0.6)):
            raise RuntimeError("no space in the coder")
        return real(audio, rate_hz, how)

    monkeypatch.setattr(making.sound, "encode", breaks)
    place.students["A1"][0] = place.recording("A1", 1, tone(0.6))
    said: list[str] = []
    made = place.make(shown=Lines(said.append))
    assert ("A1", "001.wav") not in made
    assert len(made) == 5
    assert any("A1 › 001.wav: neither sound nor picture: RuntimeError: no space in the coder" in line for line in said)


def test_jobs_and_results_can_cross_to_other_processes(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(self: Pool, jobs: Iterable[Job]) -> Iterator[tuple[Job, Any]]:
        function = pickle.loads(pickle.dumps(self._make))()
        for job in jobs:
            yield job, pickle.loads(pickle.dumps(function(pickle.loads(pickle.dumps(job.argument)))))

    here = place.make()
    (place.root / "store.sqlite").unlink()
    monkeypatch.setattr(Pool, "run", run)
    assert place.make(processes=2) == here
