"""A class of 120 from Canvas's bulk downloads to its gradebook and back, compared cell by cell with a slow calculation.

Everything is real but the measuring: downloads, import, checks of every hand-in, tables, decisions, grades, the
gradebook. What a clip scores is looked up by its bytes, so that a hand-in in the wrong place gets the wrong grade.
"""

import csv
import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from grader import rubric, scoring
from grader.audio.mel import mel_spectrogram
from grader.cli import main
from grader.course import Course
from grader.intake.canvas import naming, record
from grader.metrics.scores import Scores
from grader.progress import Progress
from grader.site import feedback
from grader.site.build import grade
from tests.grades import simulation
from tests.grades.making import GRIFFIN_LIM, scores
from tests.grades.simulation import DEADLINE, Person
from tests.intake.canvas.making import ASSIGNMENT, User, download, entry_name, gradebook
from tests.making import RATE_HZ, wav_bytes

CLASS = simulation.people()
CLIPS = ("001.wav", "002.wav")
BASELINES = ("griffin_lim", "hifigan")
BEFORE = {7: "88", 15: "EX", 23: "0"}
"""What stands in the gradebook already, by place in the class."""


def user(person: Person) -> User:
    return User(person.canvas_id, person.name, person.student_id.lower())


def sung(number: int) -> np.ndarray:
    """A short gliding voice, another for each number; a whole number of mel frames."""
    time = np.arange(256 * (16 + 2 * number)) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(180 * 2 ** ((3 * number + 4 * time) / 12)) / RATE_HZ
    return np.asarray(0.08 * sum(np.sin(k * phase) / k for k in range(1, 9)), dtype=np.float32)


def hand_in(person: Person, index: int) -> tuple[bytes, str]:
    """An upload's zip, and the hash of its first clip; nobody has the same."""
    random = np.random.default_rng([person.canvas_id, index])
    clips = [wav_bytes(sung(n) + random.normal(0, 0.002, len(sung(n))).astype(np.float32)) for n in (1, 2)]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in zip(CLIPS, clips, strict=True):
            archive.writestr(f"{person.student_id.lower()}/{name}", content)
    return buffer.getvalue(), hashlib.sha256(clips[0]).hexdigest()


@dataclass
class Measured:
    """Stands in for the measuring: known scores by the bytes of the first clip."""

    by_sha256: Mapping[str, float]

    def __call__(self, *_: Any) -> "Measured":
        return self

    def scores(self, takes: Mapping[str, Iterable[Any]]) -> dict[str, Scores]:
        return {
            owner: GRIFFIN_LIM if owner in BASELINES else scores(self.by_sha256[next(iter(owned)).sha256], 0.2, 1.0)
            for owner, owned in takes.items()
        }

    def recordings(self, _: object) -> tuple[()]:
        return ()

    def references(self) -> tuple[()]:
        return ()


def a_course(root: Path) -> Course:
    course = Course(root)
    for folder in (course.test_mels, course.references):
        folder.mkdir(parents=True)
    text = rubric.default_path().read_text(encoding="utf-8")
    for before, after in (
        ("count: 30", "count: 2"),
        ("capacity: full", "capacity: tiny"),
        ("embedding: vggish", "embedding: logmel"),
    ):
        assert before in text
        text = text.replace(before, after)
    course.rubric_path.write_text(text, encoding="utf-8")
    for number, name in enumerate(CLIPS, 1):
        sf.write(course.references / name, sung(number), RATE_HZ, subtype="PCM_16")
        np.save(course.test_mels / f"{Path(name).stem}.npy", mel_spectrogram(sung(number)))
    (root / "submissions.csv").write_text(simulation.submissions_csv(CLASS), encoding="utf-8")
    (root / "report_points.csv").write_text(simulation.report_points_csv(CLASS), encoding="utf-8")
    (root / "students.csv").write_text(simulation.students_csv(CLASS), encoding="utf-8")
    (root / "decisions.yaml").write_text(simulation.decisions_yaml(CLASS), encoding="utf-8")
    return course


def downloads(folder: Path, zips: Mapping[tuple[str, int], bytes]) -> list[Path]:
    """Three, each with everyone's latest upload of that time; attachments are numbered as they came."""
    uploads = sorted(
        ((upload.at, person.student_id, index) for person in CLASS for index, upload in enumerate(person.uploads))
    )
    attachment = {(student_id, index): 7000 + place for place, (_, student_id, index) in enumerate(uploads)}
    made = []
    for number in range(3):
        entries = {}
        for person in CLASS:
            if not person.uploads:
                continue
            index = min(number, len(person.uploads) - 1)
            late = person.uploads[index].at > DEADLINE
            name = entry_name(user(person), attachment[person.student_id, index], person.file(index), late=late)
            entries[name] = zips[person.student_id, index]
        made.append(download(folder / f"submissions-{number}.zip", entries))
    return made


def run(*arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(main, [str(each) for each in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def cells(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_a_class_from_the_bulk_download_to_the_gradebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zips, by_sha256 = {}, {}
    for person in CLASS:
        for index, upload in enumerate(person.uploads):
            content, sha256 = hand_in(person, index)
            zips[person.student_id, index] = content if upload.m_stft is not None else content[: len(content) // 2]
            by_sha256[sha256] = upload.m_stft or 0.0
    monkeypatch.setattr(scoring, "Measuring", Measured(by_sha256))
    course = a_course(tmp_path / "course")
    export = tmp_path / "export.csv"
    before = {user(CLASS[place]).login: value for place, value in BEFORE.items()}
    export.write_bytes(gradebook([user(person) for person in CLASS], cells=before))

    made = downloads(tmp_path, zips)
    for source in made:
        assert run("import", "canvas", source, "--gradebook", export, "--course", course.root)[0] == 0
    placed = {path.name: path.read_bytes() for path in course.submissions.iterdir()}
    assert placed == {
        person.file(index): zips[person.student_id, index] for person in CLASS for index in range(len(person.uploads))
    }
    for source in made:
        assert "0 new files" in run("import", "canvas", source, "--gradebook", export, "--course", course.root)[1]
    assert {path.name: path.read_bytes() for path in course.submissions.iterdir()} == placed

    copy = tmp_path / "filled.csv"
    status, said = run(
        "gradebook", export, "--assignment", ASSIGNMENT, "--out", copy, "--jobs", "1", "--course", course.root
    )
    assert status == 0, said
    old, new = cells(export.read_bytes()), cells(copy.read_bytes())
    column = old[0].index(ASSIGNMENT)
    wanted = {user(person).login: simulation.expected(person, best=False, separately=False).final for person in CLASS}
    filled = 0
    for then, now in zip(old, new, strict=True):
        assert [*then[:column], *then[column + 1 :]] == [*now[:column], *now[column + 1 :]]
        final = wanted.get(then[3])
        if final is None or then[column] == "EX":
            assert now[column] == then[column]
        else:
            assert float(now[column]) == final, then
            assert now[column] == f"{final:.2f}".rstrip("0").rstrip(".")
            filled += 1
    assert filled >= 110
    unfilled = [login for login, final in wanted.items() if final is None]
    assert len(unfilled) >= 4  # missing, broken, not read yet, excused
    assert all(login in said for login in unfilled)
    assert "0 → " in said
    assert without_column(export.read_bytes(), column) == without_column(copy.read_bytes(), column)

    board = grade(Course(course.root), processes=1, shown=Progress())
    bundled = feedback.bundle(board, record.load(course.state), course.site)
    assert len(bundled.files) == 119
    assert bundled.left == {}
    last = made[-1]
    with zipfile.ZipFile(last) as archive:
        assert set(bundled.files) == set(archive.namelist())
    by_canvas_id = {person.canvas_id: person for person in CLASS}
    for name, content in bundled.files.items():
        named = naming.read(name)
        assert named is not None
        person = by_canvas_id[named.user_id]
        with zipfile.ZipFile(io.BytesIO(content)) as inner:
            (text,) = [inner.read(each).decode() for each in inner.namelist()]
        others = {each.student_id for each in CLASS} - {person.student_id}
        assert person.student_id in text
        assert not any(other in text for other in others)


def without_column(content: bytes, column: int) -> bytes:
    """A gradebook's bytes with one column cut out, by a walk over the bytes that knows of quotes alone."""
    kept, quoted, place = bytearray(), False, 0
    for byte in content:
        quoted ^= byte == ord('"')
        if not quoted and byte == ord(","):
            place += 1
        elif not quoted and byte in b"\r\n":
            place = 0
        if place != column or byte == ord(","):
            kept.append(byte)
    return bytes(kept)
