"""Errors that end a command: one line that says what is wrong, and one that says what to do.

What a hand-in gets wrong is never an exception; it is a :class:`grader.findings.Finding`.
"""

import errno
from functools import partial
from typing import Any

_NO_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}


class GraderError(Exception):
    """Wrong use or broken surroundings (exit status 2).

    ``str(error)`` says what and where; ``help`` says what to do next.
    """

    def __init__(self, message: str, *, help: str) -> None:
        super().__init__(message)
        self.help = help

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors cross from worker processes; the default would lose ``help``."""
        return partial(type(self), help=self.help), self.args


class RubricError(GraderError):
    """rubric.yaml cannot be used; the message names file, line and key."""


class CourseError(GraderError):
    """The course folder lacks something or holds something unusable."""


class EnvironmentProblem(GraderError):
    """This machine lacks something: a package, weights, disk, a sandbox. Nobody's submission is to blame."""


def no_writing(error: OSError) -> EnvironmentProblem | None:
    """A disk that is full or cannot be written, told as such; None for any other error."""
    if error.errno not in _NO_WRITING:
        return None
    where = f"{error.filename}: " if error.filename else ""
    return EnvironmentProblem(
        f"{where}cannot be written: {error.strerror}",
        help="make room (or make the folder writable) and run the same command again; what was finished is kept",
    )
