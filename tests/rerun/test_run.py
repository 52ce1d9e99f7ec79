"""Students of every kind rerun for real in the sandbox, each with the verdict that names what happened."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from grader.course import Course
from grader.errors import CourseError
from grader.findings import Whose
from grader.rerun import run, verdicts
from grader.rerun.comparison import Tier
from grader.rerun.evidence import Evidence, Kind
from grader.rerun.run import Options
from grader.rerun.sampling import draw
from grader.rerun.sandbox import working
from grader.site import reruns as site_reruns
from tests.rerun import students
from tests.rerun.students import HONEST

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(not working(), reason="no sandbox works on this machine"),
]
ID = "R00000001"


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Environments are made once for all tests of this file."""
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def course(tmp_path: Path, environments: Path) -> Course:
    made = students.course(tmp_path / "course")
    made.state.mkdir()
    (made.state / "environments").symlink_to(environments)
    return made


def rerun(course: Course, student: str = ID, **options: object) -> Evidence:
    with course.store() as store:
        ((evidence, _),) = run.rerun_students(course, store, [student], Options(**options))  # type: ignore[arg-type]
    return evidence


def test_an_honest_student_is_reproduced_to_the_byte(course: Course) -> None:
    students.hand_in(course, ID)
    evidence = rerun(course)
    assert (evidence.kind, evidence.tier, evidence.whose) == (Kind.REPRODUCED, Tier.BYTES, None)
    assert evidence.sandbox == working()[0].level
    assert evidence.runs[0]["exit_status"] == 0
    assert evidence.runs[0]["usage"]["cpu_s"] > 0
    assert evidence.environment["packages"][0]["name"] == "numpy"
    left = sorted(path.name for path in (course.state / "rerun" / ID).iterdir())
    assert left == ["clips-1"]  # the clips stay for listening; code, outputs and mels do not
    assert Evidence.from_json(json.loads(json.dumps(evidence.as_json()))) == evidence


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ("tone = lambda mel, number, old=tone: old(mel, number) // 2\n", Kind.DIFFERENT, "two runs agree"),
        (
            "tone = lambda mel, n, old=tone: old(mel, n) + np.frombuffer(os.urandom(512 * mel.shape[1]), '<i2')\n",
            Kind.NONDETERMINISTIC,
            "differ from each other in 2",
        ),
        (
            "write = lambda path, samples, old=write: old(path, samples) if '1' in path.stem else 0\n",
            Kind.INCOMPLETE,
            "002.wav",
        ),
        ("import yaml\n", Kind.FAILED, "add pyyaml"),
        ("raise SystemExit(3)\n", Kind.FAILED, "exit status 3"),
        ("import torch.nothing\n", Kind.FAILED, "imports torch"),
        ("while True: pass\n", Kind.STOPPED, "2 s of CPU time"),
        ("import socket; socket.create_connection(('192.0.2.1', 80), 3)\n", Kind.FAILED, "network"),
        ("open('cp/g_02500000')\n", Kind.FAILED, "cp/g_02500000 is not there"),
        ("open('/mels/001.npy', 'w')\n", Kind.FAILED, "/mels/001.npy"),
        ("write = lambda path, samples: os.symlink('/etc/passwd', path)\n", Kind.INCOMPLETE, "symbolic link"),
        ("write = lambda path, samples: os.mkfifo(path)\n", Kind.INCOMPLETE, "no regular file"),
        ("raise RuntimeError('Found no NVIDIA driver on your system')\n", Kind.NOT_RUN, "--gpus"),
    ],
)  # fmt: skip
def test_a_verdict_names_what_happened(change: str, kind: Kind, words: str, tmp_path: Path, environments: Path) -> None:
    course = students.course(tmp_path / "course", cpu_s=2)
    course.state.mkdir()
    (course.state / "environments").symlink_to(environments)
    students.hand_in(course, ID, script=HONEST + change)
    evidence = rerun(course)
    assert (evidence.kind, words in evidence.sentence) == (kind, True), evidence.sentence + evidence.runs[0]["log"]
    assert evidence.whose is (Whose.ENVIRONMENT if kind is Kind.NOT_RUN else Whose.STUDENT)


def test_another_phase_is_the_same_by_the_metrics_against_the_references(course: Course) -> None:
    rubric = course.rubric_path.read_text().replace("capacity: full", "capacity: tiny")
    course.rubric_path.write_text(rubric)
    turned = HONEST + "tone = lambda mel, n, old=tone: -old(mel, n)\n"
    students.hand_in(course, ID, script=turned)
    for number in (1, 2):
        made = course.root / "made" / ID / f"{number:03d}.wav"
        shutil.copyfile(made, course.references / made.name)
    evidence = rerun(course)
    assert evidence.kind is Kind.REPRODUCED
    assert evidence.tier is Tier.METRICS
    for clip in evidence.clips:
        assert clip.snr_db == pytest.approx(-6.02, abs=0.01)
        assert clip.deltas is not None
        assert clip.deltas["m_stft"] < 0.001
    for path in course.references.iterdir():
        path.unlink()
    assert rerun(course).kind is Kind.DIFFERENT  # without references nothing is the same by the metrics


def test_code_that_copies_its_own_uploaded_clips(course: Course) -> None:
    students.hand_in(course, ID)
    clips = {f"cache/{n}": (course.root / "made" / ID / f"00{n}.wav").read_bytes() for n in (1, 2)}
    copying = "import shutil\nmake = lambda mel, number, path: shutil.copyfile(f'cache/{number}', path)\n"
    students.hand_in(course, ID, script=HONEST + copying, files=clips)
    evidence = rerun(course)
    assert evidence.kind is Kind.COPIED
    assert any(finding.code == "code-holds-uploads" for finding in evidence.findings)


def test_code_that_hides_its_uploaded_clips_in_a_model(course: Course) -> None:
    students.hand_in(course, ID)
    buffer = io.BytesIO()
    clips = {path.stem: path.read_bytes() for path in (course.root / "made" / ID).glob("*.wav")}
    np.savez_compressed(buffer, **{name: np.frombuffer(data, np.uint8) for name, data in clips.items()})
    hiding = (
        "known = np.load('generator.npz')\n"
        "make = lambda mel, number, path: path.write_bytes(known[f'{number:03d}'].tobytes())\n"
    )
    students.hand_in(course, ID, script=HONEST + hiding, files={"generator.npz": buffer.getvalue()})
    evidence = rerun(course)
    assert evidence.kind is Kind.COPIED
    assert evidence.tier is Tier.BYTES
    assert "2 of 2 mels that it cannot have seen" in evidence.sentence


def test_code_that_knows_only_the_test_mels_is_pointed_out(course: Course) -> None:
    only = f"tone = lambda mel, n, old=tone: old(mel, n) if mel.shape[1] == {students.FRAMES} else exit('unknown')\n"
    students.hand_in(course, ID, script=HONEST + only)
    evidence = rerun(course)
    assert evidence.kind is Kind.REPRODUCED
    (finding,) = (finding for finding in evidence.findings if finding.code == "rerun-probe")
    assert "2 of 2 clips missing" in finding.what_text()


def test_requirements_are_repaired_and_the_repair_is_kept(course: Course) -> None:
    wanted = "Package Version\n------- -------\nsix 1.16.0\n".encode("utf-16") + "pkg-resources==0.0.0\nnumpy\n".encode(
        "utf-16-le"
    )
    students.hand_in(course, ID, requirements=wanted)
    evidence = rerun(course)
    assert evidence.kind is Kind.REPRODUCED
    assert {entry["kind"] for entry in evidence.requirements["repairs"]} == {"encoding", "table", "not-a-package"}
    assert "-six 1.16.0" in evidence.requirements["diff"]
    assert any(finding.facts.get("package") == "six" for finding in evidence.findings)  # listed, never imported


def test_what_cannot_be_installed_is_said_so(course: Course) -> None:
    students.hand_in(course, ID, requirements="numpy\nsix==99.0\n")
    evidence = rerun(course)
    assert (evidence.kind, evidence.whose) == (Kind.NOT_INSTALLABLE, Whose.STUDENT)
    assert "six has no version 99.0" in evidence.sentence
    assert site_reruns.sentence(evidence, "zh-TW") == "six 沒有 99.0 這個版本；請寫實際存在的版本"


def test_the_tas_settings_count_and_their_reason_is_kept(course: Course) -> None:
    script = HONEST + "import sys\nassert '--loud' in sys.argv; sys.argv.remove('--loud')\n"
    students.hand_in(course, ID, script=script, files={"src/inference.py": (script + students.RUN).encode()})
    assert rerun(course).kind is Kind.FAILED
    settings = "{arguments: --loud, workdir: src, reason: as the student wrote to me}"
    (course.submissions / "rerun.yaml").write_text(f"{ID.lower()}: {settings}\n")
    evidence = rerun(course)
    assert evidence.kind is Kind.REPRODUCED
    assert evidence.command["reason"] == "as the student wrote to me"
    assert evidence.command["workdir"] == "src"


def test_a_readme_proposal_runs_once_it_is_accepted(course: Course) -> None:
    script = HONEST.replace("--input_mels_dir", "--mel_dir").replace("args.input_mels_dir", "args.mel_dir")
    readme = b"Run:\n\n    python inference.py --mel_dir test_mels --output_dir out\n"
    students.hand_in(course, ID, script=script, files={"README.md": readme})
    evidence = rerun(course)
    assert evidence.kind is Kind.FAILED
    assert evidence.command["proposals"] == ["python inference.py --mel_dir {mels} --output_dir {out}"]
    assert rerun(course, accept_proposals=True).kind is Kind.REPRODUCED


def test_code_that_gathers_all_it_can_read_finds_nothing_of_the_course(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = os.urandom(16).hex()
    monkeypatch.setenv("TA_PASSWORD", secret)
    for place in ("references/001.wav", "report_points.csv", "submissions/R00000002_report.pdf"):
        (course.root / place).write_text(secret)
    gather = """
heap = []
for folder, folders, files in os.walk('/'):
    if folder.startswith(('/usr', '/env', '/dev', '/sys')) or folder.count('/') > 1 and folder.startswith('/proc'):
        folders.clear()
        if folder not in ('/proc/1', '/proc/2', '/proc/self'): continue
    for name in files:
        place = os.path.join(folder, name)
        if os.path.isfile(place) and (not folder.startswith('/proc') or name in ('environ', 'cmdline', 'mountinfo')):
            try:
                heap.append(open(place, 'rb').read(300_000))
            except OSError:
                continue
print(len(heap), 'files', b''.join(heap)[-50_000:])
make = lambda mel, number, path: path.write_bytes(b''.join(heap)[:15_000_000])
"""
    students.hand_in(course, ID, script=HONEST + gather)
    evidence = rerun(course)
    assert " files b" in evidence.runs[0]["log"]
    kept = [json.dumps(evidence.as_json())]
    kept += [path.read_bytes().decode("latin-1") for path in (course.state / "rerun" / ID).rglob("*") if path.is_file()]
    assert "def tone" in "".join(kept)  # it did read what it may read: its own code
    assert not [text for text in kept if secret in text]
    assert not [text for text in kept if "R00000002" in text]


def test_what_is_finished_is_not_run_again_until_its_inputs_change(course: Course) -> None:
    students.hand_in(course, ID)
    with course.store() as store:
        assert verdicts(course, store) == {}

        def again(**options: bool) -> tuple[Evidence, bool]:
            (result,) = run.rerun_students(course, store, [ID], Options(**options))
            return result

        first, known = again()
        assert not known
        assert again() == (first, True)
        forced, known = again(force=True)
        assert not known
        assert again() == (forced, True)
        students.hand_in(course, ID, script=HONEST + "raise SystemExit(1)\n")
        assert verdicts(course, store) == {}
        changed, known = again()
        assert (changed.kind, known) == (Kind.FAILED, False)
        assert verdicts(course, store)[ID].kind is Kind.FAILED


def test_a_failed_environment_is_tried_again(course: Course) -> None:
    students.hand_in(course, ID, script=HONEST + "raise RuntimeError('Found no NVIDIA driver on your system')\n")
    assert rerun(course).kind is Kind.NOT_RUN
    with course.store() as store:
        ((_, known),) = run.rerun_students(course, store, [ID], Options())
        assert not known
        assert verdicts(course, store) == {}


def test_no_code_no_upload_and_unknown_students(course: Course) -> None:
    students.hand_in(course, ID)
    students.hand_in(course, "R00000002")
    (course.submissions / f"{ID}_code.zip").unlink()
    (course.submissions / "R00000002.zip").unlink()
    assert rerun(course).kind is Kind.NO_CODE
    assert rerun(course, "R00000002").kind is Kind.NO_UPLOAD
    with pytest.raises(CourseError, match="R00000009"):
        run.draw(course, None, ["r00000009"], None)


def test_the_draw_is_of_those_with_code_and_can_be_repeated(course: Course) -> None:
    for number in range(1, 4):
        students.hand_in(course, f"R0000000{number}")
    (course.submissions / f"{ID}_code.zip").unlink()
    drawn = run.draw(course, 1, [], 5)
    assert (drawn.of, drawn.seed, len(drawn.students)) == (2, 5, 1)
    assert ID not in run.draw(course, 9, [], None).students
    everyone = [f"R{number:08d}" for number in range(200)]
    assert draw(everyone, 5, 1) == draw(reversed(everyone), 5, 1)
    assert draw(everyone, 5, 1) != draw(everyone, 5, 2)
    assert set(draw(everyone, 5, 1)) <= {*draw([*everyone, "R99999999"], 5, 1), "R99999999"} | set(draw(everyone, 5, 1))
    assert draw(["A", "B"], 5, 1) == ["A", "B"]


def test_reruns_side_by_side(course: Course) -> None:
    for number in range(1, 5):
        students.hand_in(course, f"R0000000{number}")
    with course.store() as store:
        names = [f"R0000000{number}" for number in range(1, 5)]
        found = {e.student_id: e.kind for e, _ in run.rerun_students(course, store, names, Options(jobs=4))}
    assert found == dict.fromkeys(names, Kind.REPRODUCED)


def test_a_killed_grader_leaves_no_process_and_the_next_run_finishes_the_rest(course: Course) -> None:
    slow = HONEST + "import time\nif not os.path.exists('/nothing'): time.sleep(2)\n"
    students.hand_in(course, ID)
    students.hand_in(course, "R00000002", script=slow)
    program = (
        "import sys; from pathlib import Path; from grader.course import Course; from grader.rerun import run\n"
        "course = Course(Path(sys.argv[1])); store = course.store()\n"
        "for evidence, _ in run.rerun_students(course, store, ['R00000001', 'R00000002'], run.Options()):\n"
        "    print(evidence.student_id, flush=True)\n"
    )
    killed = subprocess.Popen([sys.executable, "-c", program, str(course.root)], stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    assert killed.stdout.readline().strip() == ID
    marker = str(course.state / "rerun" / "R00000002")
    _until(lambda: (course.state / "rerun" / "R00000002" / "run-1" / "out").exists())
    _until(lambda: _processes_naming(marker))
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    _until(lambda: not _processes_naming(marker))
    with course.store() as store:
        found = [(e.student_id, known) for e, known in run.rerun_students(course, store, [ID, "R00000002"], Options())]
    assert found == [(ID, True), ("R00000002", False)]


PROGRAM = """
import os, signal, sys
from pathlib import Path
from grader.course import Course
from grader.rerun import comparison, run

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[2] == "comparison":
    comparison.compare_all = die
course = Course(Path(sys.argv[1]))
with course.store() as store:
    list(run.rerun_students(course, store, ["R00000001"], run.Options()))
"""


@pytest.mark.parametrize("moment", ["install", "comparison"])
def test_a_grader_killed_while_installing_or_comparing_is_followed_by_one_that_finishes(
    moment: str, tmp_path: Path
) -> None:
    course = students.course(tmp_path / "course")
    students.hand_in(course, ID)
    killed = subprocess.Popen([sys.executable, "-c", PROGRAM, str(course.root), moment])
    if moment == "install":
        _until(lambda: any((course.state / "environments").glob("*/*")))
        killed.send_signal(signal.SIGKILL)
    assert killed.wait(timeout=60) == -signal.SIGKILL
    _until(lambda: not _processes_naming(str(course.root)))
    evidence = rerun(course)
    assert (evidence.kind, evidence.tier) == (Kind.REPRODUCED, Tier.BYTES)
    left = sorted(path.name for path in course.state.iterdir())
    assert left == ["environments", "records.sqlite", "records.sqlite.lock", "rerun"]
    made = [path.name for path in (course.state / "environments").iterdir() if path.is_dir()]
    assert len(made) == 1


def _until(true: object, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.05)


def _processes_naming(marker: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/mountinfo"):
        try:
            if marker in path.read_text() or marker in (path.parent / "cmdline").read_text():
                found.append(path.parent.name)
        except OSError:
            continue
    return [pid for pid in found if int(pid) != os.getpid()]


def test_a_folder_as_code_with_weights_from_elsewhere(course: Course) -> None:
    students.hand_in(course, ID, script=HONEST + "assert open('cp/g_01', 'rb').read() == b'weights'\n")
    unpacked = course.submissions / f"{ID}_code"
    shutil.unpack_archive(course.submissions / f"{ID}_code.zip", unpacked)
    (course.submissions / f"{ID}_code.zip").unlink()
    (course.root / "drive").mkdir()
    (course.root / "drive" / "g_01").write_bytes(b"weights")
    (course.submissions / "rerun.yaml").write_text(
        f"{ID}: {{files: {{cp: ../drive}}, reason: weights are on the drive}}\n"
    )
    assert rerun(course).kind is Kind.REPRODUCED
    assert not (unpacked / f"{ID}_code" / "cp").exists()
