"""What the handout asks of the code, found in small projects."""

import json
import os
import subprocess
import sys
from pathlib import Path

from grader.rerun import handout
from grader.rerun.code import Code
from grader.rerun.handout import Witnessed


def project(root: Path, files: dict[str, int | str]) -> Code:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else bytes(content))
    return Code(root, root, {name: (root / name).stat().st_size for name in files})


def test_a_complete_project_has_nothing_to_mend(tmp_path: Path) -> None:
    code = project(tmp_path, {"inference.py": "import numpy", "cp/g_02500000": 600_000, "requirements.txt": "numpy"})
    assert list(handout.complete(code, readme=True, requirements=True)) == []
    assert list(handout.not_to_be_uploaded(code)) == []


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    code = project(tmp_path, {"notes.txt": "x", "tiny.pth": 100})
    found = [finding.code for finding in handout.complete(code, readme=False, requirements=False)]
    assert found == ["code-no-inference", "code-no-model", "code-no-requirements", "code-no-readme"]


def test_what_was_not_to_be_uploaded_is_named_with_its_size(tmp_path: Path) -> None:
    code = project(
        tmp_path,
        {
            "inference.py": "x",
            "__pycache__/inference.cpython-311.pyc": 1000,
            "venv/lib/python3.11/site-packages/a.py": 2_000_000,
            "data/train/1.wav": 3_000_000,
            "data/mels/1.npy": 4000,
        },
    )
    said = [finding.what_text() for finding in handout.not_to_be_uploaded(code)]
    assert said == [
        "it holds cache files (1 files, 0.0 MB), such as __pycache__/inference.cpython-311.pyc",
        "it holds a Python environment (1 files, 2.0 MB), such as venv/lib/python3.11/site-packages/a.py",
        "it holds audio (1 files, 3.0 MB), such as data/train/1.wav",
        "it holds preprocessed data (1 files, 0.0 MB), such as data/mels/1.npy",
    ]


def test_a_checkpoint_that_was_never_opened(tmp_path: Path) -> None:
    code = project(tmp_path, {"cp/g_1.pth": 50_000, "cp/do_1.pth": 90_000, "cp/x.safetensors": 90_000})
    witnessed = Witnessed(opened=frozenset({"/code/cp/g_1.pth"}))
    (finding,) = handout.unused_checkpoints(code, witnessed)
    assert finding.what_text().startswith("cp/do_1.pth (0.1 MB)")
    assert list(handout.unused_checkpoints(code, Witnessed())) == []


def test_packages_that_nothing_imports(tmp_path: Path) -> None:
    site = tmp_path / "env/lib/python3.11/site-packages"
    for package, record in {
        "scikit_learn-1.0": "sklearn/__init__.py,,\n../../bin/x,,\n",
        "PyYAML-6.0": "yaml/__init__.py,,\n_yaml/__init__.py,,\n",
        "six-1.16.0": "six.py,,\n",
        "gone-1.0": "",
    }.items():
        folder = site / f"{package}.dist-info"
        folder.mkdir(parents=True)
        (folder / "RECORD").write_text(record)
    assert handout.modules_of(tmp_path / "env")["scikit-learn"] == {"sklearn"}
    code = project(tmp_path / "code", {"inference.py": "import yaml", "broken.py": "def ("})
    witnessed = Witnessed(modules=frozenset({"six"}))
    found = handout.unneeded(["scikit-learn==1.0", "pyyaml", "six", "gone"], tmp_path / "env", code, witnessed)
    assert [finding.facts["package"] for finding in found] == ["scikit-learn"]


def test_a_missing_import_is_named_with_its_package() -> None:
    log = "Traceback\n  import yaml\nModuleNotFoundError: No module named 'yaml'\n"
    finding = handout.missing_import(log, {})
    assert finding is not None
    assert "imports yaml" in finding.what_text()
    assert finding.fix_text() == "add pyyaml to requirements.txt"
    assert handout.missing_import("ZeroDivisionError", {}) is None


def test_the_witness_notes_imports_and_opened_files(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"x")
    place = Path(handout.__file__).parent / "witness"
    environment = {**os.environ, "PYTHONPATH": str(place), "GRADER_WITNESS": str(tmp_path)}
    program = "import wave; open('weights.bin').read()"
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True)
    (path,) = tmp_path.glob(".witness-*.json")
    said = json.loads(path.read_text())
    assert "wave" in said["modules"]
    assert "weights.bin" in said["opened"]
