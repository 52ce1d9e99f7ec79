"""Environments made for real by uv: what the repairs come to, how fast the second one is, whose failure is whose."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from grader import rubric
from grader.findings import Whose
from grader.rerun import environment
from grader.rerun.environment import InstallError, prepare
from grader.rerun.requirements import Rules, repair
from grader.rubric import Rerun

RERUN: Rerun = rubric.load().rerun
RULES = Rules(tuple(RERUN.constraints))
pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("six==1.16.0".encode("utf-16"), {"six": "1.16.0"}),
        ("six==1.16.0".encode("utf-16-le"), {"six": "1.16.0"}),
        (b"six @ file:///tmp/six-1.16.0-py2.py3-none-any.whl", {"six": "1.16.0"}),
        (b"six=1.16.0=py310_0", {"six": "1.16.0"}),
        (b"Package Version\n------- -------\nsix     1.16.0", {"six": "1.16.0"}),
        (b"pip install six==1.16.0", {"six": "1.16.0"}),
        (b"pkg-resources==0.0.0\nos\npython==3.10\npywin32\nsix==1.16.0", {"six": "1.16.0"}),
        (b"six==1.15.0\nsix==1.16.0", {"six": "1.16.0"}),
        (b"name: x\ndependencies:\n  - python=3.10\n  - pip:\n    - six==1.16.0", {"six": "1.16.0"}),
        (b"-r /etc/passwd\n--index-url https://index.invalid/\nsix==1.16.0", {"six": "1.16.0"}),
        (b"six==1.16.0+cu117", {"six": "1.16.0"}),
        (b"PIL==11.0.0", {"pillow": "11.0.0"}),
    ],
)
def test_a_repaired_file_installs(text: bytes, expected: dict[str, str], state: Path) -> None:
    made = prepare(repair(text, RULES).lines, state, RERUN)
    assert environment.installed(made.path) == expected
    assert all(package.hashes for package in made.packages)


def test_torch_of_another_cuda_is_the_courses_build_and_the_next_environment_is_cheap(state: Path) -> None:
    first = prepare(repair(b"torch==1.13.1+cu117\nnvidia-cublas-cu11==11.10.3.66\nnumpy", RULES).lines, state, RERUN)
    assert environment.installed(first.path)["torch"].startswith("2.13.0")
    started = time.monotonic()
    again = prepare(["numpy", "torch==2.13.0"], state, RERUN)
    assert again.reused
    assert again.path == first.path
    second = prepare(["torch==2.13.0", "numpy", "six"], state, RERUN)
    assert not second.reused
    assert time.monotonic() - started < 6  # two calls; each under 3 s
    assert _kilobytes(first.path, second.path) - _kilobytes(first.path) < 25_000


def _kilobytes(*folders: Path) -> int:
    """What the folders take on disk; a file with several names counts once."""
    done = subprocess.run(["du", "-skc", *map(str, folders)], capture_output=True, text=True, check=True)
    return int(done.stdout.splitlines()[-1].split()[0])


def test_an_environment_cut_off_half_way_is_made_again(state: Path) -> None:
    made = prepare(["six==1.16.0"], state, RERUN)
    folder = made.path.parent
    partial = folder.with_name(folder.name + ".partial-killed")
    folder.rename(partial)  # as a killed grader leaves it: no record under the final name
    (partial / "record.json").unlink()
    again = prepare(["six==1.16.0"], state, RERUN)
    assert not again.reused
    assert environment.installed(again.path) == {"six": "1.16.0"}
    assert not partial.exists()


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["numpy==1.19.0"], "has no wheel"),
        (["six==99"], "no version 99"),
        (["six<1.16", "six==1.16.0"], "cannot be installed together"),
    ],
)
def test_what_cannot_be_installed_is_the_students(lines: list[str], words: str, state: Path) -> None:
    with pytest.raises(InstallError, match=words) as caught:
        prepare(lines, state, RERUN)
    assert caught.value.whose is Whose.STUDENT
    assert caught.value.fix
    assert caught.value.log


def test_the_nearest_version_is_taken_only_where_the_rubric_allows(state: Path) -> None:
    lenient = RERUN.model_copy(update={"nearest_version": True})
    made = prepare(["six", "numpy==1.19.0"], state, lenient)
    (moved,) = made.repairs
    assert moved.before == "numpy==1.19.0"
    assert moved.after.startswith("numpy==1.2")
    assert environment.installed(made.path)["numpy"] == moved.after.removeprefix("numpy==")


def test_a_deadline_freezes_what_exists(state: Path) -> None:
    dated = RERUN.model_copy(update={"exclude_newer": "2021-05-10"})
    made = prepare(["six"], state, dated)
    assert environment.installed(made.path) == {"six": "1.16.0"}


def test_an_unreachable_index_is_nobodys_fault(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(InstallError, match="cannot be reached") as caught:
        prepare(["six==1.17.0"], state, RERUN)
    assert caught.value.whose is Whose.ENVIRONMENT


def test_the_record_says_what_is_installed(state: Path) -> None:
    made = prepare(["six==1.16.0"], state, RERUN)
    record = json.loads((made.path.parent / "record.json").read_text())
    assert record["packages"][0]["name"] == "six"
    assert record["packages"][0]["hashes"][0].startswith("sha256:")
