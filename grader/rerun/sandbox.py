"""The sandbox: a student's command runs, is watched, and leaves only what lies in its output folder.

What the command can see comes from bubblewrap (:mod:`grader.rerun.bubblewrap`), what it can use up from a cgroup or the
watchdog, what it can ask of the kernel from Landlock and seccomp (:mod:`grader.rerun.inside`). Where bubblewrap cannot
be had, Landlock and seccomp alone still keep files and network away; where nothing can be had, nothing runs unless the
TA insists, and every record says so.

The command starts only after the launcher inside has reported and the grader has answered; from then on the kernel
ends it when the grader dies.
"""

from __future__ import annotations

import contextlib
import itertools
import marshal
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from grader.errors import EnvironmentProblem
from grader.rerun import bubblewrap, cgroup, scope
from grader.rerun.inside import landlock
from grader.rerun.job import Job, Outcome
from grader.rerun.limits import MB, Meter, Usage, Watchdog, folder_size, memory_available_share, tree
from grader.rerun.streams import Tail, data, pipe
from grader.rubric import Limits

Level = Literal["bubblewrap", "landlock", "none"]
_START_TIMEOUT_S = 60
_POLL_S = 0.05
_LEAST_MEMORY_SHARE = 0.03
_FIRST_USER = 0x7A000000  # far above every real user and what container tools hand out; room for 2^26 below 2^31
_runs = itertools.count()
_under_way: set[_Started] = set()
_INSIDE = Path(__file__).parent / "inside"
NO_SANDBOX_HELP = (
    "install bubblewrap (Debian, Ubuntu: apt install bubblewrap) or use a kernel with Landlock; "
    "`grader doctor` tells more. --no-sandbox runs students' code with all your rights, and marks every record made so"
)


@dataclass(frozen=True)
class Sandbox:
    """One way of running commands on this machine. own_user: bubblewrap in a user namespace of its own."""

    level: Level
    own_user: bool = False

    def place(self, outside: Path, inside: str) -> str:
        """Where a command finds what is bound: at its place inside, or where it is."""
        return inside if self.level == "bubblewrap" else str(outside)

    def places(self, job: Job) -> dict[str, str]:
        """Where a command finds each thing, by the name of its place inside: ``{"mels": "/mels", "out": "/out"}``."""
        inside = {**job.read, job.out: "/out"}
        return {Path(place).name: self.place(outside, place) for outside, place in inside.items()}

    def run(self, job: Job, meter: Meter | None = None) -> Outcome:
        """Run one command to its end. ``Outcome.error`` says what could not be set up."""
        meter = meter or meter_for(job.limits)
        own_temporary = self.level != "bubblewrap"
        temporary = scratch() if own_temporary else Path("/tmp")
        try:
            with _Started(self, job, meter, temporary) as started:
                return started.watch()
        finally:
            meter.close()
            if own_temporary:
                remove(temporary)


def find(*, allow_none: bool = False) -> Sandbox:
    """The strongest sandbox that really works here; raises :class:`EnvironmentProblem` where there is none.

    allow_none: the TA insists on running without one (``--no-sandbox``), where nothing better can be had.
    """
    for candidate in working():
        return candidate
    if allow_none:
        return Sandbox("none")
    raise EnvironmentProblem("no sandbox works on this machine, so no student's code is run", help=NO_SANDBOX_HELP)


@cache
def working() -> tuple[Sandbox, ...]:
    """Every sandbox that works here, the strongest first; each is tried with a command that does nothing."""
    candidates = [Sandbox("landlock")] if landlock.abi() else []
    if bubblewrap.program():
        # As root, a user namespace leaves us root to the kernel, able to write /proc/sys: only with Landlock.
        ours = [False] + [True] * bool(landlock.abi()) if os.geteuid() == 0 else [True]
        candidates = [Sandbox("bubblewrap", own_user) for own_user in ours] + candidates
    return tuple(candidate for candidate in candidates if not trial(candidate))


def trial(candidate: Sandbox) -> str:
    """Why a sandbox cannot be used, or nothing."""
    limits = Limits(
        wall_s=20, cpu_s=10, memory_mb=500, processes=64, output_mb=1, tmp_mb=10, shm_mb=10, log_kb=16, log_mb=1
    )
    with tempfile.TemporaryDirectory(prefix="grader-trial-") as folder:
        outcome = candidate.run(Job("exit 7", Path(folder), limits), Watchdog())
    return "" if outcome.exit_status == 7 else outcome.error or outcome.log or "the trial command did not run"


def meter_for(limits: Limits) -> Meter:
    """The best way to count and limit that this process may use."""
    group = cgroup.make(limits.memory_mb, limits.processes)
    if group is not None:
        return group
    return scope.Scope(limits.memory_mb, limits.processes) if scope.available() else Watchdog()


def scratch() -> Path:
    """A temporary folder, named after this process; those that killed graders left behind are removed."""
    for left in Path(tempfile.gettempdir()).glob("grader-run-*-*"):
        with contextlib.suppress(OSError):
            pid = left.name.split("-")[2]
            if left.lstat().st_uid == os.geteuid() and pid.isdigit() and not Path("/proc", pid).exists():
                remove(left)
    return Path(tempfile.mkdtemp(prefix=f"grader-run-{os.getpid()}-"))


def remove(folder: Path) -> None:
    """Remove what a student's code made, however deep, and whatever rights it took from us."""
    if not folder.exists():
        return
    quiet: dict[str, Any] = {"check": False, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if subprocess.run(["rm", "-rf", "--", folder], **quiet).returncode != 0:
        subprocess.run(["chmod", "-R", "u+rwX", "--", folder], **quiet)
        subprocess.run(["rm", "-rf", "--", folder], **quiet)


def stop_all() -> None:
    """End every run of this process that is under way: Ctrl-C must not wait for the slowest of several threads."""
    for started in list(_under_way):
        started.stop = True


class _Stopped(Exception):
    """A run was ended for no fault of its command."""


class _Started:
    """One running command: its process, its pipes, and what was seen of it."""

    def __init__(self, sandbox: Sandbox, job: Job, meter: Meter, temporary: Path) -> None:
        self.sandbox, self.job, self.meter, self.temporary = sandbox, job, meter, temporary
        self.log = Tail(int(job.limits.log_kb * 1000))
        self.begun = time.monotonic()
        self.memory_bytes = self.processes = self.output_bytes = 0
        self.stop = False
        self.cpu_s = self.look_again = self.measure_again = 0.0

    def __enter__(self) -> _Started:
        job, sandbox = self.job, self.sandbox
        become = sandbox.level == "bubblewrap" and not sandbox.own_user
        self.user = user = _another_user() if become else None
        job.out.chmod(0o700)
        if user is not None:
            os.chown(job.out, user, user)
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            self.ready_fd, ready = pipe(ours, theirs)
            go, self.go_fd = pipe(theirs, ours)
            self.log_fd, log = pipe(ours, theirs)
            settings = data(theirs, self._settings(ready, go, user))
            command = [sys.executable, "-I", "-S", str(_INSIDE / "launch.py"), str(settings)]
            fds = [ready, go, settings]
            if sandbox.level == "bubblewrap":
                inside_command = [base_python(), "-I", "-S", f"{bubblewrap.INSIDE}/launch.py", command[-1]]
                passwd = data(theirs, f"student:x:{user or 1000}:{user or 1000}::/tmp/home:/bin/sh\n".encode())
                words = bubblewrap.words(job, own_user=sandbox.own_user, passwd_fd=passwd)
                arguments = data(theirs, ("\0".join(words) + "\0").encode())
                command = [bubblewrap.program() or "bwrap", "--args", str(arguments), "--", *inside_command]
                fds += [passwd, arguments]
            self.process = subprocess.Popen(  # an empty environment: /proc/1/environ would show ours
                [*self.meter.prefix(), *command], env={}, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=fds, start_new_session=True,
            )  # fmt: skip
            self._ours = ours.pop_all()
        _under_way.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        _under_way.discard(self)
        self.end()
        self._ours.close()

    def end(self) -> None:
        """Kill the command and everything it started; returns when all of it is gone."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                if self.sandbox.level == "bubblewrap":
                    # The first process of the namespace is reaped only after all others in it: bwrap waits for that.
                    for pid in [*tree(self.process.pid)][1:2] or [self.process.pid]:
                        os.kill(pid, signal.SIGKILL)
                else:
                    self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def watch(self) -> Outcome:
        """Wait for the launcher's word, let the command go, and follow it to its end."""
        protections: dict[str, Any] = {"level": self.sandbox.level, "limits": self.meter.name}
        report = self._report()
        if "error" in report:
            self.end()
            self._drain()
            return self._outcome(None, None, protections, 0.0, error=f"{report['error']} {self.log.text()}".strip())
        protections |= {key: value for key, value in report.items() if key != "user"}
        protections["another_user"] = self.user is not None
        started_ms = 1000 * (time.monotonic() - self.begun)
        self.begun = time.monotonic()
        with contextlib.suppress(BrokenPipeError):
            os.write(self.go_fd, b"g")
        try:
            limit = self._until_end()
        except _Stopped as stopped:
            self.end()
            self._drain()
            return self._outcome(None, None, protections, started_ms, error=str(stopped))
        status = None if limit else self.process.returncode
        hit = self.meter.hit()
        if limit is None and hit and (status != 0 or hit == "memory"):
            limit = hit
        self.end()
        self._drain()
        return self._outcome(status, limit, protections, started_ms)

    def _report(self) -> dict[str, Any]:
        received = b""
        until = time.monotonic() + _START_TIMEOUT_S
        while True:
            if not select.select([self.ready_fd], [], [], max(0.0, until - time.monotonic()))[0]:
                return {"error": "the sandbox did not start in time"}
            chunk = os.read(self.ready_fd, 4096)
            if not chunk:
                return {"error": "the sandbox did not start"}
            received += chunk
            with contextlib.suppress(EOFError):  # nothing of the student's runs yet: these are the launcher's own words
                answer: dict[str, Any] = marshal.loads(received)
                return answer

    def _until_end(self) -> str | None:
        """The limit that ended the command, or None when it ended by itself."""
        limits = self.job.limits
        # More jobs than cores wait for each other by the clock, which is nobody's fault; CPU time is not shared.
        wall_s = limits.wall_s * max(1.0, self.job.jobs / (os.cpu_count() or 1))
        with contextlib.ExitStack() as stack:
            pidfd = os.pidfd_open(self.process.pid)
            stack.callback(os.close, pidfd)
            os.set_blocking(self.log_fd, False)
            while True:
                readable, _, _ = select.select([pidfd, self.log_fd], [], [], _POLL_S)
                if self.log_fd in readable and not self.log.read(self.log_fd):
                    time.sleep(_POLL_S / 10)  # printed to the end, still running
                if pidfd not in readable and time.monotonic() < self.look_again:
                    continue
                self._look()
                if pidfd in readable:
                    self.process.wait()
                    return "output" if self._output_is_too_much() else None
                if self.cpu_s > limits.cpu_s:
                    return "cpu"
                if time.monotonic() - self.begun > wall_s:
                    return "wall"
                if self.memory_bytes > limits.memory_mb * MB or self.meter.hit() == "memory":
                    return "memory"
                if memory_available_share() < _LEAST_MEMORY_SHARE:
                    raise _Stopped("this machine has no memory left")
                if self.stop:
                    raise _Stopped("the grader was stopped")
                if self.processes > limits.processes:
                    return "processes"
                if self.log.seen > limits.log_mb * MB:
                    return "log"
                if time.monotonic() >= self.measure_again and self._output_is_too_much():
                    return "output"

    def _look(self) -> None:
        sample = self.meter.sample(self.process.pid)
        self.cpu_s = max(self.cpu_s, sample.cpu_s)
        self.look_again = time.monotonic() + _POLL_S
        self.memory_bytes = max(self.memory_bytes, sample.memory_bytes)
        self.processes = max(self.processes, sample.processes)

    def _output_is_too_much(self) -> bool:
        limits, begun = self.job.limits, time.monotonic()
        size, over = folder_size(self.job.out, limits.output_mb * MB)
        self.output_bytes = max(self.output_bytes, size)
        if self.sandbox.level != "bubblewrap":
            over = over or folder_size(self.temporary, (limits.tmp_mb + limits.shm_mb) * MB)[1]
        now = time.monotonic()
        self.measure_again = now + 10 * (now - begun)  # thousands of files take a while to measure
        return over

    def _drain(self) -> None:
        os.set_blocking(self.log_fd, False)
        while self.log.read(self.log_fd) and self.log.seen < 10 * self.job.limits.log_mb * MB:
            pass

    def _outcome(
        self, status: int | None, limit: str | None, protections: dict[str, Any], started_ms: float, error: str = ""
    ) -> Outcome:
        usage = Usage(
            wall_s=time.monotonic() - self.begun,
            cpu_s=self.cpu_s,
            memory_mb=self.memory_bytes / MB,
            processes=self.processes,
            output_mb=self.output_bytes / MB,
        )
        if status is not None and status > 128:  # a shell, and bwrap, tell a signal so
            status = 128 - status
        return Outcome(status, limit, usage, self.log.text(), protections, round(started_ms, 1), error)

    def _settings(self, ready: int, go: int, user: int | None) -> bytes:
        job, sandbox = self.job, self.sandbox
        boxed = sandbox.level == "bubblewrap"
        own_count = user is not None or sandbox.own_user  # else every process of the TA's would count
        largest = int(max(job.limits.output_mb, job.limits.tmp_mb, job.limits.shm_mb) * MB)
        rlimits = {
            "RLIMIT_CORE": 0,
            "RLIMIT_CPU": int(job.limits.cpu_s) + 5,
            "RLIMIT_FSIZE": largest,
            "RLIMIT_MSGQUEUE": 0,
        }
        if own_count:
            rlimits["RLIMIT_NPROC"] = job.limits.processes
        return marshal.dumps({
            "ready_fd": ready, "go_fd": go, "user": user, "boxed": boxed, "counted": self.meter.name != "watchdog",
            "rlimits": rlimits, "network": job.network, "restrict": sandbox.level != "none",
            "landlock": _boxed_paths() if boxed else self._open_paths(),
            "workdir": job.workdir, "command": job.command, "environment": self._environment(),
        })  # fmt: skip

    def _open_paths(self) -> dict[str, list[str]]:
        """What Landlock allows where nothing hides the rest of this machine."""
        system = [
            "/usr",
            "/bin",
            "/sbin",
            "/lib",
            "/lib32",
            "/lib64",
            "/proc",
            *(f"/etc/{name}" for name in bubblewrap.ETC),
        ]
        system += [str(prefix) for prefix in bubblewrap.prefixes(self.job)]
        devices = [f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty")]
        if self.job.gpus:
            system.append("/sys")
            devices += [str(device) for device in Path("/dev").glob("nvidia*")]
        return {
            "read": [*system, str(_INSIDE), *(str(path.resolve()) for path in self.job.read)],
            "write": [str(self.job.out.resolve()), str(self.temporary)],
            "devices": devices,
        }

    def _environment(self) -> dict[str, str]:
        job = self.job
        boxed = self.sandbox.level == "bubblewrap"
        home = "/tmp/home" if boxed else str(self.temporary)
        environment = next((outside for outside, inside in job.read.items() if inside == "/env"), None)
        own = [] if environment is None else [f"{self.sandbox.place(environment, '/env')}/bin"]
        threads = str(max(1, (os.cpu_count() or 1) // job.jobs))
        variables = {
            "PATH": ":".join([*own, "/usr/local/bin", "/usr/bin", "/bin"]),
            "HOME": home, "TMPDIR": "/tmp" if boxed else home, "USER": "student", "LOGNAME": "student",
            "LANG": "C.UTF-8", "MPLBACKEND": "Agg", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        variables |= {f"{name}_NUM_THREADS": threads for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA")}
        if not job.gpus:
            variables["CUDA_VISIBLE_DEVICES"] = ""
        return {**variables, **job.environment}


def _boxed_paths() -> dict[str, list[str]]:
    """What Landlock allows inside bubblewrap, which already shows nothing else: a second lock on the same doors."""
    return {"read": ["/"], "write": ["/out", "/tmp", "/dev/shm"], "devices": ["/dev"]}


def _another_user() -> int:
    """A user for each run at a time: runs must not count against each other's limits, nor signal each other."""
    return _FIRST_USER + (os.getpid() % (1 << 20)) * 64 + next(_runs) % 64


def base_python() -> str:
    """The interpreter under any virtual environment: it can be seen inside, the environment's link cannot."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))
