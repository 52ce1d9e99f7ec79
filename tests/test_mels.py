"""`grader mels`: the course's mels from recordings, numbered so that nobody can mistake which is which."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from grader import mels, rubric
from grader.audio import wav
from grader.audio.mel import load_mel, mel_spectrogram
from grader.audio.resample import resample
from grader.cli import main
from grader.errors import CourseError
from tests.making import tone
from tests.shared import SHARED, needs_shared

RUBRIC = rubric.load()


def record(path: Path, *, rate: int = 48_000, seconds: float = 0.25, channels: int = 1, seed: int = 0) -> Path:
    audio = np.random.default_rng(seed).uniform(-0.5, 0.5, (round(rate * seconds), channels))
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, audio, rate, subtype="PCM_16")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("rate", "channels"), [(48_000, 1), (48_000, 2), (44_100, 1), (22_050, 2)])
def test_mel_and_reference_of_a_recording(tmp_path: Path, rate: int, channels: int) -> None:
    path = record(tmp_path / "in/song.wav", rate=rate, channels=channels)
    mels.make([path], tmp_path / "mels", RUBRIC, references=tmp_path / "private")
    recorded, _ = sf.read(path, dtype="float32", always_2d=True)
    mono = recorded.mean(axis=1)
    mel = load_mel(tmp_path / "mels/001.npy")
    assert mel.dtype == np.float32
    assert mel.shape == (80, -(-len(mono) * 22050 // rate) // 256)
    assert np.allclose(mel, mel_spectrogram(resample(mono, rate, 22050)), rtol=1e-5, atol=1e-7)
    reference, reference_rate = sf.read(tmp_path / "private/001.wav", dtype="float32")
    assert reference_rate == 22050
    assert np.array_equal(reference, wav.load(path))


@needs_shared
def test_equal_to_what_the_course_made(tmp_path: Path) -> None:
    """Golden mels of 48 kHz recordings, by the course's own program."""
    assert SHARED is not None
    recordings = SHARED / "singing/m4singer/samples_48k"
    made = mels.make([recordings], tmp_path / "mels", RUBRIC)
    stems = {path.stem: number for number, path in made.recordings.items()}
    with np.load(SHARED / "golden/coursemel.npz") as golden:
        for name in ("Alto-1_1", "Soprano-1_2", "Tenor-2_2"):
            mel = load_mel(tmp_path / f"mels/{stems[name]}.npy")
            assert mel.shape == golden[name].shape
            assert np.abs(mel - golden[name]).max() < 1e-4 * golden[name].max()


def test_counted_in_natural_order_of_all_inputs(tmp_path: Path) -> None:
    for name in ("b/take 10.wav", "b/take 9.FLAC", "a/z.flac", "b/deep/x.wav", "b/._take 9.wav", "b/notes.txt"):
        record(tmp_path / name) if not name.endswith(".txt") else (tmp_path / name).write_text("")
    made = mels.make([tmp_path / "b", tmp_path / "a/z.flac", tmp_path / "b/take 10.wav"], tmp_path / "out/m", RUBRIC)
    names = {number: path.relative_to(tmp_path).as_posix() for number, path in made.recordings.items()}
    assert names == {"001": "a/z.flac", "002": "b/deep/x.wav", "003": "b/take 9.FLAC", "004": "b/take 10.wav"}
    with (tmp_path / "out/m.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["clip"], row["recording"]) for row in rows] == [(n, f"../{name}") for n, name in names.items()]
    assert {row["sample_rate_hz"] for row in rows} == {"48000"}
    assert sorted(contents(tmp_path / "out/m")) == ["001.npy", "002.npy", "003.npy", "004.npy"]
    assert made.notes == ("the rubric counts 30 clips, 4 were made",)


def test_own_numbers_are_kept(tmp_path: Path) -> None:
    made = mels.make([record(tmp_path / "x/007.wav"), record(tmp_path / "a/002.flac", seed=1)], tmp_path / "m", RUBRIC)
    assert {number: path.name for number, path in made.recordings.items()} == {"002": "002.flac", "007": "007.wav"}


def test_two_recordings_of_one_number(tmp_path: Path) -> None:
    record(tmp_path / "in/001.wav")
    record(tmp_path / "in/001.flac", seed=1)
    with pytest.raises(CourseError, match=r"two recordings are called 001: .*001.flac and .*001.wav"):
        mels.make([tmp_path / "in"], tmp_path / "m", RUBRIC)


def test_the_same_twice_changes_nothing_and_other_contents_are_refused(tmp_path: Path) -> None:
    path = record(tmp_path / "in/a.wav")
    out, private = tmp_path / "m", tmp_path / "r"
    mels.make([path], out, RUBRIC, references=private)
    before = contents(tmp_path)
    mels.make([path], out, RUBRIC, references=private)
    assert contents(tmp_path) == before

    other = record(tmp_path / "in2/b.wav", seed=5)
    with pytest.raises(CourseError, match=r"already there with other contents: .*001.npy, .*001.wav") as caught:
        mels.make([other], out, RUBRIC, references=private)
    assert "--force" in caught.value.help
    other.unlink()
    assert contents(tmp_path) == before

    mels.make([record(other, seed=5)], out, RUBRIC, references=private, force=True)
    assert contents(out) != {"001.npy": before["m/001.npy"]}


def test_mels_left_over_are_named(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m/031.npy").write_bytes(b"")
    made = mels.make([record(tmp_path / "a.wav")], tmp_path / "m", RUBRIC)
    assert any("031.npy" in note for note in made.notes)


@pytest.mark.parametrize(
    ("audio", "rate", "said"),
    [
        (np.zeros(48_000), 48_000, "silent from end to end"),
        (np.ones(900), 48_000, "only 900 samples"),
        (np.ones(0), 48_000, "only 0 samples"),
        (np.ones(31 * 8000), 8000, "lasts 31.0 s; the rubric allows 30 s"),
        (np.full(48_000, np.nan), 48_000, "NaN"),
    ],
)
def test_unusable_recordings_write_nothing(tmp_path: Path, audio: np.ndarray, rate: int, said: str) -> None:
    sf.write(tmp_path / "b.wav", audio, rate, subtype="FLOAT")
    record(tmp_path / "a.wav")
    with pytest.raises(CourseError, match=said) as caught:
        mels.make([tmp_path / "a.wav", tmp_path / "b.wav"], tmp_path / "m", RUBRIC)
    assert "b.wav" in str(caught.value)
    assert sorted(contents(tmp_path)) == ["a.wav", "b.wav"]


def test_wrong_inputs(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.mp3").write_bytes(b"")
    (tmp_path / "fake.wav").write_text("no sound")
    for name, said in {
        "empty": "no wav or FLAC",
        "a.mp3": "not a .wav",
        "none.wav": "no such",
        "fake.wav": "not readable",
    }.items():
        with pytest.raises(CourseError, match=said):
            mels.make([tmp_path / name], tmp_path / "m", RUBRIC)


def test_the_rubrics_mel_is_made(tmp_path: Path) -> None:
    text = rubric.default_path().read_text(encoding="utf-8").replace("bands: 80 ", "bands: 64 ")
    mels.make([record(tmp_path / "a.wav")], tmp_path / "m", rubric.parse(text))
    assert np.load(tmp_path / "m/001.npy").shape[0] == 64


def test_the_command(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", tone(0.5), 22050)
    arguments = [str(tmp_path / "a.wav"), "--out", str(tmp_path / "m"), "--references", str(tmp_path / "r")]
    result = CliRunner().invoke(main, ["mels", *arguments])
    assert result.exit_code == 0
    assert f"{tmp_path / 'm'}: mels of 1 recordings, 0.5 s" in result.stdout
    assert "keep them private" in result.stdout
    assert "the rubric counts 30 clips, 1 were made" in result.stderr
    assert sorted(contents(tmp_path)) == ["a.wav", "m.csv", "m/001.npy", "r/001.wav"]

    (tmp_path / "m/001.npy").write_bytes(b"something else")
    result = CliRunner().invoke(main, ["mels", *arguments])
    assert result.exit_code == 2
    assert result.stderr.startswith("grader: already there with other contents")
    assert CliRunner().invoke(main, ["mels", *arguments, "--force"]).exit_code == 0
