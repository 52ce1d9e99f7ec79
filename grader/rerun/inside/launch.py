"""The last thing that runs before a student's command, already inside the sandbox: it takes away what is left.

``python -I -S launch.py FD``, where the settings can be read (marshalled: reader and writer are the same Python). It
becomes another user where it may, sets resource limits, Landlock and seccomp, says so to the grader, waits for the
grader's word, and becomes the command. A grader that has died says nothing: then nothing runs.

Every module that is imported here is paid for at each start: json, signal, socket and typing cost 30 ms together.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import marshal
import os
import resource
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

sys.path.insert(0, __file__.rpartition("/")[0])

import landlock  # type: ignore[import-not-found]  # noqa: E402
import seccomp  # type: ignore[import-not-found]  # noqa: E402

_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_CHILD_SUBREAPER = 1, 24, 36
_SIGKILL, _SIGTERM = 9, 15
NOT_STARTED = 125


def main() -> None:
    with os.fdopen(int(sys.argv[1]), "rb") as file:
        settings = marshal.load(file)
    ready, go = settings["ready_fd"], settings["go_fd"]
    os.set_inheritable(ready, False)
    os.set_inheritable(go, False)
    if not settings["boxed"]:
        _supervise()
    try:
        protections = _give_up(settings)
    except OSError as error:
        os.write(ready, marshal.dumps({"error": str(error)}))
        sys.exit(NOT_STARTED)
    os.write(ready, marshal.dumps(protections))
    if os.read(go, 1) != b"g":
        sys.exit(NOT_STARTED)
    try:
        os.chdir(settings["workdir"])
        os.execve("/bin/sh", ["/bin/sh", "-c", settings["command"]], settings["environment"])
    except OSError as error:
        print(f"cannot start: {error}", file=sys.stderr)
        sys.exit(NOT_STARTED)


def _give_up(settings: dict[str, Any]) -> dict[str, Any]:
    for capability in range(64):  # without them in its bounding set not even root has them after the next exec
        landlock._libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    if (user := settings["user"]) is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    landlock.no_new_privileges()
    for name, value in settings["rlimits"].items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
    if not settings["restrict"]:
        return {"landlock": 0, "seccomp": False, "user": os.getuid()}
    allowed = settings["landlock"]
    version = landlock.restrict(allowed["read"], allowed["write"], allowed["devices"], network=settings["network"])
    filtered = seccomp.install(boxed=settings["boxed"], counted=settings["counted"])
    return {"landlock": version, "seccomp": filtered, "user": os.getuid()}


def _supervise() -> None:
    """Without a process namespace: fork, and outlive everything the command leaves behind, to end it.

    The child returns from here; the parent ends with the command's exit status.
    """
    libc = landlock._libc
    grader = os.getppid()
    libc.prctl(_PR_SET_PDEATHSIG, _SIGTERM, 0, 0, 0)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _signal.signal(_SIGTERM, lambda *_: _end_all(1))
    if os.getppid() != grader:
        sys.exit(NOT_STARTED)
    child = os.fork()
    if child == 0:
        _signal.signal(_SIGTERM, _signal.SIG_DFL)
        libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
        return
    for descriptor in range(3):
        os.close(descriptor)
    status = 1
    while True:
        pid, ended = os.wait()
        if pid == child:
            status = os.waitstatus_to_exitcode(ended)
            break
    _end_all(status if status >= 0 else 128 - status)


def _end_all(status: int) -> None:
    """Kill every descendant, again and again until none is left: children of killed ones become ours."""
    while children := _children():
        for pid in children:
            os.kill(pid, _SIGKILL)
        for _ in children:
            try:
                os.wait()
            except ChildProcessError:
                break
    os._exit(status)


def _children() -> list[int]:
    own = os.getpid()
    with open(f"/proc/{own}/task/{own}/children") as file:  # noqa: PTH123
        return [int(pid) for pid in file.read().split()]


if __name__ == "__main__":
    main()
