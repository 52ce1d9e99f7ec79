"""What killed graders left half written: its names carry the process that was at it, and the next run removes it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from pathlib import Path

_UNPACKING = re.compile(r"\.[0-9a-f]+-(?P<pid>\d+)-\w+")
_IMPORTING = re.compile(r"unpacking-(?P<pid>\d+)-\w+")
_RENDERING = re.compile(r".+\.(?P<pid>\d+)\.part(\.\w+)?")


def remove(state: Path) -> None:
    """Remove half unpacked hand-ins and downloads, and half rendered baselines, of processes that are no more."""
    unpacking = ((state / "handins", _UNPACKING), (state / "imports", _IMPORTING))
    for folder, pattern in (*unpacking, *((f, _RENDERING) for f in state.glob("baselines/*"))):
        with contextlib.suppress(OSError):
            for path in list(folder.iterdir()):
                match = pattern.fullmatch(path.name)
                if match and not _runs(int(match["pid"])):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _runs(pid: int) -> bool:
    if sys.platform == "win32":  # where asking would end it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True
