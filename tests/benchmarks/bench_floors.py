"""Checking a hand-in and making a student's environment, against the least that must be done:
``python -m tests.benchmarks.bench_floors``.

The floor of a check is to unzip the clips and decode them; that of an environment, to copy its files.
"""

import argparse
import hashlib
import os
import shutil
import tempfile
import zipfile
from base64 import urlsafe_b64encode
from pathlib import Path
from unittest import mock

import numpy as np
import soundfile as sf

from grader import checks
from grader.errors import GraderError
from tests.benchmarks import courses
from tests.benchmarks.measuring import in_turn, row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="few and short clips, to see that it runs")
    small = parser.parse_args().small
    clips, seconds, rounds = (3, 0.5, 2) if small else (30, 6.0, 9)
    with tempfile.TemporaryDirectory() as folder:
        check(Path(folder), clips, seconds, rounds)
        environment(Path(folder), files=40 if small else 1000, rounds=2 if small else 5)


def check(root: Path, clips: int, seconds: float, rounds: int) -> None:
    course = courses.make(root / "course", 1, clips, seconds, "tiny")
    (upload,) = course.submissions.iterdir()
    target = root / "unpacked"

    def ours() -> None:
        report = checks.check(upload, course.rubric, mels=course.mel_paths(), unpack_to=target)
        assert report.submission is not None, report.findings
        shutil.rmtree(target)

    def floor() -> None:
        with zipfile.ZipFile(upload) as archive:
            archive.extractall(target)
        for path in target.rglob("*.wav"):
            sf.read(path, dtype="float32")
        shutil.rmtree(target)

    pairs = in_turn(rounds, ours, floor)
    row(f"checking {clips} clips of {seconds:g} s with their mels / unzip and decode", pairs.medians, pairs.ratio)


def wheel(folder: Path, name: str, files: int) -> None:
    """A package of so many files of 20 kB."""
    random = np.random.default_rng(0)
    content = {f"{name}/f{number}.py": b"#" + random.bytes(15_000).hex().encode()[:20_000] for number in range(files)}
    content[f"{name}-1.0.dist-info/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()
    content[f"{name}-1.0.dist-info/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = "".join(
        f"{path},sha256={urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
        for path, data in content.items()
    )
    content[f"{name}-1.0.dist-info/RECORD"] = f"{record}{name}-1.0.dist-info/RECORD,,\n".encode()
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for path, data in content.items():
            archive.writestr(path, data)


def environment(root: Path, files: int, rounds: int) -> None:
    """Each environment is another set of packages, as students' are; the packages are in uv's cache by then."""
    try:
        from grader.rerun.environment import prepare
    except ModuleNotFoundError as error:
        print(f"no environments: {error}")
        return
    from grader import rubric

    wheels = root / "wheels"
    wheels.mkdir()
    wheel(wheels, "large", files)
    for number in range(rounds + 1):
        wheel(wheels, f"small{number}", 1)
    rules = rubric.load().rerun.model_copy(update={"constraints": [], "exclude_newer": None})
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "XDG_CACHE_HOME": str(root / "cache")}
    made: list[Path] = []
    copies = iter(range(rounds + 1))

    def ours() -> None:
        made.append(prepare(["large==1.0", f"small{len(made)}==1.0"], root, rules).path)

    def floor() -> None:
        shutil.copytree(made[-1], root / f"copy{next(copies)}", symlinks=True)

    with mock.patch.dict(os.environ, settings):
        try:
            ours()  # fills uv's cache
        except (GraderError, Exception) as error:  # a machine without uv, or whose settings forbid local wheels
            print(f"no environment could be made here: {error}")
            return
        floor()
        pairs = in_turn(rounds, ours, floor)
    row(f"an environment of {files} files (packages cached) / copying its files", pairs.medians, pairs.ratio)


if __name__ == "__main__":
    main()
