"""`grader demo`: the same bytes every time, and every pretend student shows what it is there to show."""

import io
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner
from pypdf import PdfReader

from grader import checks, mels, rerun, rubric
from grader.audio import wav
from grader.audio.mel import load_mel
from grader.cli import main
from grader.course import Course
from grader.demo.course import make
from grader.demo.singing import RATE_HZ, SINGERS, sing
from grader.demo.students import STUDENTS
from grader.errors import CourseError
from grader.findings import Severity
from grader.intake import handins
from grader.metrics.m_stft import m_stft
from grader.metrics.pitch import PitchTracker
from grader.progress import Progress
from grader.rerun import run, sandbox
from grader.rerun.comparison import Tier
from grader.rerun.requirements import Rules, repair
from grader.store import file_sha256
from reference_vocoders.griffin_lim import griffin_lim

BY_ID = {student.student_id: student for student in STUDENTS}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Course:
    root = tmp_path_factory.mktemp("demo") / "course"
    assert make(root, Progress())
    return Course(root)


def hashes(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): file_sha256(path) for path in root.rglob("*") if path.is_file()}


def clips(demo: Course, student_id: str) -> dict[str, tuple[np.ndarray, int]]:
    """Samples and rate of each clip of a hand-in, by the name within its folder."""
    with zipfile.ZipFile(demo.submissions / f"{student_id}.zip") as archive:
        assert {Path(name).parent.name for name in archive.namelist()} == {student_id}
        return {
            Path(name).name: sf.read(io.BytesIO(archive.read(name)), dtype="float32") for name in archive.namelist()
        }


def distance(demo: Course, student_id: str, numbers: tuple[int, ...] = (3, 25)) -> float:
    found = clips(demo, student_id)
    scores = []
    for number in numbers:
        name = BY_ID[student_id].clip_name.format(number=number)
        scores.append(m_stft(found[name][0], wav.load(demo.references / f"{number:03d}.wav")))
    return float(np.mean(scores))


def test_made_anew_where_a_file_changed_and_left_alone_where_none_did(demo: Course) -> None:
    before = hashes(demo.root)
    assert not make(demo.root, Progress())
    (demo.submissions / "R12922001.zip").write_bytes(b"")
    (demo.root / "report_points.csv").unlink()
    shutil.rmtree(demo.test_mels)
    (demo.root / "mine.txt").write_text("kept")
    assert make(demo.root, Progress())
    assert (demo.root / "mine.txt").read_text() == "kept"
    (demo.root / "mine.txt").unlink()
    assert hashes(demo.root) == before


def test_other_folders_and_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    for path in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(CourseError, match="not a demo course"):
            make(path, Progress())
    assert hashes(tmp_path).keys() == {"thesis.txt"}


def test_the_command_refuses_them_too(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    result = CliRunner().invoke(main, ["demo", str(tmp_path)])
    assert result.exit_code == 2
    assert "not a demo course" in result.stderr


def test_rubric_differs_only_where_the_demo_needs_it(demo: Course) -> None:
    ours, given = demo.rubric.model_dump(), rubric.load().model_dump()
    assert ours.pop("title").startswith("Demo")
    given.pop("title")
    assert ours["metrics"]["log2_f0"].pop("capacity") == "tiny"
    given["metrics"]["log2_f0"].pop("capacity")
    assert ours["metrics"]["fad"].pop("embedding") == "logmel"  # nothing is downloaded for a demo
    given["metrics"]["fad"].pop("embedding")
    assert ours["points"].pop("anchors") != given["points"].pop("anchors")
    assert ours == given


def test_mels_are_what_grader_mels_makes_of_the_recordings(demo: Course) -> None:
    before = hashes(demo.root)
    made = mels.make([demo.root / "recordings"], demo.test_mels, demo.rubric, references=demo.references)
    assert list(made.recordings) == [f"{number:03d}" for number in range(1, 31)]
    assert 50 < made.seconds < 80
    assert hashes(demo.root) == before
    assert len(demo.mel_paths()) == len(demo.reference_paths()) == 30
    assert {sf.info(path).samplerate for path in demo.references.iterdir()} == {22050}


def test_who_handed_in_what(demo: Course) -> None:
    found, unknown = handins.collect(demo.submissions, demo.rubric)
    assert unknown == []
    assert [hand_in.student_id for hand_in in found] == list(BY_ID)
    assert [hand_in.student_id for hand_in in found if not hand_in.attempts] == ["R12922008"]
    assert all(hand_in.report for hand_in in found)
    assert sum(hand_in.requirements is not None for hand_in in found) == 7
    code = {hand_in.student_id: hand_in.code.name for hand_in in found if hand_in.code}
    assert code == {
        "R12922001": "R12922001_code.zip",
        **{f"R1292200{number}": f"R1292200{number}_code" for number in (2, 3, 4, 5)},
    }

    late = {name: time - demo.rubric.deadline_at for name, time in demo.submission_times().items()}
    hours = {name: delay.total_seconds() / 3600 for name, delay in late.items() if delay.total_seconds() > 0}
    assert hours == {"R12922002": pytest.approx(4.2, abs=0.1), "R12922004": pytest.approx(72.3, abs=0.1)}
    assert set(BY_ID) - set(late) == {"R12922005"}
    assert set(BY_ID) - set(demo.report_points()) == {"R12922003"}
    by_id = {hand_in.student_id: hand_in for hand_in in found}
    assert by_id["R12922005"].attempts[0].file_time < demo.rubric.deadline_at


def test_reports(demo: Course) -> None:
    for student in STUDENTS:
        reader = PdfReader(demo.submissions / f"{student.student_id}_report.pdf", strict=True)
        assert len(reader.pages) == 10
        assert student.student_id in reader.pages[0].extract_text()
        [link] = reader.pages[0]["/Annots"]
        assert link.get_object()["/A"]["/URI"] == f"https://example.com/{student.student_id}"
        ratios = {round(float(page.mediabox.width / page.mediabox.height), 3) for page in reader.pages}
        assert ratios == {1.333 if student.student_id == "R12922005" else 1.778}


@pytest.fixture(scope="module")
def found(demo: Course, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, set[str]]]]:
    """Finding codes by student and severity, from the checks themselves."""
    hand_ins, _ = handins.collect(demo.submissions, demo.rubric)
    codes: dict[str, dict[str, set[str]]] = {}
    for hand_in in hand_ins:
        report = checks.check(
            hand_in.attempts[0].path if hand_in.attempts else demo.submissions / f"{hand_in.student_id}.zip",
            demo.rubric,
            hand_in=hand_in,
            mels=demo.mel_paths(),
            unpack_to=tmp_path_factory.mktemp(hand_in.student_id),
        )
        by_severity: dict[str, set[str]] = {severity: set() for severity in Severity}
        for finding in report.findings:
            by_severity[finding.severity].add(finding.code)
        codes[hand_in.student_id] = by_severity
    return codes


def test_only_three_cannot_be_graded(found: dict[str, dict[str, set[str]]]) -> None:
    failed = {student_id for student_id, codes in found.items() if codes[Severity.ERROR]}
    assert failed == {"R12922006", "R12922007", "R12922008"}
    assert not any(found["R12922001"].values())
    assert not any(found["R12922002"].values())


def test_wrong_names_are_warned_of(demo: Course, found: dict[str, dict[str, set[str]]]) -> None:
    assert set(clips(demo, "R12922003")) == {f"{number}.wav" for number in range(1, 31)}
    assert found["R12922003"][Severity.WARNING]


def test_short_clips_are_a_note(demo: Course, found: dict[str, dict[str, set[str]]]) -> None:
    frames = load_mel(demo.test_mels / "009.npy").shape[1]
    assert len(clips(demo, "R12922005")["009.wav"][0]) == 256 * (frames - 1)
    assert len(clips(demo, "R12922001")["009.wav"][0]) == 256 * frames
    assert found["R12922005"][Severity.NOTE]
    assert found["R12922005"][Severity.WARNING]  # the 4:3 report


def test_silent_clip(demo: Course) -> None:
    silent = {name for name, (audio, _) in clips(demo, "R12922006").items() if not audio.any()}
    assert silent == {"017.wav"}


def test_wrong_rate(demo: Course) -> None:
    assert {rate for _, rate in clips(demo, "R12922007").values()} == {24000}
    assert {rate for _, rate in clips(demo, "R12922002").values()} == {22050}


def test_students_are_as_good_as_they_are_called(demo: Course) -> None:
    baseline = float(
        np.mean(
            [
                m_stft(
                    griffin_lim(load_mel(demo.test_mels / f"{number:03d}.npy")),
                    wav.load(demo.references / f"{number:03d}.wav"),
                )
                for number in (3, 25)
            ]
        )
    )
    excellent, good, fair, poor, below = (distance(demo, f"R1292200{number}") for number in (1, 2, 3, 4, 5))
    assert excellent < good - 0.2 < good < fair - 0.15
    assert excellent < baseline - 0.4
    assert baseline < below < poor - 0.5
    assert poor < 2 * baseline + 0.2


def code_of(demo: Course, student_id: str) -> dict[str, bytes]:
    folder = demo.submissions / f"{student_id}_code"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("student_id", ["R12922003", "R12922004", "R12922005"])
def test_three_upload_what_their_code_makes(demo: Course, student_id: str, tmp_path: Path) -> None:
    """Two clips, made again by the code that was handed in, away from all that the demo's maker knows."""
    mels_dir, out = tmp_path / "mels", tmp_path / "out"
    mels_dir.mkdir()
    for number in (3, 25):
        shutil.copy(demo.test_mels / f"{number:03d}.npy", mels_dir)
    script, *options = {"R12922004": ["vocode.py", "--mels", "--wavs"]}.get(
        student_id, ["inference.py", "--input_mels_dir", "--output_dir"]
    )
    code = shutil.copytree(demo.submissions / f"{student_id}_code", tmp_path / "code")
    subprocess.run(
        [sys.executable, script, options[0], mels_dir, options[1], out], cwd=code, check=True, capture_output=True
    )
    uploaded = clips(demo, student_id)
    made = {path.name: sf.read(path, dtype="float32")[0] for path in out.iterdir()}
    assert len(made) == 2
    for name, audio in made.items():
        assert audio.shape == uploaded[name][0].shape
        assert np.abs(audio - uploaded[name][0]).max() <= 2**-15


def test_one_has_weights_of_its_own_and_a_command(demo: Course) -> None:
    code = code_of(demo, "R12922004")
    assert 10_000 < len(code["vocoder.pt"]) < 100_000
    assert b"{mels}" in code["grader.toml"]


def test_one_hands_in_a_conda_list_that_the_repair_mends(demo: Course) -> None:
    listed = repair(code_of(demo, "R12922003")["requirements.txt"], Rules(("torch==2.13.0",)))
    assert listed.lines == ("numpy==1.26.0", "scipy==1.11.3")
    assert listed.refused == ()
    assert len(listed.repairs) > 5


def test_one_reaches_for_the_network(demo: Course) -> None:
    assert b"urlopen" in code_of(demo, "R12922002")["inference.py"]


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.skipif(not sandbox.working(), reason="no sandbox works on this machine")
def test_the_reruns_come_to_what_the_students_are_there_for(demo: Course, tmp_path: Path) -> None:
    """All but the one whose environment holds torch, which takes long to install."""
    root = shutil.copytree(demo.root, tmp_path / "course")
    course, students = Course(root), ["R12922001", "R12922002", "R12922003", "R12922005"]
    with course.store() as store:
        found = {one.student_id: one for one, _ in run.rerun_students(course, store, students, run.Options())}
        assert rerun.verdicts(course, store).keys() == set(students)
    kinds = [str(found[student].kind) for student in students]
    assert kinds == ["different", "failed", "reproduced", "reproduced"], [one.sentence for one in found.values()]
    assert "network" in found["R12922002"].sentence
    for student in students[2:]:
        tier = found[student].tier
        assert tier is not None
        assert tier.rank <= Tier.CLOSE.rank


def test_nobody_hands_in_the_reference(demo: Course) -> None:
    """A mel holds no phase: what is made from it is nowhere near the recording's waveform."""
    for student_id in ("R12922001", "R12922002"):
        audio = clips(demo, student_id)["004.wav"][0].astype(np.float64)
        reference = wav.load(demo.references / "004.wav").astype(np.float64)[: len(audio)]
        spectrum = np.fft.rfft(reference, 2 * len(audio)).conj() * np.fft.rfft(audio, 2 * len(audio))
        correlation = np.abs(np.fft.irfft(spectrum)).max() / np.sqrt(np.sum(reference**2) * np.sum(audio**2))
        assert 20 * np.log10(correlation / np.sqrt(1 - correlation**2)) < -3


def test_singing_is_reproducible_and_stays_within_full_scale() -> None:
    audio = sing(SINGERS[1], 1.2, seed=3)
    assert audio.shape == (pytest.approx(1.2 * RATE_HZ, abs=256),)
    assert np.array_equal(audio, sing(SINGERS[1], 1.2, seed=3))
    assert not np.array_equal(audio, sing(SINGERS[1], 1.2, seed=4))
    assert 0.29 < np.abs(audio).max() < 0.51


@pytest.mark.parametrize("number", [2, 12, 24])
def test_crepe_hears_a_melody_in_the_singers_range(demo: Course, number: int) -> None:
    path = demo.references / f"{number:03d}.wav"
    singer = {singer.name: singer for singer in SINGERS}[
        next(
            r.stem for s, r in mels.number(mels.find([demo.root / "recordings"]), demo.rubric).items() if s == path.stem
        ).rsplit("_", 1)[0]
    ]
    audio = wav.load(path)
    track = PitchTracker("tiny").track(audio)
    level = np.array([np.sqrt(np.mean(audio[max(0, at - 220) : at + 221] ** 2)) for at in range(0, len(audio), 220)])
    count = min(len(level), len(track.confidence))
    sung = level[:count] > 0.25 * level.max()
    assert np.mean(track.confidence[:count][sung] > 0.6) > 0.85
    sure = track.confidence > 0.6
    pitch = 69 + 12 * np.log2(track.f0_hz[sure] / 440)
    inside = (pitch > singer.low - 3) & (pitch < singer.high + 3)
    assert inside.mean() > 0.9
