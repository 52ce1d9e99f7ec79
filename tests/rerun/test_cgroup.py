"""Control groups on hierarchies of plain files: what is written where, and how the kernel's answers are read."""

import os
from pathlib import Path

import pytest

from grader.rerun import cgroup
from grader.rerun.cgroup import Cgroup
from grader.rerun.scope import Scope


@pytest.fixture
def version_2(tmp_path: Path) -> Cgroup:
    return Cgroup({"": tmp_path})


def test_version_2(version_2: Cgroup, tmp_path: Path) -> None:
    version_2.limit(memory_mb=500, processes=64)
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert written == {"memory.max": "500000000", "memory.swap.max": "0", "memory.oom.group": "1", "pids.max": "64"}
    (tmp_path / "cpu.stat").write_text("usage_usec 1500000\nuser_usec 1\n")
    (tmp_path / "memory.peak").write_text("123\n")
    (tmp_path / "pids.current").write_text("7\n")
    sample = version_2.sample(1)
    assert (sample.cpu_s, sample.memory_bytes, sample.processes) == (1.5, 123, 7)
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 3\noom 0\noom_kill 0\n")
    assert version_2.hit() is None
    (tmp_path / "pids.events").write_text("max 2\n")
    assert version_2.hit() == "processes"
    (tmp_path / "memory.events").write_text("oom 1\noom_kill 1\n")
    assert version_2.hit() == "memory"


def test_version_2_without_a_peak_file(version_2: Cgroup, tmp_path: Path) -> None:
    (tmp_path / "memory.current").write_text("77\n")
    assert version_2.sample(1).memory_bytes == 77


def test_version_1(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("memory", "pids", "cpuacct")}
    for folder in folders.values():
        folder.mkdir()
    group = Cgroup(folders)
    group.limit(memory_mb=1, processes=5)
    assert (tmp_path / "memory/memory.limit_in_bytes").read_text() == "1000000"
    assert (tmp_path / "pids/pids.max").read_text() == "5"
    (tmp_path / "cpuacct/cpuacct.usage").write_text("2500000000\n")
    (tmp_path / "memory/memory.max_usage_in_bytes").write_text("9\n")
    (tmp_path / "memory/memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 0\n")
    for now in (3, 8, 2):
        (tmp_path / "pids/pids.current").write_text(f"{now}\n")
        sample = group.sample(1)
    assert (sample.cpu_s, sample.memory_bytes, sample.processes) == (2.5, 9, 8)
    assert group.hit() is None
    (tmp_path / "memory/memory.oom_control").write_text("oom_kill 1\n")
    assert group.hit() == "memory"


def test_the_command_joins_every_hierarchy_before_it_begins(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("memory", "pids")}
    for folder in folders.values():
        folder.mkdir()
    words = [*Cgroup(folders).prefix(), "/bin/sh", "-c", 'test "$1" = "a b"', "sh", "a b"]
    assert os.spawnv(os.P_WAIT, words[0], words) == 0
    assert [(folder / "cgroup.procs").read_text() for folder in folders.values()] == ["0\n", "0\n"]


def test_a_group_that_cannot_be_joined_runs_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    words = [*Cgroup({"": tmp_path / "missing"}).prefix(), "/usr/bin/touch", str(mark)]
    assert os.spawnv(os.P_WAIT, words[0], words) == 125
    assert not mark.exists()


def test_no_hierarchy_no_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "_candidates", list)
    assert cgroup.make(100, 10) is None


def test_a_scope_gets_the_users_bus_and_the_command_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    words = Scope(memory_mb=2, processes=3).prefix()
    assert words[:2] == ["/usr/bin/env", "XDG_RUNTIME_DIR=/run/user/7"]
    assert {"MemoryMax=2000000", "MemorySwapMax=0", "TasksMax=3"} <= set(words)
    assert words[-2:] == ["/usr/bin/env", "-i"]
