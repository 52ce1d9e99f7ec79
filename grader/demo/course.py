"""Makes the pretend course: recordings, test mels, references, rubric, tables, and what each student hands in."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile as sf

from grader import mels, rubric
from grader.audio import Audio, Mel, wav
from grader.audio.mel import COURSE, load_mel
from grader.audio.resample import resample
from grader.course import Course
from grader.demo import singing
from grader.demo.report import pdf
from grader.demo.students import STUDENTS, Student
from grader.errors import CourseError, EnvironmentProblem
from grader.progress import Progress
from grader.rerun import commands
from grader.store import content_key, file_sha256
from reference_vocoders import griffin_lim

_SECONDS = (1.9, 2.5)
_MANIFEST = ".demo.json"
_ZIP_TIME = (2023, 11, 1, 12, 0, 0)
_RUBRIC_CHANGES = {
    r"^title: .*": "title: Demo of HW2 GAN-based Mel-Vocoder             # shown on every page",
    r"^deadline: .*": "deadline: 2023-11-01 23:59                           # the pretend students' times go with it",
    r"^  rank_by: .*": "  rank_by: m_stft                                    # m_stft | log2_f0 | fad",
    r"^    embedding: .*": "    embedding: logmel                                # a demo downloads no weights",
    r"^    capacity: .*": "    capacity: tiny                                   # for speed; full is ten times slower",
    r"^  anchors:.*\n(?:    .*\n)+": """\
  # Computed singing is easier than the handout's clips, so all points ask for a lower score here than its 1.142.
  anchors:
    - {score: griffin_lim * 2, percent: 0}           # a number, or a baseline's score on these clips: hifigan * 1.2
    - {score: griffin_lim, percent: 40}              # as good as Griffin-Lim
    - {score: 0.9, percent: 100}                     # between the first and the second pretend student
""",
}
_README = """\
A pretend course, made by `grader demo`. The singing is computed, the students are not people.

Try, in this folder:
  grader check submissions      what a student is told before handing in
  grader rerun --sample 5       runs five students' code again, in a sandbox, and compares with what they uploaded
  grader baselines              renders and scores Griffin-Lim and HiFi-GAN on the same test mels
  grader leaderboard            scores, grades and site/index.html
  grader mels recordings --out test_mels --references references
                                how the test mels came about (nothing changes: they are there already)

Edit rubric.yaml, submissions.csv or report_points.csv and run `grader leaderboard` again.
`grader demo` on this folder makes everything as it was.

"""
_DOCUMENTS = {
    "requirements.txt": b"numpy\nsoundfile\ntorch==2.13.0\n",
    "README.txt": b"python inference.py --input_mels_dir MELS --output_dir OUT\nThe checkpoint lies beside it.\n",
}
_PAGES = (
    ("Novelty highlight", "A discriminator that listens to vibrato."),
    ("Methodology highlight", "Mel in, waveform out; 80 bands, hop 256, 22 050 Hz."),
    ("Result highlight", "Better than Griffin-Lim on the validation set, in two metrics of three."),
    ("Findings highlight", "Breath is harder than vowels."),
    ("Details: data", "The training set only; no other data."),
    ("Details: model", "Upsampling by 8, 8, 2, 2; three kernels per stage."),
    ("Details: training", "Adam, learning rate 0.0002, batches of 16."),
    ("Result analysis", "Long notes are clean, consonants are blurred."),
    ("Discussion", "More steps would have helped."),
)


def make(root: Path, shown: Progress) -> bool:
    """Make the course in ``root``, with the same bytes every time; False where it stood there already, unchanged.

    Raises :class:`CourseError` for a folder that holds something else.
    """
    if root.exists() and (not root.is_dir() or (any(root.iterdir()) and not (root / _MANIFEST).is_file())):
        raise CourseError(f"{root}: there already, and not a demo course", help="name a new or an empty folder")
    made_by = _made_by()
    if _is_whole(root, made_by):
        return False
    root.mkdir(parents=True, exist_ok=True)
    manifest = root / _MANIFEST
    manifest.write_text("{}")
    text = rubric_text()
    homework = rubric.parse(text)
    files = {"rubric.yaml": text.encode(), "README.txt": _readme(), **_tables()}
    for number, content in _recordings(homework.clips.count, shown).items():
        files[f"recordings/{number}"] = content
    _write(root, files)
    made = mels.make([root / "recordings"], root / "test_mels", homework, references=root / "references", force=True)
    written = [*files, made.table.name]
    written += [f"test_mels/{stem}.npy" for stem in made.recordings]
    written += [f"references/{stem}.wav" for stem in made.recordings]
    written += _hand_ins(Course(root), list(made.recordings), shown)
    hashes = {name: file_sha256(root / name) for name in sorted(written)}
    manifest.write_text(json.dumps({"made_by": made_by, "files": hashes}, indent=1))
    return True


def rubric_text() -> str:
    """The packaged rubric with the demo's title, deadline, ranking, capacity and anchors."""
    text = rubric.default_path().read_text(encoding="utf-8")
    for pattern, line in _RUBRIC_CHANGES.items():
        text = re.sub(pattern, line, text, count=1, flags=re.MULTILINE)
    return text


def _made_by() -> str:
    """The hash of everything the demo's bytes depend on in this project."""
    here = Path(__file__).parent
    sources = {path.name: path for path in (*here.glob("*.py"), Path(griffin_lim.__file__), Path(mels.__file__))}
    sources |= {f"{path.parent.name}/{path.name}": path for path in here.glob("code/*/*") if path.is_file()}
    return content_key(rubric=rubric_text(), **{name: file_sha256(path) for name, path in sources.items()})


def _is_whole(root: Path, made_by: str) -> bool:
    try:
        manifest = json.loads((root / _MANIFEST).read_text())
        return manifest["made_by"] == made_by and all(
            file_sha256(root / name) == sha256 for name, sha256 in manifest["files"].items()
        )
    except (OSError, ValueError, LookupError):
        return False


def _recordings(count: int, shown: Progress) -> dict[str, bytes]:
    """48 kHz wavs by file name."""
    recordings = {}
    shown.start("singing", count, count)
    for index in range(count):
        singer = singing.SINGERS[index % len(singing.SINGERS)]
        seconds = float(np.random.default_rng(index).uniform(*_SECONDS))
        audio = singing.sing(singer, seconds, seed=index)
        recordings[f"{singer.name}_{index // len(singing.SINGERS) + 1}.wav"] = _wav_bytes(audio, singing.RATE_HZ)
        shown.advance(1)
    shown.finish()
    return recordings


def _hand_ins(course: Course, stems: list[str], shown: Progress) -> list[str]:
    """Write what the students hand in; the names of the files, as seen from the course folder."""
    references = {stem: wav.load(course.references / f"{stem}.wav") for stem in stems}
    test_mels = {stem: load_mel(course.test_mels / f"{stem}.npy") for stem in stems}
    written = []
    shown.start("pretend students", len(STUDENTS), len(STUDENTS))
    for student in STUDENTS:
        files = {f"{student.student_id}_report.pdf": _report(student)}
        code = student.code_files()
        if student.documents:
            files |= {f"{student.student_id}_{name}": code.get(name, content) for name, content in _DOCUMENTS.items()}
        name = f"{student.student_id}_code"
        if student.code_zipped:
            files[f"{name}.zip"] = _zip_bytes(name, code)
        else:
            files |= {f"{name}/{file}": content for file, content in code.items()}
        clips = _clips(student, references, test_mels) if student.render else _clips_of_code(student, course)
        if clips:
            files[f"{student.student_id}.zip"] = _zip_bytes(student.student_id, clips)
        _write(course.submissions, files)
        time = student.submitted_at.replace(tzinfo=course.rubric.zone).timestamp()
        for name in files:
            os.utime(course.submissions / name, (time, time))
        written += [f"submissions/{name}" for name in files]
        shown.advance(1)
    shown.finish()
    return written


def _clips(student: Student, references: Mapping[str, Audio], test_mels: Mapping[str, Mel]) -> dict[str, bytes]:
    """The wavs by file name of a student whose clips are rendered here."""
    clips = {}
    for number, (stem, reference) in enumerate(references.items(), 1):
        if student.render is None:
            break
        audio = student.render(reference, test_mels[stem], number)
        if number in student.silent:
            audio = np.zeros_like(audio)
        audio = resample(audio, COURSE.sample_rate_hz, student.sample_rate_hz)
        clips[student.clip_name.format(number=number)] = _wav_bytes(audio, student.sample_rate_hz)
    return clips


def _clips_of_code(student: Student, course: Course) -> dict[str, bytes]:
    """The wavs by file name that the student's code makes here and now; none for a student without code."""
    code = student.code_files()
    if not code:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder, "code"), Path(folder, "out")
        _write(root, code)
        command = commands.choose(root, "", course.rubric.rerun.command, None, accept_proposals=False)
        words = shlex.split(command.filled(str(course.test_mels.absolute()), str(out), str(root)))
        one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, *words[1:]], cwd=root, env=one_thread, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise EnvironmentProblem(
                f"the demo's code of {student.student_id} does not run here: {last}",
                help="it needs what scoring needs: pip install 'grader[grading]'",
            )
        return {path.name: path.read_bytes() for path in sorted(out.glob("*.wav"))}


def _wav_bytes(audio: Audio, sample_rate_hz: int) -> bytes:
    buffer = io.BytesIO()
    sf.write(buffer, np.clip(audio, -1, 1), sample_rate_hz, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def _zip_bytes(folder: str, clips: Mapping[str, bytes]) -> bytes:
    """A zip of one folder; with one date for all, so that the same clips give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in clips.items():
            archive.writestr(zipfile.ZipInfo(f"{folder}/{name}", _ZIP_TIME), content, zipfile.ZIP_DEFLATED, 1)
    return buffer.getvalue()


def _report(student: Student) -> bytes:
    cover = ("GAN-based Mel-Vocoder", [f"Student ID: {student.student_id}", "Pretend Student", "Code and model:"])
    pages = [cover, *((title, [text]) for title, text in _PAGES)]
    width, height = student.report_size
    return pdf(pages, f"https://example.com/{student.student_id}", width=width, height=height)


def _readme() -> bytes:
    rows = [f"  {student.student_id}  {student.what}\n" for student in STUDENTS]
    return (_README + "The students:\n" + "".join(rows)).encode()


def _tables() -> dict[str, bytes]:
    times = [f"{student.student_id},{student.submitted_at}\n" for student in STUDENTS if student.in_table]
    points = [f"{s.student_id},{s.report_points:g}\n" for s in STUDENTS if s.report_points is not None]
    return {
        "submissions.csv": "".join(["student_id,submitted_at\n", *times]).encode(),
        "report_points.csv": "".join(["student_id,points\n", *points]).encode(),
    }


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
