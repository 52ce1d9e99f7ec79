"""The view a command gets through bubblewrap: its own namespaces, a read-only system, nothing of the grader's.

The words go to bwrap through a pipe (``--args``), so that paths of this machine do not stand in its command line,
which the command could read. tmpfs mounts have sizes, and ``/`` and ``/dev`` are made read-only last: bubblewrap gives
them no size of their own.
"""

from __future__ import annotations

import os
import shutil
import sys
from functools import cache
from pathlib import Path

from grader.rerun.job import Job
from grader.rerun.limits import MB

INSIDE = "/run/grader"
_SYSTEM_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
ETC = ("alternatives", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "timezone")
_ETC_NETWORK = ("ca-certificates", "gai.conf", "hosts", "nsswitch.conf", "pki", "resolv.conf", "ssl")


@cache
def program() -> str | None:
    return shutil.which("bwrap", path=os.environ.get("PATH", "") + ":/usr/bin:/usr/local/bin")


def words(job: Job, *, own_user: bool, passwd_fd: int) -> list[str]:
    """bwrap's arguments before the command. own_user: make a user namespace (where we are not root)."""
    unshare = ["--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "sandbox"]
    if not job.network:
        unshare.append("--unshare-net")
    if own_user:
        unshare += ["--unshare-user", "--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"]
    else:  # root: the launcher becomes another user with these, and loses them by doing so
        unshare += [
            "--cap-drop",
            "ALL",
            "--cap-add",
            "CAP_SETUID",
            "--cap-add",
            "CAP_SETGID",
            "--cap-add",
            "CAP_SETPCAP",
        ]
    limits = job.limits
    return [
        "--die-with-parent", "--new-session", *unshare,
        *_folders({Path("/etc"), Path("/run"), Path("/var")}), *_system(job),
        "--proc", "/proc", "--dev", "/dev",
        "--perms", "1777", "--size", str(int(limits.shm_mb * MB)), "--tmpfs", "/dev/shm",
        "--perms", "1777", "--size", str(int(limits.tmp_mb * MB)), "--tmpfs", "/tmp",
        "--perms", "0777", "--dir", "/tmp/home", "--symlink", "/tmp", "/var/tmp",
        "--perms", "0444", "--ro-bind-data", str(passwd_fd), "/etc/passwd",
        *_binds(job),
        "--bind", str(job.out), "/out",
        *(_gpu() if job.gpus else ()),
        "--remount-ro", "/dev", "--remount-ro", "/",
    ]  # fmt: skip


def _folders(folders: set[Path]) -> list[str]:
    """Make folders that bubblewrap would make itself, closed to everybody but root."""
    return [word for folder in sorted(folders) for word in ("--perms", "0755", "--dir", str(folder))]


def _system(job: Job) -> list[str]:
    found = ["--ro-bind", "/usr", "/usr"]
    for name in _SYSTEM_FOLDERS:
        folder = Path("/", name)
        if folder.is_symlink():
            found += ["--symlink", str(folder.readlink()), str(folder)]
        elif folder.is_dir():
            found += ["--ro-bind", str(folder), str(folder)]
    for name in ETC + (_ETC_NETWORK if job.network else ()):
        found += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return found


def _binds(job: Job) -> list[str]:
    bound = (*prefixes(job), *map(Path, job.read.values()))
    found = _folders({folder for path in bound for folder in path.parents} - {Path("/")})
    found += ["--ro-bind", str(Path(__file__).parent / "inside"), INSIDE]
    for prefix in prefixes(job):
        found += ["--ro-bind", str(prefix), str(prefix)]
        # What is installed beside that Python is none of the student's business.
        for packages in prefix.glob("lib/python3*/site-packages"):
            found += ["--size", "4096", "--tmpfs", str(packages), "--remount-ro", str(packages)]
    for outside, inside in job.read.items():
        found += ["--ro-bind", str(outside), inside]
    return found


def prefixes(job: Job) -> list[Path]:
    """Python installations outside the system folders that the command, or the launcher before it, needs."""
    needed = [Path(sys.base_prefix).resolve(), *([job.prefix.resolve()] if job.prefix else [])]
    return [prefix for prefix in dict.fromkeys(needed) if not prefix.is_relative_to("/usr")]


def _gpu() -> list[str]:
    found = ["--ro-bind", "/sys", "/sys"]
    for device in (*Path("/dev").glob("nvidia*"), Path("/dev/dri"), Path("/dev/kfd")):
        found += ["--dev-bind-try", str(device), str(device)]
    return found
