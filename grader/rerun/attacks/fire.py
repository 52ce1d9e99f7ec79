"""Fire an attack at a sandbox, and judge from outside whether it was contained."""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grader.rerun.attacks.corpus import BEGUN, Attack
from grader.rerun.job import Job, Outcome
from grader.rerun.limits import MB, Meter
from grader.rerun.sandbox import Sandbox, base_python, remove
from grader.rubric import Limits

LIMITS = Limits(wall_s=3, cpu_s=1, memory_mb=300, processes=48, output_mb=20, tmp_mb=16, shm_mb=16, log_kb=64, log_mb=5)
_PATIENT = LIMITS.model_copy(update={"wall_s": 60.0})  # where CPU time must run out first, on a busy machine too


@dataclass(frozen=True)
class Fired:
    """What came of one attack. breaches: in words, empty when it was contained."""

    attack: str
    breaches: tuple[str, ...]
    outcome: Outcome

    @property
    def contained(self) -> bool:
        return not self.breaches


def fire(attack: Attack, sandbox: Sandbox, folder: Path, meter: Meter | None = None) -> Fired:
    """Run an attack in an empty ``folder`` of its own, with a real secret, a real listener and real mels in reach."""
    marker, token = secrets.token_hex(16), secrets.token_hex(8)
    references, code, mels, out = (folder / name for name in ("references", "code", "mels", "out"))
    for made in (references, code, mels, out):
        made.mkdir(parents=True)
    secret, mel = references / "001.wav", mels / "001.npy"
    secret.write_text(marker)
    mel.write_bytes(b"mel")
    (code / "attack.py").write_text(attack.source)
    for shared in (code / "attack.py", mel):
        shared.chmod(0o644)
    limits = _PATIENT if attack.ends == "cpu" else LIMITS
    with _listener() as port:
        job = Job("", out, limits, {code: "/code", mels: "/mels"}, environment={"TOKEN": token})
        places = sandbox.places(job)
        words = [base_python(), "-I", "-B", f"{places['code']}/attack.py", str(secret), str(port),
                 f"{places['mels']}/001.npy", str(os.getpid()), places["out"], token]  # fmt: skip
        job = Job(shlex.join(words), out, limits, job.read)
        outcome = sandbox.run(job, meter)
    breaches = list(_breaches(attack, outcome, limits))
    breaches += [f"process {pid} was left behind" for pid in _left_behind(token)]
    if marker in outcome.log or marker.encode().hex() in outcome.log or marker.encode() in _output_bytes(out):
        breaches.append("the secret came out")
    if mel.read_bytes() != b"mel" or secret.read_text() != marker:
        breaches.append("a file was changed that may only be read")
    remove(folder)
    if folder.exists():
        breaches.append("its output could not be removed")
    return Fired(attack.name, tuple(breaches), outcome)


def _breaches(attack: Attack, outcome: Outcome, limits: Limits) -> Iterator[str]:
    if outcome.error:
        yield f"the sandbox did not start: {outcome.error}"
        return
    if BEGUN not in outcome.log and outcome.limit != "log":
        yield "it never ran"
    yield from (line for line in outcome.log.splitlines() if line.startswith("BREACH"))
    ended = outcome.limit or "by itself"
    if attack.ends not in (ended, "any"):
        yield f"ended {ended}, expected {attack.ends}"
    usage = outcome.usage
    # Between two looks of the watchdog a little more may be used; a tenth of a second of writing is not 4 GB.
    for name, used, most in (
        ("seconds", usage.wall_s, limits.wall_s + 3),
        ("CPU seconds", usage.cpu_s, limits.cpu_s + 2),
        ("MB of memory", usage.memory_mb, limits.memory_mb * 2),
        ("MB of output", usage.output_mb, limits.output_mb * 10),
    ):
        if used > most:
            yield f"used {used:.0f} {name}"


def _left_behind(token: str) -> list[int]:
    """Processes that still carry this attack's token in their command line; given a moment to be reaped."""
    for _ in range(20):
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if token.encode() in (process / "cmdline").read_bytes():
                    found.append(int(process.name))
        if not found:
            return []
        time.sleep(0.05)
    return found


def _output_bytes(out: Path) -> bytes:
    """The beginning of every regular file that was left (never followed, never waited for)."""
    content = b""
    for path in sorted(out.glob("*"))[:50]:
        with contextlib.suppress(OSError):
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(fd, "rb") as file:
                content += file.read(MB)
    return content


@contextlib.contextmanager
def _listener() -> Iterator[int]:
    """A service on this machine that would answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
