"""Workers that raise, die, hang and are interrupted; the jobs are small functions, the processes real."""

import contextlib
import functools
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grader.errors import CourseError, EnvironmentProblem
from grader.findings import Whose
from grader.progress import Lines
from grader.workers import Failure, Job, Pool, machine
from tests.processes import interruptible


def make_worker(folder: str) -> Callable[[Any], Any]:
    """A function that does what its argument says; ``folder`` counts the attempts at each."""

    def work(argument: tuple[str, Any]) -> Any:
        verb, value = argument
        with (Path(folder) / f"{verb}-{value}").open("a") as file:
            file.write(f"{os.getpid()}\n")
        if verb == "double":
            return 2 * value
        if verb == "raise":
            raise ValueError(f"cannot do\n{value}")
        if verb == "die":
            os.kill(os.getpid(), value)
        if verb == "die once" and attempts(Path(folder), verb, value) == 1:
            os._exit(3)
        if verb == "no memory":
            raise MemoryError
        if verb == "broken course":
            raise CourseError("nothing works", help="mend it")
        if verb == "threads":
            return os.environ["OMP_NUM_THREADS"]
        if verb == "sleep":
            time.sleep(value)
        return os.getpid()

    return work


def attempts(folder: Path, verb: str, value: Any) -> int:
    path = folder / f"{verb}-{value}"
    return len(path.read_text().splitlines()) if path.exists() else 0


def make_nothing() -> Callable[[Any], Any]:
    raise EnvironmentProblem("no weights", help="get some")


def make_and_die() -> Callable[[Any], Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def run(folder: Path, processes: int, *arguments: tuple[str, Any]) -> dict[tuple[str, Any], Any]:
    with Pool(functools.partial(make_worker, str(folder)), processes) as pool:
        return {job.argument: result for job, result in pool.run(Job("a job", argument) for argument in arguments)}


both = pytest.mark.parametrize("processes", [1, 2])


@both
def test_every_job_has_its_result(tmp_path: Path, processes: int) -> None:
    results = run(tmp_path, processes, *(("double", n) for n in range(20)))
    assert results == {("double", n): 2 * n for n in range(20)}


@both
def test_a_job_that_raises_fails_alone_after_a_second_try(tmp_path: Path, processes: int) -> None:
    results = run(tmp_path, processes, ("double", 1), ("raise", 7), ("double", 2))
    failure = results.pop(("raise", 7))
    assert results == {("double", 1): 2, ("double", 2): 4}
    assert failure.whose is Whose.GRADER
    assert failure.reason.startswith("ValueError: cannot do 7 (test_workers.py:")
    assert attempts(tmp_path, "raise", 7) == 2


@both
def test_running_out_of_memory_is_not_the_graders_fault(tmp_path: Path, processes: int) -> None:
    assert run(tmp_path, processes, ("no memory", 0)) == {
        ("no memory", 0): Failure("it ran out of memory", Whose.ENVIRONMENT)
    }


@pytest.mark.parametrize(("number", "said"), [(signal.SIGKILL, "when memory runs out"), (signal.SIGSEGV, "signal 11")])
def test_a_worker_that_dies_takes_no_other_job_with_it(tmp_path: Path, number: int, said: str) -> None:
    results = run(tmp_path, 2, *(("double", n) for n in range(6)), ("die", int(number)))
    failure = results.pop(("die", int(number)))
    assert results == {("double", n): 2 * n for n in range(6)}
    assert said in failure.reason
    assert failure.whose is Whose.ENVIRONMENT
    assert attempts(tmp_path, "die", int(number)) == 2


def test_what_is_tried_again_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    with Pool(functools.partial(make_worker, str(tmp_path)), 2) as pool:
        jobs = [Job("R1 › 001.wav", ("raise", 7)), Job("R1 › 002.wav", ("die once", 1))]
        assert len(list(pool.run(jobs, Lines(said.append)))) == 2
    assert sorted(line.split(":")[0] for line in said if line.endswith("; it is tried once more")) == [
        "R1 › 001.wav",
        "R1 › 002.wav",
    ]


def test_a_job_whose_worker_died_once_is_done_by_another(tmp_path: Path) -> None:
    results = run(tmp_path, 2, ("die once", 1), ("double", 1))
    assert isinstance(results["die once", 1], int)
    assert attempts(tmp_path, "die once", 1) == 2


def test_a_worker_killed_from_outside_between_two_rounds_is_replaced(tmp_path: Path) -> None:
    with Pool(functools.partial(make_worker, str(tmp_path)), 2) as pool:
        pids: set[int] = set()
        while len(pids) < 2:  # the second may start so late that the first does both
            pids |= {result for _, result in pool.run([Job("", ("sleep", 0.2)), Job("", ("sleep", 0.2))])}
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        again = {result for _, result in pool.run([Job("", ("double", 1)), Job("", ("double", 2))])}
    assert again == {2, 4}


@both
def test_workers_stay_for_the_next_round(tmp_path: Path, processes: int) -> None:
    with Pool(functools.partial(make_worker, str(tmp_path)), processes) as pool:
        rounds = [{pid for _, pid in pool.run([Job("", ("sleep", 0.1))])} for _ in range(3)]
    assert rounds[0] == rounds[1] == rounds[2]
    assert (rounds[0] == {os.getpid()}) == (processes == 1)


@both
def test_no_jobs_need_no_worker(processes: int) -> None:
    with Pool(make_nothing, processes) as pool:
        assert list(pool.run([])) == []


@both
def test_surroundings_that_fail_all_end_the_run(tmp_path: Path, processes: int) -> None:
    with Pool(make_nothing, processes) as pool, pytest.raises(EnvironmentProblem, match="no weights") as caught:
        list(pool.run([Job("", 1)]))
    assert caught.value.help == "get some"
    with pytest.raises(CourseError, match="nothing works"):
        run(tmp_path, processes, ("broken course", 1))
    assert attempts(tmp_path, "broken course", 1) == 1


def test_workers_that_cannot_start_end_the_run() -> None:
    with (
        Pool(make_and_die, 2) as pool,
        pytest.raises(EnvironmentProblem, match=r"ended by signal 9.* while it started"),
    ):
        list(pool.run([Job("", 1)]))


def test_costly_jobs_go_first(tmp_path: Path) -> None:
    jobs = [Job("", ("double", n), cost=n) for n in (1, 5, 3)]
    with Pool(functools.partial(make_worker, str(tmp_path)), 1) as pool:
        assert [job.cost for job, _ in pool.run(jobs)] == [5, 3, 1]


@both
def test_each_computes_with_one_thread_and_the_setting_does_not_stay(
    tmp_path: Path, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    assert run(tmp_path, processes, ("threads", 0)) == {("threads", 0): "1"}
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_one_thread_also_for_the_mkl_within_a_pytorch_that_is_there_already() -> None:
    script = (
        "import re, torch\n"
        "from grader.workers.machine import one_thread\n"
        "def threads(): return re.findall(r'get_max_threads\\(\\) : (\\d+)', torch.__config__.parallel_info())\n"
        "torch.set_num_threads(2)\n"
        "print(*threads())\n"
        "with one_thread(): print(*threads())\n"
        "print(*threads())\n"
    )
    before, meanwhile, after = subprocess.check_output([sys.executable, "-c", script], text=True).splitlines()
    assert set(before.split()) == {"2"}
    assert set(meanwhile.split()) == {"1"}
    assert before == after


@pytest.mark.skipif(sys.platform != "linux", reason="about glibc")
def test_what_a_clip_leaves_serves_the_next_also_where_dask_says_otherwise() -> None:
    script = (
        "import resource, sys\n"
        "import numpy as np\n"
        "from grader.workers.machine import keep_freed_memory\n"
        "if sys.argv[1] == 'kept': keep_freed_memory()\n"
        "for _ in range(50): np.ones(2_000_000)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)\n"
    )
    env = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536"}
    given_back, kept = (
        int(subprocess.check_output([sys.executable, "-c", script, how], text=True, env=env)) for how in ("", "kept")
    )
    assert kept < given_back / 3


def test_a_caller_that_stops_listening_leaves_no_process(tmp_path: Path) -> None:
    with Pool(functools.partial(make_worker, str(tmp_path)), 2) as pool:
        for _ in pool.run([Job("", ("double", 1), cost=2), Job("", ("sleep", 60))]):
            break
        pids = {int(line) for path in tmp_path.iterdir() for line in path.read_text().split()}
    assert not any(alive(pid) for pid in pids)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent to ask does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_stopped_in_the_middle_it_ends_at_once_and_no_worker_stays(tmp_path: Path, number: int) -> None:
    """Ctrl-C goes to the whole group, as a terminal sends it; SIGKILL to the parent alone."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(f"""
        import functools
        from grader.workers import Job, Pool
        from tests.test_workers import make_worker

        if __name__ == "__main__":
            with Pool(functools.partial(make_worker, {str(tmp_path)!r}), 2) as pool:
                for _ in pool.run([Job("", ("sleep", n)) for n in (60, 61)]):
                    pass
        """)
    )
    root = Path(__file__).resolve().parents[1]
    parent = interruptible(
        [sys.executable, str(script)],
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    started = [tmp_path / "sleep-60", tmp_path / "sleep-61"]
    deadline = time.monotonic() + 200
    while not all(path.exists() and path.read_text() for path in started):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    pids = [int(path.read_text()) for path in started]
    start = time.monotonic()
    if number == signal.SIGINT:
        os.killpg(parent.pid, number)
    else:
        parent.kill()
    said = parent.communicate(timeout=10)[1].decode()
    while any(map(alive, pids)):
        assert time.monotonic() - start < 2
        time.sleep(0.02)
    assert time.monotonic() - start < 2
    assert said.count("Traceback") == (number == signal.SIGINT)  # the parent's own KeyboardInterrupt, no worker's


def test_sizes_from_a_containers_limits(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "memory").mkdir()
    assert machine._cores(tmp_path) >= 1
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert machine._cores(tmp_path) == machine._cores(tmp_path / "cpu")
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    assert machine._cores(tmp_path) == 1
    (tmp_path / "cpu.max").unlink()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("150000")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert machine._cores(tmp_path) == 1

    assert machine._free_memory_bytes(tmp_path, tmp_path) is None
    (tmp_path / "meminfo").write_text("MemTotal: 900 kB\nMemAvailable:   500 kB\n")
    assert machine._free_memory_bytes(tmp_path, tmp_path) == 512_000
    (tmp_path / "memory.max").write_text("max\n")
    assert machine._free_memory_bytes(tmp_path, tmp_path) == 512_000
    (tmp_path / "memory.max").write_text("400000\n")
    assert machine._free_memory_bytes(tmp_path, tmp_path) == 400_000


def test_as_many_processes_as_cores_and_memory_carry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_cores", lambda: 8)
    for memory, processes in ((None, 8), (100 * machine.WORKER_BYTES, 8), (3 * machine.WORKER_BYTES, 3), (1, 1)):
        monkeypatch.setattr(machine, "_free_memory_bytes", lambda memory=memory: memory)
        assert machine.default_processes() == processes
