"""What goes wrong around a scoring run: it is killed, the disk is full, the store is damaged, the clock jumps.

Each time: a clear message, nothing lost, and the next run ends with the numbers of an undisturbed one.
"""

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from grader import leftovers
from grader.course import Course
from grader.errors import EnvironmentProblem
from grader.metrics.evaluate import Evaluator
from grader.progress import Lines
from tests.test_scoring import GOOD, make_course, numbers, scored

KILLS = 50


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Course, dict[str, Any]]:
    """A course, scored without disturbance, and its numbers."""
    course = make_course(tmp_path_factory.mktemp("faults") / "course")
    return course, numbers(scored(course))


@pytest.fixture
def course(first: tuple[Course, dict[str, Any]], tmp_path: Path) -> Course:
    """A copy of the scored course with its store, to damage."""
    return Course(shutil.copytree(first[0].root, tmp_path / "course"))


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One element for each clip that is measured from here on, in this process."""
    calls: list[None] = []
    original = Evaluator.measure

    def measure(self: Evaluator, *arguments: Any, **named: Any) -> Any:
        calls.append(None)
        return original(self, *arguments, **named)

    monkeypatch.setattr(Evaluator, "measure", measure)
    return calls


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked children")
def test_killed_at_random_moments_and_run_twice_at_once_the_numbers_are_the_same(tmp_path: Path) -> None:
    make_course(tmp_path / "course")
    command = [sys.executable, "-m", "tests.killing", str(tmp_path / "course"), "7", str(KILLS)]
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["kills"] == KILLS + KILLS // 5
    assert said["equal"], "a killed run's numbers differ"
    assert said["left"] == []


def test_what_a_killed_grader_left_half_written_is_removed_and_others_stay(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    living = os.getppid()
    names = {
        f"handins/.abc0-{ended.pid}-x1": False,
        f"handins/.abc0-{living}-x1": True,
        "handins/abc0": True,
        f"baselines/griffin_lim/12.{ended.pid}.part.wav": False,
        f"baselines/griffin_lim/12.{living}.part.wav": True,
        "baselines/griffin_lim/12.wav": True,
    }
    for name in names:
        (tmp_path / name).mkdir(parents=True)
    leftovers.remove(tmp_path)
    assert {name: (tmp_path / name).exists() for name in names} == names
    leftovers.remove(tmp_path / "nothing here")


def can_mount(folder: Path) -> bool:
    folder.mkdir()
    try:
        return os.geteuid() == 0 and mount(folder, "size=1m", "-t", "tmpfs", "none").returncode == 0
    except OSError:
        return False


def mount(folder: Path, options: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["mount", "-o", options, *arguments, str(folder)], capture_output=True, check=False)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    if not hasattr(os, "geteuid") or not can_mount(folder):
        pytest.skip("no small disk can be mounted here (needs root)")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("room_kb", [40, 250, 500, 900])
def test_a_full_disk_is_said_and_the_next_run_goes_on(
    first: tuple[Course, dict[str, Any]], disk: Path, room_kb: int
) -> None:
    """The room ends while unpacking, rendering, preparing or scoring."""
    assert mount(disk, "remount,size=40m").returncode == 0
    course = Course(shutil.copytree(first[0].root, disk / "course", ignore=shutil.ignore_patterns(".grader")))
    used = shutil.disk_usage(disk).used // 1024
    assert mount(disk, f"remount,size={used + room_kb}k").returncode == 0
    said: list[str] = []
    with pytest.raises(EnvironmentProblem) as caught:
        scored(course, shown=Lines(said.append))
    assert any(part in caught.value.help for part in ("run the same command again", "free some disk space"))
    assert mount(disk, "remount,size=40m").returncode == 0
    assert numbers(scored(course)) == first[1]


def test_a_folder_that_cannot_be_written_is_said(first: tuple[Course, dict[str, Any]], disk: Path) -> None:
    assert mount(disk, "remount,size=40m").returncode == 0
    course = Course(shutil.copytree(first[0].root, disk / "course", ignore=shutil.ignore_patterns(".grader")))
    assert mount(disk, "remount,ro").returncode == 0
    with pytest.raises(EnvironmentProblem, match="store of finished work cannot be opened"):
        scored(course)
    assert mount(disk, "remount,rw").returncode == 0
    scored(course, only=[GOOD])
    assert mount(disk, "remount,ro").returncode == 0
    with pytest.raises(EnvironmentProblem) as caught:
        scored(course)
    assert "written" in caught.value.help
    assert mount(disk, "remount,rw").returncode == 0
    assert numbers(scored(course)) == first[1]


def truncated(content: bytes) -> bytes:
    return content[:-20_000]


def flipped(content: bytes) -> bytes:
    damaged = bytearray(content)
    moments = random.Random(3)
    for _ in range(40):
        damaged[moments.randrange(len(damaged))] ^= 1 << moments.randrange(8)
    return bytes(damaged)


def without_a_root(content: bytes) -> bytes:
    return content[:4096] + bytes(4096) + content[8192:]


@pytest.mark.parametrize("damage", [truncated, flipped, without_a_root])
def test_a_damaged_store_gives_back_what_is_whole_and_never_another_number(
    first: tuple[Course, dict[str, Any]], course: Course, measured: list[None], damage: Callable[[bytes], bytes]
) -> None:
    path = course.state / "records.sqlite"
    path.write_bytes(damage(path.read_bytes()))
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    for _ in range(3):  # damage that is found in the middle ends that run
        with contextlib.suppress(EnvironmentProblem):
            found = numbers(scored(course))
            break
    assert found == first[1]
    assert len(measured) < 9  # of three owners' three clips: what was whole is not measured again


def test_a_clock_that_jumps_changes_nothing(
    first: tuple[Course, dict[str, Any]], course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(course.state)
    jumps = random.Random(5)
    real = time.time

    def jumping() -> float:
        return real() + jumps.choice([-1, 1]) * jumps.uniform(0, 4e8)

    monkeypatch.setattr(time, "time", jumping)
    monkeypatch.setattr(time, "time_ns", lambda: int(jumping() * 1e9))
    assert numbers(scored(course)) == first[1]
    assert numbers(scored(course)) == first[1]
