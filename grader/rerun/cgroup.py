"""Control groups, version 1 and 2: the kernel counts and limits a run's memory, processes and CPU time as a whole.

One group for each run, named after the grader's own process so that a later run can tell what a killed one left.
Source: the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from grader.rerun.limits import MB, Sample

_numbers = itertools.count()
_joined: set[Path] = set()  # parents in whose groups a process has been: not tried again


@dataclass
class Cgroup:
    """One run's group. folders: by controller (version 1), or one for all under the name ``""`` (version 2)."""

    folders: dict[str, Path]
    name: str = "cgroup"
    _peak_processes: int = field(default=0, init=False)

    @property
    def version(self) -> int:
        return 2 if "" in self.folders else 1

    def prefix(self) -> list[str]:
        """A shell that puts itself into the group and becomes the command: nothing is ever outside."""
        files = [str(folder / "cgroup.procs") for folder in dict.fromkeys(self.folders.values())]
        script = 'n=$1; shift; while [ "$n" -gt 0 ]; do echo 0 > "$1" || exit 125; shift; n=$((n-1)); done; exec "$@"'
        return ["/bin/sh", "-c", script, "sh", str(len(files)), *files]

    def _file(self, controller: str, name: str) -> Path:
        return self.folders.get("", self.folders.get(controller, Path("/nowhere"))) / name

    def limit(self, *, memory_mb: float, processes: int) -> None:
        """Set the limits; raises OSError where that is not possible."""
        memory = str(int(memory_mb * MB))
        if self.version == 2:
            self._file("memory", "memory.max").write_text(memory)
            self._file("pids", "pids.max").write_text(str(processes))
            optional = {"memory.swap.max": "0", "memory.oom.group": "1"}
        else:
            self._file("memory", "memory.limit_in_bytes").write_text(memory)
            self._file("pids", "pids.max").write_text(str(processes))
            optional = {"memory.memsw.limit_in_bytes": memory}
        for name, value in optional.items():
            with contextlib.suppress(OSError):
                self._file("memory", name).write_text(value)

    def sample(self, pid: int) -> Sample:  # noqa: ARG002
        if self.version == 2:
            cpu_s = _number_after(self._file("cpu", "cpu.stat"), "usage_usec") / 1e6
            memory = _number(self._file("memory", "memory.peak")) or _number(self._file("memory", "memory.current"))
        else:
            cpu_s = _number(self._file("cpuacct", "cpuacct.usage")) / 1e9
            memory = _number(self._file("memory", "memory.max_usage_in_bytes"))
        now = _number(self._file("pids", "pids.peak")) or _number(self._file("pids", "pids.current"))
        self._peak_processes = max(self._peak_processes, now)
        return Sample(cpu_s, memory, self._peak_processes)

    def hit(self) -> str | None:
        events = self._file("memory", "memory.events" if self.version == 2 else "memory.oom_control")
        if _number_after(events, "oom_kill"):
            return "memory"
        if _number_after(self._file("pids", "pids.events"), "max"):
            return "processes"
        return None

    def close(self) -> None:
        """Kill what is left in the group and remove it."""
        for folder in dict.fromkeys(self.folders.values()):
            _remove(folder)


def make(memory_mb: float, processes: int) -> Cgroup | None:
    """A new limited group, or None where this process may not make one. Groups of dead graders are removed first."""
    name = f"grader-{os.getpid()}-{next(_numbers)}"
    for parents in _candidates():
        for parent in dict.fromkeys(parents.values()):
            _sweep(parent)
        group = Cgroup({controller: parent / name for controller, parent in parents.items()})
        try:
            for folder in dict.fromkeys(group.folders.values()):
                folder.mkdir()
            group.limit(memory_mb=memory_mb, processes=processes)
            # Joining is what may still fail (a threaded or a non-leaf group of version 2): try it with a real process.
            places = set(parents.values())
            if places <= _joined or os.spawnv(os.P_WAIT, "/bin/sh", [*group.prefix(), "/bin/true"]) == 0:
                _joined.update(places)
                return group
        except OSError:
            pass
        group.close()
    return None


def _candidates() -> list[dict[str, Path]]:
    """Where groups might be made: for version 2 below our own group or at the root, for version 1 in each hierarchy."""
    mounts, unified = _mounts()
    own = [line.split(":", 2)[1:] for line in _lines("/proc/self/cgroup")]
    found: list[dict[str, Path]] = []
    if unified is not None:
        of_own = next((path for controllers, path in own if not controllers), "/")
        for folder in dict.fromkeys((unified / of_own.lstrip("/"), unified)):
            offered = _lines(folder / "cgroup.subtree_control")
            if {"memory", "pids"} <= set(" ".join(offered).split()) or _enable(folder):
                found.append({"": folder})
    if {"memory", "pids"} <= mounts.keys():
        wanted = [controller for controller in ("memory", "pids", "cpuacct") if controller in mounts]
        found.append({controller: mounts[controller] for controller in wanted})
    return found


def _mounts() -> tuple[dict[str, Path], Path | None]:
    hierarchies: dict[str, Path] = {}
    unified = None
    for line in _lines("/proc/self/mounts"):
        _, folder, kind, options, *_ = line.split()
        if kind == "cgroup2" and "memory" in " ".join(_lines(Path(folder) / "cgroup.controllers")).split():
            unified = Path(folder)
        elif kind == "cgroup":
            hierarchies |= {
                option: Path(folder) for option in options.split(",") if option in ("memory", "pids", "cpuacct")
            }
    return hierarchies, unified


def _enable(folder: Path) -> bool:
    try:
        (folder / "cgroup.subtree_control").write_text("+memory +pids +cpu")
    except OSError:
        return False
    return True


def _sweep(parent: Path) -> None:
    """Remove the groups of graders that no longer live."""
    for left in parent.glob("grader-*-*"):
        pid = left.name.split("-")[1]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            _remove(left)


def _remove(folder: Path) -> None:
    for _ in range(200):
        for pid in _lines(folder / "cgroup.procs"):
            with contextlib.suppress(ProcessLookupError, PermissionError, ValueError):
                os.kill(int(pid), signal.SIGKILL)
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.01)
        else:
            return


def _lines(path: str | Path) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def _number_after(path: Path, key: str) -> int:
    return next((int(line.split()[1]) for line in _lines(path) if line.split()[0] == key), 0)
