"""Kills a scoring run at random moments, many times, and says whether what comes out in the end is the same.

``python -m tests.killing COURSE SEED KILLS`` has everything imported and forks for each run, so that a kill hits the
work and not the start of an interpreter; then a fifth as many kills of runs by two processes. Prints one JSON object.
Not for a process that has computed with torch itself.
"""

import json
import os
import pickle
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import auraloss  # noqa: F401
import librosa  # noqa: F401
import torch  # noqa: F401

from grader.course import Course
from grader.metrics import crepe_fast  # noqa: F401
from grader.scoring import score_course
from reference_vocoders import griffin_lim  # noqa: F401


def numbers(root: Path, processes: int = 1) -> dict[str, Any]:
    """All scores of a course, computed where they are not known."""
    course = Course(root)
    with course.store() as store:
        found = score_course(course, store, processes=processes)
    return {name: one.scores for name, one in found.students.items()} | dict(found.baselines)


def forked(work: Callable[[], Any]) -> tuple[int, Path]:
    """A child that works and leaves its result, or what it failed with, in a file."""
    handle, name = tempfile.mkstemp(prefix="grader-test-")
    os.close(handle)
    pid = os.fork()
    if pid == 0:
        try:
            result = work()
        except BaseException as error:
            result = error
        Path(name).write_bytes(pickle.dumps(result))
        os._exit(0)
    return pid, Path(name)


def finished(child: tuple[int, Path]) -> Any:
    os.waitpid(child[0], 0)
    result = pickle.loads(child[1].read_bytes())
    child[1].unlink()
    if isinstance(result, BaseException):
        raise result
    return result


def ended_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return True
        time.sleep(0.002)
    return False


def killed_within(run: Callable[[], Any], seconds: float, ends: list[Any]) -> bool:
    """Whether a run was killed after so many seconds; one that had ended by then is added to ``ends``."""
    pid, result = forked(run)
    ended = ended_within(pid, seconds)
    if ended:
        ends.append(pickle.loads(result.read_bytes()))
    else:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    result.unlink()
    return not ended


def main(root: Path, seed: int, kills: int) -> None:
    moments = random.Random(seed)
    state = Course(root).state
    ends, done = [], 0
    for processes, often, parts in ((1, kills, 3), (2, kills // 5, 1)):
        run = partial(numbers, root, processes)
        shutil.rmtree(state, ignore_errors=True)
        start = time.monotonic()
        ends.append(finished(forked(run)))
        takes_s = time.monotonic() - start
        shutil.rmtree(state)
        for _ in range(often):
            while not killed_within(run, moments.uniform(0, takes_s / parts), ends):
                shutil.rmtree(state)
            done += 1
        ends.append(finished(forked(run)))
    left = [str(path) for path in state.rglob("*") if ".part" in path.name or path.name.startswith(".")]
    both = [forked(lambda: numbers(root)) for _ in range(2)]  # nothing is left to do for two at once
    ends += [finished(child) for child in both]
    shutil.rmtree(state)
    both = [forked(lambda: numbers(root)) for _ in range(2)]  # and now everything
    ends += [finished(child) for child in both]
    print(json.dumps({"kills": done, "ends": len(ends), "equal": all(end == ends[0] for end in ends), "left": left}))


if __name__ == "__main__":
    os.environ.update({"GRADER_VGGISH_URL": "", "OMP_NUM_THREADS": "1"})
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
