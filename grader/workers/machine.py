"""How many processes this machine carries, and how threads and memory are used in them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WORKER_BYTES = 1_500_000_000
"""Memory of a worker that has loaded PyTorch and the largest networks, with room for a long clip."""

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def default_processes() -> int:
    """As many as cores and free memory carry, at least one."""
    memory = _free_memory_bytes()
    return max(1, min(_cores(), memory // WORKER_BYTES if memory is not None else _cores()))


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One thread for BLAS and PyTorch: those loaded already, those loaded meanwhile, and those of new processes."""
    from threadpoolctl import threadpool_limits

    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    torch: Any = sys.modules.get("torch")  # the MKL within it is out of threadpoolctl's sight
    threads = torch.get_num_threads() if torch else 1
    if torch:
        torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        if torch:
            torch.set_num_threads(threads)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def keep_freed_memory() -> None:
    """Let the C library keep what a clip's tensors leave for those of the next.

    Dask starts its workers with ``MALLOC_TRIM_THRESHOLD_=65536``, which also ends glibc's learning of what is large:
    every tensor is mapped, cleared and given back, and measuring a clip takes almost twice as long.
    """
    trim, mmap = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h; 32 MiB is the most it learns by itself
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(mmap, 32 << 20)
            mallopt(trim, 64 << 20)


def _cores(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Cores this process may use: the machine's, less by affinity or a container's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        quota, period = (cgroup / "cpu.max").read_text().split()
        cores = min(cores, max(1, int(quota) // int(period)))
    with contextlib.suppress(OSError, ValueError):
        quota_us = int((cgroup / "cpu" / "cpu.cfs_quota_us").read_text())
        period_us = int((cgroup / "cpu" / "cpu.cfs_period_us").read_text())
        if quota_us > 0:
            cores = min(cores, max(1, quota_us // period_us))
    return cores


def _free_memory_bytes(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Memory that can be had without swapping, and no more than a container may use; None where it is not told."""
    free: list[int] = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = (proc / "meminfo").read_text().splitlines()
        free.append(1024 * int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]))
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            free.append(int((cgroup / limit).read_text()))
    return min(free, default=None)
