"""A real scheduler and two workers over TCP, one of them in a network of its own where none of our files is seen."""

import contextlib
import functools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")

from grader.course import Course
from grader.errors import CourseError, EnvironmentProblem, GraderError
from grader.findings import Whose
from grader.progress import Lines
from grader.workers import Content, Failure, Job, Pool
from grader.workers.cluster import Cluster
from tests.processes import interruptible
from tests.test_scoring import make_course, numbers, scored

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="starts and kills processes")]

ROOT = Path(__file__).resolve().parents[1]
START_S = 300
"""Patience with a process that starts on a busy machine."""


class Recipe:
    """What workers do in these tests: what the argument says. ``version`` is what must be the same everywhere."""

    def __init__(self, version: int = 1, file: Content | None = None) -> None:
        self.version = version
        self.file = file

    def __call__(self) -> Callable[..., Any]:
        return functools.partial(work, self.file)

    def files(self) -> tuple[Content, ...]:
        return (self.file,) if self.file else ()

    def at(self, places: Mapping[str, Path]) -> "Recipe":
        return Recipe(self.version, self.file and Content(self.file.sha256, places[self.file.sha256]))

    def facts(self) -> dict[str, Any]:
        return {"version": self.version if self.version else os.getpid()}


def work(file: Content | None, argument: tuple[str, Any], *inputs: Content) -> Any:
    verb, value = argument
    if verb == "die":
        os._exit(3)
    if verb == "die once" and not Path(value).exists():
        Path(value).touch()
        os._exit(3)
    if verb == "raise":
        raise ValueError(value)
    if verb == "broken course":
        raise CourseError("nothing works", help="mend it")
    if verb == "sleep":
        time.sleep(value)
    if verb == "weights":
        return file and file.read()
    return value, [len(content.read()) for content in inputs], os.getpid()


class Network:
    """A network of its own with one cable to ours; or, without the right to make one, the loopback."""

    def __init__(self) -> None:
        self.name = f"grader-{os.getpid()}"
        self.ours, self.theirs = "10.213.77.1", "10.213.77.2"
        self.why_not = ""
        commands = (
            f"ip netns add {self.name}",
            f"ip link add {self.name[-11:]}a type veth peer name {self.name[-11:]}b netns {self.name}",
            f"ip addr add {self.ours}/30 dev {self.name[-11:]}a",
            f"ip link set {self.name[-11:]}a up",
            f"ip -n {self.name} addr add {self.theirs}/30 dev {self.name[-11:]}b",
            f"ip -n {self.name} link set {self.name[-11:]}b up",
            f"ip -n {self.name} link set lo up",
        )
        try:
            self._clear_up_after_the_dead()
            for command in commands:
                subprocess.run(command.split(), check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            self.why_not = f"no network namespace can be made here: {getattr(error, 'stderr', b'') or error!r}"
            self.remove()

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            self._remove(self.name)

    def _clear_up_after_the_dead(self) -> None:
        """Tests that were killed leave their network, and the cable would be in the way of ours."""
        listed = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout
        for name in re.findall(r"^grader-\d+", listed, re.MULTILINE):
            if not Path("/proc", name.removeprefix("grader-")).exists():
                self._remove(name)

    @staticmethod
    def _remove(name: str) -> None:
        inside = subprocess.run(["ip", "netns", "pids", name], check=False, capture_output=True, text=True).stdout
        for pid in map(int, inside.split()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    def command(self, hidden: Path, command: list[str]) -> list[str]:
        """A command inside, where the folder ``hidden`` is empty."""
        script = f'mount -t tmpfs none "{hidden}" && exec "$@"'
        return ["ip", "netns", "exec", self.name, "sh", "-c", script, "sh", *command]


class Machines:
    """A scheduler and its workers."""

    def __init__(self, folder: Path, hidden: Path, network: Network) -> None:
        self.folder, self.hidden, self.network = folder, hidden, network
        self.port = free_port()
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        listening = ["--host", "0.0.0.0", "--port", str(self.port), "--no-dashboard", "--no-show"]
        self.scheduler = self._run("scheduler", listening)
        self.add_worker()
        self.add_worker(elsewhere=not self.network.why_not)

    def add_worker(self, elsewhere: bool = False) -> None:
        host = self.network.ours if elsewhere else "127.0.0.1"
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0", "--death-timeout", "300"]
        options += ["--host", self.network.theirs if elsewhere else host, "--local-directory", str(self.folder)]
        self.workers.append(self._run("worker", [f"tcp://{host}:{self.port}", *options], elsewhere))

    def _run(self, what: str, arguments: list[str], elsewhere: bool = False) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments]
        if elsewhere:
            command = self.network.command(self.hidden, command)
        with (self.folder / f"{what}.log").open("ab") as log:
            env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
            return subprocess.Popen(command, stdout=log, stderr=log, env=env, start_new_session=True)

    def stop(self) -> None:
        for process in [*self.workers, self.scheduler]:
            if process is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.workers = []


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grader.workers.cluster.CONNECT_S", START_S)
    monkeypatch.setattr("grader.workers.cluster.PATIENCE_S", START_S)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    made = Network()
    yield made
    if not made.why_not:
        made.remove()


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A course scored by this process, and its numbers."""
    root = tmp_path_factory.mktemp("hidden") / "course"
    return root, numbers(scored(make_course(root)))


@pytest.fixture(scope="module")
def machines(
    first: tuple[Path, dict[str, Any]], network: Network, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machines]:
    made = Machines(tmp_path_factory.mktemp("machines"), first[0].parent, network)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def unscored(first: tuple[Path, dict[str, Any]]) -> Iterator[Course]:
    """A copy of the course in the folder that the far worker does not see."""
    root = first[0].parent / "copy"
    shutil.copytree(first[0], root, ignore=shutil.ignore_patterns(".grader"))
    yield Course(root)
    shutil.rmtree(root)


def pool(recipe: Recipe, where: str, said: list[str] | None = None) -> Pool:
    shown = Lines((said if said is not None else []).append)
    return Pool(recipe, crew=Cluster(recipe, where, shown))


def wait_for(count: int, where: str) -> None:
    from distributed import Client

    with Client(where, timeout=START_S, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=START_S)


def test_two_workers_one_without_our_files_give_the_same_numbers_to_the_last_bit(
    first: tuple[Path, dict[str, Any]], machines: Machines, unscored: Course
) -> None:
    wait_for(2, machines.address)
    found = numbers(scored(unscored, cluster=machines.address))
    assert found == first[1]
    if machines.network.why_not:
        pytest.skip(machines.network.why_not)


def test_the_far_worker_gets_the_bytes_it_lacks_once(machines: Machines, unscored: Course) -> None:
    """Inputs in files it does not see, inputs that are in no file, and the file its function is made of."""
    wait_for(2, machines.address)
    path = unscored.references / "001.wav"
    weights = Content.of(b"weights")
    (unscored.root / "weights").write_bytes(b"weights")
    recipe = Recipe(file=Content(weights.sha256, unscored.root / "weights"))
    of_file = Content(Content.of(path.read_bytes()).sha256, path)
    jobs = [Job("", ("size", n), inputs=(of_file, Content.of(b"x" * 1000))) for n in range(20)]
    with pool(recipe, machines.address) as workers:
        done = [result for _, result in workers.run(jobs)]
        kept = [result for _, result in workers.run([Job("", ("weights", n)) for n in range(6)])]
    assert {tuple(sizes) for _, sizes, _ in done} == {(path.stat().st_size, 1000)}
    assert sorted(value for value, _, _ in done) == list(range(20))
    assert len({pid for _, _, pid in done}) == 2
    assert kept == [b"weights"] * 6


def test_an_input_that_changed_is_not_measured(machines: Machines, tmp_path: Path) -> None:
    (tmp_path / "clip.wav").write_bytes(b"another")
    job = Job("clip", ("size", 0), inputs=(Content(Content.of(b"one").sha256, tmp_path / "clip.wav"),))
    with pool(Recipe(), machines.address) as workers:
        ((_, failure),) = workers.run([job])
    assert failure == Failure("clip.wav was changed while it was being scored", Whose.ENVIRONMENT)


def test_failures_and_broken_surroundings_are_as_on_this_machine(machines: Machines) -> None:
    said: list[str] = []
    with pool(Recipe(), machines.address, said) as workers:
        results = {job.argument: result for job, result in workers.run([Job("a", ("raise", "x")), Job("b", ("go", 1))])}
        assert results["raise", "x"].whose is Whose.GRADER
        assert results["raise", "x"].reason.startswith("ValueError: x (test_cluster.py:")
        assert results["go", 1][0] == 1
        with pytest.raises(CourseError, match="nothing works"):
            list(workers.run([Job("", ("broken course", 1))]))


def test_workers_that_would_compute_other_numbers_are_not_used(machines: Machines) -> None:
    with (
        pool(Recipe(version=0), machines.address) as workers,
        pytest.raises(EnvironmentProblem, match=r"no worker .* would compute other numbers: version is \d+ there"),
    ):
        list(workers.run([Job("", ("go", 1))]))


def test_a_job_that_kills_its_workers_fails_alone(tmp_path: Path) -> None:
    said: list[str] = []
    with pool(Recipe(), "local:2", said) as workers:
        jobs = [Job("killer", ("die", 1), cost=2), *(Job(f"good {n}", ("sleep", 0.01 * n)) for n in range(8))]
        jobs += [Job("once", ("die once", str(tmp_path / "died")))]
        results = {job.what: result for job, result in workers.run(jobs, Lines(said.append))}
    failure = results.pop("killer")
    assert isinstance(failure, Failure)
    assert "was lost" in failure.reason
    assert failure.whose is Whose.ENVIRONMENT
    assert all(not isinstance(result, Failure) for result in results.values()), results
    tried_again = {line.split(":")[0] for line in said if "tried once more" in line}
    assert tried_again == {"killer", "once"}


def test_a_worker_killed_in_the_middle_changes_nothing(
    first: tuple[Path, dict[str, Any]], machines: Machines, unscored: Course
) -> None:
    machines.add_worker()
    wait_for(3, machines.address)
    victim = machines.workers.pop()
    said: list[str] = []

    class Killing(Lines):
        def advance(self, amount: float) -> None:
            super().advance(amount)
            if self.what == "scoring clips" and self.done_items == 1:
                os.killpg(victim.pid, signal.SIGKILL)
                victim.wait()

    found = numbers(scored(unscored, cluster=machines.address, shown=Killing(said.append)))
    assert found == first[1]


def test_a_scheduler_killed_in_the_middle_is_said_and_the_next_run_goes_on(
    first: tuple[Path, dict[str, Any]], machines: Machines, unscored: Course
) -> None:
    wait_for(2, machines.address)

    class Killing(Lines):
        def advance(self, amount: float) -> None:
            super().advance(amount)
            if self.what == "scoring clips" and self.done_items == 3 and machines.scheduler:
                os.killpg(machines.scheduler.pid, signal.SIGKILL)
                machines.scheduler.wait()

    with pytest.raises(EnvironmentProblem, match="does not answer any more") as caught:
        scored(unscored, cluster=machines.address, shown=Killing([].append))
    assert "what was finished is kept" in caught.value.help
    with contextlib.closing(unscored.store()) as store:
        assert store._db.execute("SELECT count(*) FROM record WHERE stage = 'm_stft'").fetchone()[0] >= 3
    machines.stop()
    machines.start()
    wait_for(1, machines.address)
    steps: list[int] = []

    class Counting(Lines):
        def start(self, what: str, total: float, items: int | None = None) -> None:
            super().start(what, total, items)
            steps.extend([items or 0] if what == "scoring clips" else [])

    assert numbers(scored(unscored, cluster=machines.address, shown=Counting([].append))) == first[1]
    assert steps
    assert steps[0] <= 3 * 3 - 3  # of good, noisy and Griffin-Lim: three are done, the copy costs nothing


def test_ctrl_c_ends_a_clusters_run_within_two_seconds(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from grader.workers import Job\n"
        "from tests.test_cluster import Recipe, pool\n"
        "if __name__ == '__main__':\n"
        "    with pool(Recipe(), 'local:2') as workers:\n"
        "        jobs = [Job('', ('go', 1), cost=2), Job('', ('sleep', 600)), Job('', ('sleep', 601))]\n"
        "        for job, _ in workers.run(jobs):\n"
        "            print('working', flush=True)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    parent = interruptible([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"working\n"
    start = time.monotonic()
    os.killpg(parent.pid, signal.SIGINT)
    said = parent.communicate(timeout=60)[1].decode()
    assert time.monotonic() - start < 2 * max(1, os.getloadavg()[0] / (os.cpu_count() or 1))  # fair on a busy machine
    assert said.count("Traceback") == 1, said  # KeyboardInterrupt's own
    while runs(parent.pid):
        assert time.monotonic() - start < 60
        time.sleep(0.02)


def runs(group: int) -> bool:
    """Whether any process of a group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_scheduler_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grader.workers.cluster.CONNECT_S", 0.5)
    with (
        pool(Recipe(), f"tcp://127.0.0.1:{free_port()}") as workers,
        pytest.raises(EnvironmentProblem, match="no Dask scheduler answers at tcp") as caught,
    ):
        list(workers.run([Job("", ("go", 1))]))
    assert "dask scheduler" in caught.value.help


def test_a_cluster_without_workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, network: Network) -> None:
    monkeypatch.setattr("grader.workers.cluster.PATIENCE_S", 1.0)
    monkeypatch.setattr("grader.workers.cluster.SAY_S", 0.0)
    said: list[str] = []
    alone = Machines(tmp_path, tmp_path, network)
    alone.scheduler = alone._run("scheduler", ["--host", "127.0.0.1", "--port", str(alone.port), "--no-dashboard"])
    try:
        with (
            pool(Recipe(), alone.address, said) as workers,
            pytest.raises(EnvironmentProblem, match="no worker for 1 s"),
        ):
            list(workers.run([Job("", ("go", 1))]))
    finally:
        alone.stop()
    assert len([line for line in said if f"{alone.address} has no worker; waiting for one" in line]) == 1


def test_nothing_to_do_connects_to_nothing() -> None:
    with pool(Recipe(), "tcp://192.0.2.1:1") as workers:
        assert list(workers.run([])) == []


@pytest.mark.parametrize("where", ["local", "local:0", "tcp://nowhere", "lsf", "slurm:x"])
def test_another_kind_of_cluster_is_refused(where: str) -> None:
    with pytest.raises(GraderError, match="no such kind of cluster") as caught:
        pool(Recipe(), where)
    assert "local:N" in caught.value.help


def test_slurm_is_asked_for_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for Slurm keeps each batch script, as Slurm does, and runs it at once."""
    for name, script in (
        (
            "sbatch",
            '#!/bin/sh\ncp "$1" "$PIDS.sh"\nsetsid sh "$PIDS.sh" >"$PIDS.log" 2>&1 &\n'
            'echo $! >>"$PIDS"\necho "Submitted batch job $!"\n',
        ),
        ("scancel", "#!/bin/sh\nexit 0\n"),
    ):
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    pids = tmp_path / "pids"
    monkeypatch.setenv("PIDS", str(pids))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("DASK_JOBQUEUE__SLURM__LOCAL_DIRECTORY", str(tmp_path))
    try:
        with pool(Recipe(), "slurm:1") as workers:
            ((_, result),) = workers.run([Job("", ("go", 5))])
    finally:
        for pid in pids.read_text().split() if pids.exists() else ():
            with contextlib.suppress(OSError):
                os.killpg(int(pid), signal.SIGKILL)
    assert result[0] == 5
