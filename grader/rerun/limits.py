"""What a run may use, what it did use, and how that is measured where there is no cgroup: by its process tree.

Conventions: seconds, MB of 10^6 bytes; processes count threads too, as the kernel's own limits do.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

MB = 1_000_000
MAX_OUTPUT_ENTRIES = 10_000
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """Wall and CPU seconds, and the peaks of memory, processes, output and temporary files (None: not measured)."""

    wall_s: float
    cpu_s: float
    memory_mb: float
    processes: int
    output_mb: float

    def as_json(self) -> dict[str, Any]:
        return {key: round(value, 3) for key, value in asdict(self).items()}


@dataclass(frozen=True)
class Sample:
    """Of one moment: CPU seconds so far, memory in bytes and processes now (or their peaks, where those are kept)."""

    cpu_s: float
    memory_bytes: int
    processes: int


class Meter(Protocol):
    """Measures one run, and limits it where the kernel helps. ``name`` is how it does so."""

    name: str

    def prefix(self) -> list[str]:
        """Words before the command that put it under this meter."""

    def sample(self, pid: int) -> Sample: ...

    def hit(self) -> str | None:
        """``memory`` or ``processes`` when the kernel refused the run more of it."""

    def close(self) -> None: ...


class Watchdog:
    """The process tree, read from /proc: what is left where no cgroup can be written."""

    name = "watchdog"

    def __init__(self) -> None:
        self._cpu_s = 0.0

    def prefix(self) -> list[str]:
        return []

    def sample(self, pid: int) -> Sample:
        cpu_s, memory, processes = 0.0, 0, 0
        for member in tree(pid):
            try:
                fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
                memory += _memory_bytes(member)
            except (OSError, IndexError):
                continue
            # utime, stime, and those of children that were waited for; then the number of threads.
            cpu_s += sum(map(int, fields[11:15])) * _TICK_S
            processes += int(fields[17])
        self._cpu_s = max(self._cpu_s, cpu_s)
        return Sample(self._cpu_s, memory, processes)

    def hit(self) -> str | None:
        return None

    def close(self) -> None:
        pass


def _memory_bytes(pid: int) -> int:
    """Resident memory, what several processes share counted in parts where the kernel tells (PSS)."""
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    if resident < 50 * MB:
        return resident
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resident


def tree(pid: int) -> Iterator[int]:
    """A process and all its living descendants."""
    pending = [pid]
    while pending:
        current = pending.pop()
        yield current
        try:
            for task in Path(f"/proc/{current}/task").iterdir():
                pending += map(int, (task / "children").read_text().split())
        except OSError:
            continue


def memory_available_share() -> float:
    """The share of this machine's memory that is still available."""
    facts = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return int(facts["MemAvailable"].split()[0]) / int(facts["MemTotal"].split()[0])


def folder_size(folder: Path, most_bytes: float) -> tuple[int, bool]:
    """Bytes in a folder, and whether it is too much to keep: too many bytes, entries, or names too long to reach.

    Links are not followed; the walk ends as soon as it is too much.
    """
    size = entries = 0
    pending = [str(folder)]
    while pending:
        try:
            with os.scandir(pending.pop()) as found:
                for entry in found:
                    entries += 1
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    else:
                        size += entry.stat(follow_symlinks=False).st_size
                    if size > most_bytes or entries > MAX_OUTPUT_ENTRIES:
                        return size, True
        except (FileNotFoundError, PermissionError):
            continue  # just removed, or closed to us: what is in it cannot be collected either
        except OSError:
            return size, True
    return size, False
