"""A real model rerun on real singing: HiFi-GAN V2 from its official checkpoint, in a repository as students publish it.

The student ran it at home on one thread; the sandbox runs it in an environment of its own on all.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from grader.audio.mel import mel_spectrogram
from grader.audio.resample import resample
from grader.course import Course
from grader.rerun import sandbox
from grader.rerun.commands import Source
from grader.rerun.comparison import Tier
from grader.rerun.evidence import Evidence, Kind
from grader.rerun.run import Options, rerun_students, verdicts
from grader.rubric import default_path
from tests.shared import SHARED, needs_shared

STUDENT, CLIPS, SECONDS = "R12345678", 3, 4
REPOSITORY = Path(__file__).parent / "hifigan_student"

pytestmark = [
    needs_shared,
    pytest.mark.network,
    pytest.mark.slow,
    pytest.mark.skipif(not sandbox.working(), reason="no sandbox works on this machine"),
]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """Three lines of real singing as test mels and references, and the student's hand-in."""
    assert SHARED is not None
    root = tmp_path_factory.mktemp("course")
    made = Course(root)
    for folder in (made.submissions, made.test_mels, made.references):
        folder.mkdir()
    text = default_path().read_text(encoding="utf-8").replace("  count: 30 ", f"  count: {CLIPS} ")
    made.rubric_path.write_text(text.replace("capacity: full", "capacity: tiny"), encoding="utf-8")
    for number in range(1, CLIPS + 1):
        recorded, rate = sf.read(SHARED / f"singing/m4singer/ground_truth/{number:03d}.flac", dtype="float32")
        truth = resample(recorded[: SECONDS * rate], rate, 22050)
        sf.write(made.references / f"{number:03d}.wav", truth, 22050, subtype="PCM_16")
        np.save(made.test_mels / f"{number:03d}.npy", mel_spectrogram(truth))
    _hand_in(made, root / "at_home")
    return made


def _hand_in(course: Course, home: Path) -> None:
    assert SHARED is not None
    shutil.copytree(REPOSITORY, home)
    shutil.copytree(SHARED / "models/hifigan_lj_v2", home / "cp_hifigan")
    generated = home / "generated"
    command = [
        sys.executable,
        "inference_e2e.py",
        "--input_mels_dir",
        str(course.test_mels),
        "--output_dir",
        "generated",
    ]
    command += ["--checkpoint_file", "cp_hifigan/generator_v2"]
    subprocess.run(command, cwd=home, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True, stdout=subprocess.DEVNULL)
    with zipfile.ZipFile(course.submissions / f"{STUDENT}.zip", "w") as archive:
        for number in range(1, CLIPS + 1):
            archive.write(generated / f"{number:03d}_generated_e2e.wav", f"{STUDENT}/{number:03d}.wav")
    shutil.rmtree(generated)
    with zipfile.ZipFile(course.submissions / f"{STUDENT}_code.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(home.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, str(path.relative_to(home)))


@pytest.fixture(scope="module")
def evidence(course: Course) -> Evidence:
    with course.store() as store:
        ((evidence, known),) = rerun_students(course, store, [STUDENT], Options(accept_proposals=True))
        assert not known
        assert verdicts(course, store)[STUDENT].kind is evidence.kind
    return evidence


def test_the_rerun_is_the_upload_to_within_arithmetic(evidence: Evidence) -> None:
    """One step of 16 bits on some processors; on others BLAS on more threads moves the student's matrix inversion."""
    assert evidence.kind is Kind.REPRODUCED, evidence
    assert len(evidence.clips) == CLIPS
    assert evidence.tier is not None
    assert evidence.tier.rank <= Tier.CLOSE.rank


def test_it_really_sang(course: Course) -> None:
    """What both runs made is loud where the singer is: the model worked, nothing compared silence with silence."""
    with zipfile.ZipFile(course.submissions / f"{STUDENT}.zip") as archive, archive.open(f"{STUDENT}/001.wav") as file:
        made, rate = sf.read(file, dtype="float32")
    truth, _ = sf.read(course.references / "001.wav", dtype="float32")
    samples = min(len(made), len(truth)) // 1024 * 1024
    loudness = [np.log(audio[:samples].reshape(-1, 1024).std(axis=1) + 1e-3) for audio in (made, truth)]
    assert rate == 22050
    assert np.corrcoef(*loudness)[0, 1] > 0.9


def test_the_command_came_from_the_readme(evidence: Evidence) -> None:
    assert evidence.command["source"] == str(Source.README)
    assert "--checkpoint_file cp_hifigan/generator_v2" in evidence.command["line"]


def test_what_was_installed_used_and_held_is_on_record(evidence: Evidence) -> None:
    installed = {package["name"]: package["version"] for package in evidence.environment["packages"]}
    assert installed["torch"].startswith("2.13.0")
    assert {"librosa", "scipy", "numpy"} <= installed.keys()
    (run, *_) = evidence.runs
    assert run["exit_status"] == 0
    assert run["protections"]["level"] != "none"
    assert 300 < run["usage"]["memory_mb"] < 4000
    assert run["usage"]["cpu_s"] > 1
    assert "generated_e2e.wav" in run["log"]
    assert [repair["kind"] for repair in evidence.requirements["repairs"]] == ["held-to-course"]
    assert evidence.renamed["001.wav"] == "001_generated_e2e.wav"


def test_no_package_and_no_weights_are_called_unneeded(evidence: Evidence) -> None:
    codes = {finding.code for finding in evidence.findings}
    assert not codes & {"requirements-unneeded", "code-unused-checkpoint", "code-no-model"}, evidence.findings
