"""A systemd user scope: a cgroup for an ordinary user, where systemd runs one for the user."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from grader.rerun.cgroup import Cgroup
from grader.rerun.limits import MB, Sample, Watchdog

_ADDRESS = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")


@dataclass
class Scope:
    """One run's scope. Its cgroup is known once the command runs; before that the process tree is measured."""

    memory_mb: float
    processes: int
    name: str = "systemd scope"
    _group: Cgroup | None = field(default=None, init=False)
    _watchdog: Watchdog = field(default_factory=Watchdog, init=False)

    def prefix(self) -> list[str]:
        """systemd-run needs to know the user's bus; the command itself gets none of it."""
        bus = [f"{name}={os.environ[name]}" for name in _ADDRESS if name in os.environ]
        limits = [f"MemoryMax={int(self.memory_mb * MB)}", "MemorySwapMax=0", f"TasksMax={self.processes}"]
        options = [word for limit in limits for word in ("-p", limit)]
        return ["/usr/bin/env", *bus, "systemd-run", "--user", "--scope", "--quiet", "--collect", *options,
                "/usr/bin/env", "-i"]  # fmt: skip

    def sample(self, pid: int) -> Sample:
        if self._group is None:
            path = (
                Path(f"/proc/{pid}/cgroup").read_text().rpartition("::")[2].strip()
                if Path(f"/proc/{pid}").exists()
                else ""
            )
            if path.endswith(".scope"):
                self._group = Cgroup({"": Path("/sys/fs/cgroup") / path.lstrip("/")})
        return self._group.sample(pid) if self._group else self._watchdog.sample(pid)

    def hit(self) -> str | None:
        return self._group.hit() if self._group else None

    def close(self) -> None:
        pass  # systemd removes an empty scope


@cache
def available() -> bool:
    """Whether a scope with a memory limit can really be started here."""
    if not shutil.which("systemd-run") or not any(name in os.environ for name in _ADDRESS):
        return False
    command = [*Scope(1000, 100).prefix(), "/bin/true"]
    try:
        return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
