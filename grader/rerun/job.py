"""What is to be run in a sandbox, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from grader.rerun.limits import Usage
from grader.rubric import Limits


@dataclass(frozen=True)
class Job:
    """One command for the sandbox.

    command: a shell line. read: folders and files on this machine it may read, each with its place inside; out: the one
    folder it may write, seen as ``/out``. Without bubblewrap every place inside is the place outside: fill commands
    from :meth:`grader.rerun.sandbox.Sandbox.place`.
    prefix: the Python installation the environment is based on. environment: beyond what every command gets.
    jobs: how many run at the same time; threads and wall time are shared out by it.
    network: only for building packages, never for a student's inference.
    """

    command: str
    out: Path
    limits: Limits
    read: Mapping[Path, str] = field(default_factory=dict)
    workdir: str = "/"
    prefix: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    jobs: int = 1
    network: bool = False
    gpus: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    exit_status: the command's own, negative for a signal, None where the grader ended it. limit: which limit ended it,
    or was met by a command that then failed: wall, cpu, memory, processes, output, log. log: the last of what it
    printed. protections: what was in force, by name. started_ms: from nothing to the command's first instruction.
    error: why nothing could run (the environment's fault), else empty.
    """

    exit_status: int | None
    limit: str | None
    usage: Usage
    log: str
    protections: Mapping[str, Any]
    started_ms: float
    error: str = ""

    @property
    def ok(self) -> bool:
        return self.exit_status == 0 and self.limit is None and not self.error

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "usage": self.usage.as_json(), "protections": dict(self.protections)}
