"""The descriptors between the grader and a command in the sandbox: pipes, memory files, and the end of a long log."""

from __future__ import annotations

import contextlib
import os


class Tail:
    """The last bytes of a stream, and how many there were."""

    def __init__(self, keep: int) -> None:
        self._keep, self._data, self.seen = keep, b"", 0

    def read(self, fd: int) -> bool:
        """Take what is there; False at the end of the stream, or when there is nothing now."""
        try:
            chunk = os.read(fd, 1 << 16)
        except BlockingIOError:
            return False
        self.seen += len(chunk)
        self._data = (self._data + chunk)[-self._keep :]
        return bool(chunk)

    def text(self) -> str:
        """As text, without control characters that could move a terminal's cursor or change its colours."""
        text = self._data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
        return "".join(letter if letter.isprintable() or letter in "\n\t" else "�" for letter in text)


def pipe(readers: contextlib.ExitStack, writers: contextlib.ExitStack) -> tuple[int, int]:
    read, write = os.pipe()
    readers.callback(os.close, read)
    writers.callback(os.close, write)
    return read, write


def data(stack: contextlib.ExitStack, content: bytes) -> int:
    """A descriptor from which this can be read."""
    fd = os.memfd_create("grader")
    stack.callback(os.close, fd)
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
