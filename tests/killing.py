"""Kills a scoring run at random moments, many times, and says whether what comes out in the end is the same.

``python -m tests.killing COURSE SEED KILLS`` has everything imported and forks for each run, so that a kill hits the
work and not the start of an interpreter. Prints one JSON object. Not for a process that has computed with torch itself.
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
from pathlib import Path
from typing import Any

import auraloss  # noqa: F401
import librosa  # noqa: F401
import torch  # noqa: F401

from grader.course import Course
from grader.metrics import crepe_fast  # noqa: F401
from grader.scoring import score_course
from reference_vocoders import griffin_lim  # noqa: F401


def numbers(root: Path) -> dict[str, Any]:
    """All scores of a course, computed in this process where they are not known."""
    course = Course(root)
    with course.store() as store:
        found = score_course(course, store, processes=1)
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


def main(root: Path, seed: int, kills: int) -> None:
    moments = random.Random(seed)
    state = Course(root).state
    start = time.monotonic()
    expected = finished(forked(lambda: numbers(root)))
    takes_s = time.monotonic() - start
    ends = []
    shutil.rmtree(state)
    done = 0
    while done < kills:
        pid, result = forked(lambda: numbers(root))
        if ended_within(pid, moments.uniform(0, takes_s / 3)):
            ends.append(pickle.loads(result.read_bytes()))
            shutil.rmtree(state)
        else:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            done += 1
        result.unlink()
    ends.append(finished(forked(lambda: numbers(root))))
    left = [str(path) for path in state.rglob("*") if ".part" in path.name or path.name.startswith(".")]
    both = [forked(lambda: numbers(root)) for _ in range(2)]  # nothing is left to do for two at once
    ends += [finished(child) for child in both]
    shutil.rmtree(state)
    both = [forked(lambda: numbers(root)) for _ in range(2)]  # and now everything
    ends += [finished(child) for child in both]
    print(json.dumps({"kills": done, "ends": len(ends), "equal": all(end == expected for end in ends), "left": left}))


if __name__ == "__main__":
    os.environ.update({"GRADER_VGGISH_URL": "", "OMP_NUM_THREADS": "1"})
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
