"""One hand-in from its bytes to its report: what is skipped, what is kept, what may be scored."""

import hashlib
import json
from pathlib import Path

import pytest

from grader import checks, rubric
from grader.checks import CheckReport, Status, check
from grader.checks.graph import Check
from grader.errors import CourseError, EnvironmentProblem
from grader.findings import Severity, Whose
from grader.intake.submission import HandIn
from grader.rubric import Rubric
from tests.making import good_clips, pdf_bytes, tone, wav_bytes, zipped

RUBRIC = rubric.load()
CLIPS = good_clips()


def changed(section: str, **values: object) -> Rubric:
    part = getattr(RUBRIC, section).model_copy(update=values)
    return RUBRIC.model_copy(update={section: part})


def checked(folder: Path, entries: dict[str, bytes], rules: Rubric = RUBRIC, **options: object) -> CheckReport:
    source = zipped(entries, folder / "r12345678.zip")
    return check(source, rules, unpack_to=folder / "unpacked", **options)  # type: ignore[arg-type]


def codes(report: CheckReport) -> set[str]:
    return {finding.code for finding in report.findings}


def test_a_good_hand_in_can_be_scored(tmp_path: Path) -> None:
    report = checked(tmp_path, CLIPS)
    assert report.ok
    assert report.findings == ()
    assert report.student_id == "R12345678"
    assert report.submission
    assert list(report.submission.clips) == RUBRIC.clips.names()
    clip = report.submission.clips["007.wav"]
    data = CLIPS["r12345678/007.wav"]
    assert clip.path.read_bytes() == data
    assert clip.sha256 == hashlib.sha256(data).hexdigest()
    assert (clip.entry, clip.samples) == ("r12345678/007.wav", 4410)


def test_a_folder_is_read_where_it_lies(tmp_path: Path) -> None:
    for name, data in CLIPS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    report = check(tmp_path / "r12345678", RUBRIC, unpack_to=tmp_path / "unpacked")
    assert report.findings == ()
    assert report.submission
    assert report.submission.clips["007.wav"].path == tmp_path / "r12345678" / "007.wav"
    assert not (tmp_path / "unpacked").exists()


def test_when_the_zip_does_not_open_the_clips_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "r12345678.zip").write_bytes(b"Rar!\x1a\x07\x00rest")
    report = check(tmp_path / "r12345678.zip", RUBRIC, unpack_to=tmp_path / "unpacked")
    (finding,) = report.findings
    assert finding.what_text() == "This is a RAR archive renamed to .zip; a zip is expected."
    statuses = {result.name: result.status for result in report.results}
    assert statuses["listing"] is Status.FAILED
    assert all(statuses[name] is Status.SKIPPED for name in ("files", "layout", "headers", "sample_rate", "distinct"))
    skipped = next(result for result in report.results if result.name == "sample_rate")
    assert skipped.reason == "this does not hold: “It is a zip file, and it opens.”"
    assert report.submission is None


def test_one_bad_clip_does_not_skip_the_others(tmp_path: Path) -> None:
    bad = {"r12345678/002.wav": b"ID3", "r12345678/003.wav": wav_bytes(tone(), 16000)}
    report = checked(tmp_path, CLIPS | bad)
    assert codes(report) == {"wav-other-format", "wav-sample-rate"}
    assert [finding.where for finding in report.findings] == [
        "r12345678.zip › r12345678/002.wav",
        "r12345678.zip › r12345678/003.wav",
    ]
    rate = report.findings[1]
    assert "16000 Hz; 22050 Hz is expected" in rate.what_text()
    assert 'soundfile.write("003.wav", audio, 22050, subtype="PCM_16")' in rate.fix_text()


@pytest.mark.parametrize("spoiled", [None, b"", b"ID3", wav_bytes(tone(), 16000)])
def test_reports_survive_as_json(tmp_path: Path, spoiled: bytes | None) -> None:
    entries = CLIPS if spoiled is None else CLIPS | {"r12345678/003.wav": spoiled}
    report = checked(tmp_path, entries)
    again = CheckReport.from_json(json.loads(json.dumps(report.as_json(), allow_nan=False)))
    assert again == report
    assert (again.submission is None) == (spoiled is not None)


def test_misnamed_clips_are_scored_or_refused_as_the_rubric_says(tmp_path: Path) -> None:
    entries = {name.replace("/00", "/").replace("/01", "/1"): data for name, data in CLIPS.items()}
    report = checked(tmp_path, entries)
    assert report.ok
    assert report.submission
    assert report.submission.clips["001.wav"].entry == "r12345678/1.wav"
    assert {f.severity for f in report.findings} == {Severity.WARNING}
    assert "001.wav" in report.findings[0].fix_text()
    refused = checked(tmp_path, entries, changed("clips", misnamed="refuse"))
    assert refused.submission is None
    assert codes(refused) == {"clip-misnamed"}


def test_a_wrong_folder_is_scored_or_refused_as_the_rubric_says(tmp_path: Path) -> None:
    entries = {name.split("/")[1]: data for name, data in CLIPS.items()}
    assert checked(tmp_path, entries).submission
    refused = checked(tmp_path, entries, changed("archive", wrong_folder="refuse"))
    assert refused.submission is None
    assert codes(refused) == {"folder-none"}


def test_missing_and_extra_clips_are_named_exactly(tmp_path: Path) -> None:
    gone = {"r12345678/003.wav", *(f"r12345678/0{number}.wav" for number in range(12, 18))}
    entries = {name: data for name, data in CLIPS.items() if name not in gone}
    entries["r12345678/031.wav"] = wav_bytes(tone(0.2, 99))
    report = checked(tmp_path, entries)
    said = {finding.code: finding for finding in report.findings}
    assert said["clips-missing"].what_text() == "Of the 30 clips 7 are not there: 003.wav, 012.wav–017.wav."
    assert said["clip-extra"].where.endswith("031.wav")


def test_a_broken_report_keeps_no_clip_from_being_scored(tmp_path: Path) -> None:
    (tmp_path / "report.pdf").write_bytes(b"no pdf")
    hand_in = HandIn("R12345678", (), report=tmp_path / "report.pdf")
    report = checked(tmp_path, CLIPS, hand_in=hand_in)
    assert {"report-damaged", "readme-missing", "requirements-missing"} <= codes(report)
    assert not report.ok
    assert report.submission


def test_good_documents(tmp_path: Path) -> None:
    paths = {"report": "r_report.pdf", "readme": "README.md", "requirements": "requirements.txt"}
    (tmp_path / "r_report.pdf").write_bytes(pdf_bytes("Vocoder by r12345678", link="https://drive.example.org/x"))
    (tmp_path / "README.md").write_text("python inference.py")
    (tmp_path / "requirements.txt").write_text("numpy\n# 說明\n", encoding="utf-8")
    hand_in = HandIn("R12345678", (), **{kind: tmp_path / name for kind, name in paths.items()})
    report = checked(tmp_path, CLIPS, hand_in=hand_in)
    assert report.findings == ()


def test_without_an_upload_only_the_documents_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("python inference.py")
    hand_in = HandIn("R12345678", (), readme=tmp_path / "README.md")
    report = check(tmp_path / "R12345678.zip", RUBRIC, hand_in=hand_in, unpack_to=tmp_path / "unpacked")
    assert codes(report) == {"no-upload", "report-missing", "requirements-missing"}
    assert {result.status for result in report.results if result.group == "audio"} == {Status.SKIPPED}


def test_a_bug_of_ours_is_no_deduction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(check: Check) -> Check:
        def function(**_: object) -> object:
            raise RecursionError("a bug")

        return Check(check.name, check.group, check.sentence, check.takes, check.needs, function)  # type: ignore[arg-type]

    spoiled = tuple(broken(each) if each.name == "not_clipped" else each for each in checks.CHECKS)
    monkeypatch.setattr(checks, "CHECKS", spoiled)
    report = checked(tmp_path, CLIPS)
    (finding,) = report.findings
    assert (finding.code, finding.whose) == ("check-broke", Whose.GRADER)
    assert report.broke
    assert not report.ok
    assert report.submission


def test_a_test_mel_that_cannot_be_read_is_the_courses_fault(tmp_path: Path) -> None:
    (tmp_path / "001.npy").write_bytes(b"no array")
    with pytest.raises(CourseError, match=r"001\.npy"):
        checked(tmp_path, CLIPS, mels={"001.wav": tmp_path / "001.npy"})


def test_no_room_to_unpack_is_the_environments_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    source = zipped(CLIPS, tmp_path / "r12345678.zip")
    with pytest.raises(EnvironmentProblem, match="cannot be unpacked"):
        check(source, RUBRIC, unpack_to=tmp_path / "file" / "unpacked")
