"""A seccomp filter: system calls that inference never needs and that reach far into the kernel fail with EPERM.

Mounting, namespaces (a user namespace would give back every privilege inside it), tracing, keyrings, BPF, kernel
modules, io_uring. Where no cgroup counts it: memory that belongs to no process. Without namespaces of its own: sockets,
and changes to files of the TA's that Landlock does not guard.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_LOAD, _JUMP_EQ, _JUMP_SET, _JUMP_GE, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_NR, _ARCH, _ARG0 = 0, 4, 16
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_FAIL = 0x00050000
_NAMESPACES = 0x7E020080  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET, NEWTIME
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2

# name: (x86_64, aarch64); from the kernel's system call tables.
_DENIED: dict[str, tuple[int, int | None]] = {
    "acct": (163, 89), "add_key": (248, 217), "bpf": (321, 280), "chroot": (161, 51), "delete_module": (176, 106),
    "finit_module": (313, 273), "fsconfig": (431, 431), "fsmount": (432, 432), "fsopen": (430, 430),
    "fspick": (433, 433), "init_module": (175, 105), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425), "kexec_file_load": (320, 294), "kexec_load": (246, 104), "keyctl": (250, 219),
    "mount": (165, 40), "mount_setattr": (442, 442), "move_mount": (429, 429), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "open_tree": (428, 428), "perf_event_open": (298, 241),
    "pivot_root": (155, 41), "process_vm_writev": (311, 271), "ptrace": (101, 117), "quotactl": (179, 60),
    "reboot": (169, 142), "request_key": (249, 218), "setns": (308, 268), "swapon": (167, 224), "syslog": (103, 116),
    "umount2": (166, 39), "unshare": (272, 97), "userfaultfd": (323, 282),
}  # fmt: skip
_DENIED_UNCOUNTED: dict[str, tuple[int, int | None]] = {
    "memfd_create": (319, 279),
    "msgget": (68, 186),
    "shmget": (29, 194),
}
# Landlock does not guard a file's owner, rights, times and attributes.
_DENIED_UNBOXED: dict[str, tuple[int, int | None]] = {
    "chmod": (90, None), "chown": (92, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "fchown": (93, 55), "fchownat": (260, 54), "fsetxattr": (190, 7), "futimesat": (261, None), "lchown": (94, None),
    "lsetxattr": (189, 6), "semget": (64, 190), "setxattr": (188, 5), "socket": (41, 198), "utime": (132, None),
    "utimensat": (280, 88), "utimes": (235, None),
}  # fmt: skip
_MACHINES = {"x86_64": (0, 0xC000003E, 56), "aarch64": (1, 0xC00000B7, 220)}  # column, architecture, clone
_CLONE3 = 435


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def program(machine: str, *, boxed: bool, counted: bool) -> bytes | None:
    """The filter as classic BPF for ``x86_64`` or ``aarch64``; None for other machines.

    boxed: in namespaces of its own. counted: in a cgroup.
    """
    if machine not in _MACHINES:
        return None
    column, arch, clone = _MACHINES[machine]

    def fail(number: int) -> int:
        return _FAIL | number

    code = [
        _step(_LOAD, 0, 0, _ARCH),
        _step(_JUMP_EQ, 1, 0, arch),
        _step(_RETURN, 0, 0, _KILL),
        _step(_LOAD, 0, 0, _NR),
    ]
    if machine == "x86_64":  # the x32 numbers reach the same calls by other numbers
        code += [_step(_JUMP_GE, 0, 1, 0x40000000), _step(_RETURN, 0, 0, fail(errno.ENOSYS))]
    denied = _DENIED | ({} if boxed else _DENIED_UNBOXED) | ({} if boxed and counted else _DENIED_UNCOUNTED)
    for number in (numbers[column] for numbers in denied.values()):
        if number is not None:
            code += [_step(_JUMP_EQ, 0, 1, number), _step(_RETURN, 0, 0, fail(errno.EPERM))]
    # clone3 hides its flags in memory; without it the C library falls back to clone.
    code += [_step(_JUMP_EQ, 0, 1, _CLONE3), _step(_RETURN, 0, 0, fail(errno.ENOSYS))]
    code += [_step(_JUMP_EQ, 0, 3, clone), _step(_LOAD, 0, 0, _ARG0), _step(_JUMP_SET, 0, 1, _NAMESPACES),
             _step(_RETURN, 0, 0, fail(errno.EPERM))]  # fmt: skip
    return b"".join([*code, _step(_RETURN, 0, 0, _ALLOW)])


def _step(operation: int, if_true: int, if_false: int, value: int) -> bytes:
    return struct.pack("=HBBI", operation, if_true, if_false, value)


def install(*, boxed: bool, counted: bool) -> bool:
    """Filter this process and all it starts; False on a machine whose numbers are not known here."""
    code = program(os.uname().machine, boxed=boxed, counted=counted)
    if code is None:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    filled = _Program(len(code) // 8, code)
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(filled), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_SECCOMP")
    return True
