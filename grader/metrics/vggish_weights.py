"""Where VGGish's weights are: the file a TA names, the user's cache, or a download into it.

The cache is the platform's (``~/.cache/grader`` on Linux) or ``GRADER_CACHE``. ``GRADER_VGGISH_URL`` names another
source; where it is empty, nothing is downloaded. torch.hub's own cache is looked into as well, since the course's
program leaves the same file there. No torch is imported.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import socket
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

from grader.cache import cache_folder
from grader.errors import EnvironmentProblem
from grader.progress import Progress
from grader.store import file_sha256

ADDRESS = "https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth"
FILE_NAME = "vggish-10086976.pth"
SHA256_STARTS = "10086976"  # all that its publisher says of the hash; torch.hub checks the same

REACH_S = 2.0
READ_S = 30.0
TRY_AGAIN_S = 600.0
_CHUNK = 1 << 20


class WeightsMissing(EnvironmentProblem):
    """VGGish's weights cannot be had on this machine now; ``str`` says why."""


def find(
    named: str | None,
    progress: Progress,
    *,
    sha256: Callable[[Path], str] = file_sha256,
    hash_starts: str = SHA256_STARTS,
) -> Path:
    """The weight file. ``named`` is the TA's own and taken as it is; without it a download is tried where needed.

    Raises :class:`EnvironmentProblem` where ``named`` is not there, :class:`WeightsMissing` where nothing can be had.
    """
    if named is not None:
        path = Path(named).expanduser()
        if not path.is_file():
            raise EnvironmentProblem(
                f"{path}: no such file, named at metrics.fad.weights_file",
                help="put VGGish's weights there, or write null to have them looked for and downloaded",
            )
        return path
    cached = cache_folder() / FILE_NAME
    for path in (cached, _torch_home() / "hub" / "checkpoints" / FILE_NAME):
        if path.is_file() and sha256(path).startswith(hash_starts):
            return path
    address = os.environ.get("GRADER_VGGISH_URL", ADDRESS)
    if not address:
        raise _missing("downloading is switched off (GRADER_VGGISH_URL is empty)", cached)
    earlier = _failed_lately(cached)
    if earlier:
        raise _missing(*earlier)
    try:
        _download(address, cached, hash_starts, progress)
    except (OSError, ValueError) as error:  # every network error is an OSError; a wrong address is a ValueError
        reason = f"{address}: {getattr(error, 'reason', None) or error}"
        _remember_failure(cached, reason)
        raise _missing(reason, cached) from None
    return cached


def _torch_home() -> Path:
    shared = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(os.environ.get("TORCH_HOME", f"{shared}/torch")).expanduser()


def _missing(reason: str, cached: Path, again: str = "") -> WeightsMissing:
    return WeightsMissing(
        f"VGGish's weights are not here ({reason})",
        help=f"download {ADDRESS} elsewhere and put it at {cached}, or name it at metrics.fad.weights_file{again}",
    )


def _download(address: str, path: Path, hash_starts: str, progress: Progress) -> None:
    """Fetch to ``path``, which appears only when whole and of the right hash."""
    _reach(address)
    digest = hashlib.sha256()
    with contextlib.ExitStack() as stack:
        response = stack.enter_context(urllib.request.build_opener().open(address, timeout=READ_S))
        path.parent.mkdir(parents=True, exist_ok=True)
        part = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=path.parent))) / path.name
        size = int(response.headers.get("Content-Length") or 0)
        progress.start("downloading VGGish's weights", size)
        with part.open("wb") as file:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                digest.update(chunk)
                progress.advance(len(chunk))
        progress.finish()
        if size and part.stat().st_size != size:
            raise ValueError(f"only {part.stat().st_size} of {size} bytes came")
        if not digest.hexdigest().startswith(hash_starts):
            raise ValueError(f"its sha256 is {digest.hexdigest()[:16]}…, expected {hash_starts}…")
        part.replace(path)


def _reach(address: str) -> None:
    """Raise OSError where the address's host, or the proxy before it, is not reached at once.

    In a thread, since looking up a name on a machine without network may take long and heeds no timeout.
    """
    url = urllib.parse.urlsplit(address)
    if url.scheme == "file":
        return
    proxy = urllib.request.getproxies().get(url.scheme)
    if proxy and not urllib.request.proxy_bypass(url.netloc):
        url = urllib.parse.urlsplit(proxy if "//" in proxy else f"//{proxy}")
    place = (url.hostname or "", url.port or (443 if url.scheme == "https" else 80))
    answers: queue.Queue[OSError | ValueError | None] = queue.Queue()

    def connect() -> None:
        try:
            socket.create_connection(place, REACH_S).close()
            answers.put(None)
        except (OSError, ValueError) as error:
            answers.put(error)

    threading.Thread(target=connect, daemon=True).start()
    try:
        problem = answers.get(timeout=REACH_S)
    except queue.Empty:
        raise TimeoutError(f"not reached within {REACH_S:g} s") from None
    if problem:
        raise problem


def _failure_note(cached: Path) -> Path:
    return cached.with_suffix(".unreachable")


def _remember_failure(cached: Path, reason: str) -> None:
    """Keep the reason, so that the next commands lose no time to it. A cache that cannot be written keeps nothing."""
    with contextlib.suppress(OSError):
        cached.parent.mkdir(parents=True, exist_ok=True)
        _failure_note(cached).write_text(reason, encoding="utf-8")


def _failed_lately(cached: Path) -> tuple[str, Path, str] | None:
    """The reason of a failure that is not old yet, for :func:`_missing`."""
    note = _failure_note(cached)
    with contextlib.suppress(OSError):
        age_s = time.time() - note.stat().st_mtime
        if 0 <= age_s < TRY_AGAIN_S:
            again = time.strftime("%H:%M", time.localtime(time.time() - age_s + TRY_AGAIN_S))
            return note.read_text(encoding="utf-8"), cached, f"; the download is tried again from {again} on"
    return None
