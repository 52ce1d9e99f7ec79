"""Processes for tests to stop."""

import signal
import subprocess
from collections.abc import Sequence
from typing import Any


def interruptible(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """A process in a session of its own that Ctrl-C reaches, also where the tests run in a shell's background.

    Such a shell starts what it runs with SIGINT ignored, and children inherit that.
    """

    def listen() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    return subprocess.Popen(command, start_new_session=True, preexec_fn=listen, **options)
