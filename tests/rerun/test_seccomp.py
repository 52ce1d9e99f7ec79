"""The seccomp filter, executed as the kernel would, for both machines it is written for."""

import errno
import struct

import pytest

from grader.rerun.inside.seccomp import program

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOWED, KILLED = "allowed", "killed"
NUMBERS = {
    "x86_64": {"read": 0, "clone": 56, "clone3": 435, "unshare": 272, "mount": 165, "ptrace": 101, "socket": 41,
               "chmod": 90, "memfd_create": 319, "futex": 202, "bpf": 321},
    "aarch64": {"read": 63, "clone": 220, "clone3": 435, "unshare": 97, "mount": 40, "ptrace": 117, "socket": 198,
                "fchmodat": 53, "memfd_create": 279, "futex": 98, "bpf": 280},
}  # fmt: skip


def executed(code: bytes, number: int, architecture: int, argument: int = 0) -> str | int:
    """Classic BPF over seccomp_data; an errno, or what happens."""
    data = struct.pack("<IIQ6Q", number, architecture, 0, argument, 0, 0, 0, 0, 0)
    steps = list(struct.iter_unpack("<HBBI", code))
    position = accumulator = 0
    while True:
        operation, if_true, if_false, value = steps[position]
        position += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, value)
        elif operation == 0x06:
            return {0x7FFF0000: ALLOWED, 0x80000000: KILLED}.get(value, value & 0xFFFF)
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[operation]
            position += if_true if holds else if_false


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize(
    ("name", "argument", "boxed", "counted", "expected"),
    [
        ("read", 0, True, True, ALLOWED),
        ("futex", 0, True, True, ALLOWED),
        ("mount", 0, True, True, errno.EPERM),
        ("unshare", 0, True, True, errno.EPERM),
        ("ptrace", 0, True, True, errno.EPERM),
        ("bpf", 0, True, True, errno.EPERM),
        ("clone", 0x003D0F00, True, True, ALLOWED),  # a thread
        ("clone", 17, True, True, ALLOWED),  # fork
        ("clone", 0x10000000 | 17, True, True, errno.EPERM),  # CLONE_NEWUSER
        ("clone3", 0, True, True, errno.ENOSYS),
        ("socket", 2, True, True, ALLOWED),  # its own network namespace has nobody in it
        ("socket", 2, False, True, errno.EPERM),
        ("memfd_create", 0, True, True, ALLOWED),
        ("memfd_create", 0, True, False, errno.EPERM),
        ("memfd_create", 0, False, True, errno.EPERM),
    ],
)
def test_calls(machine: str, name: str, argument: int, boxed: bool, counted: bool, expected: str | int) -> None:
    code = program(machine, boxed=boxed, counted=counted)
    assert code is not None
    assert executed(code, NUMBERS[machine][name], ARCHITECTURES[machine], argument) == expected


def test_files_keep_their_rights_without_namespaces() -> None:
    for machine, name in (("x86_64", "chmod"), ("aarch64", "fchmodat")):
        for boxed, expected in ((True, ALLOWED), (False, errno.EPERM)):
            code = program(machine, boxed=boxed, counted=True)
            assert code is not None
            assert executed(code, NUMBERS[machine][name], ARCHITECTURES[machine]) == expected


def test_other_numberings_of_the_same_machine() -> None:
    code = program("x86_64", boxed=True, counted=True)
    assert code is not None
    assert executed(code, 0, 0x40000003) == KILLED  # 32-bit calls
    assert executed(code, 0x40000000 | 165, ARCHITECTURES["x86_64"]) == errno.ENOSYS  # x32


def test_an_unknown_machine_is_not_guessed() -> None:
    assert program("s390x", boxed=True, counted=True) is None
