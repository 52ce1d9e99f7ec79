"""What is being done, how much of it, and how long is left: a bar on a terminal, now and then a line in a log.

Work is a row of stages, one after the other. A stage's total is in whatever its time goes with (seconds of audio,
bytes), so that the time left is honest where items differ in size.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

LINE_EVERY_S = 5.0
SLOW_S = 20.0
"""The item that is longest at work is named once it is at it for this long."""


class Progress:
    """Shows nothing; what is shown is added by :class:`Bar` and :class:`Lines`."""

    what = ""
    total = 0.0
    items: int | None = None
    done = 0.0
    done_items = 0
    workers = 0
    slow = ""

    def start(self, what: str, total: float, items: int | None = None) -> None:
        """Begin a stage. Without ``items`` the total is in bytes."""
        self.what, self.total, self.items = what, total, items
        self.done, self.done_items = 0.0, 0
        self.workers, self.slow = 0, ""

    def advance(self, amount: float) -> None:
        """One more item, or some more bytes, are done."""
        self.done += amount
        self.done_items += 1

    def at_work(self, items: Sequence[tuple[str, float]]) -> None:
        """What each worker has in hand now, and for how many seconds; told about twice a second."""
        self.workers = len(items)
        what, seconds = max(items, key=lambda item: item[1], default=("", 0.0))
        self.slow = f"{what} takes {seconds:.0f} s so far" if seconds > SLOW_S else ""

    def finish(self) -> None:
        """The stage is over."""

    def note(self, text: str) -> None:
        """A line that stays."""

    def count(self) -> str:
        """How much is done, in words."""
        if self.items is not None:
            by = f" by {self.workers} workers" if self.workers > 1 else ""
            return f"{self.done_items} of {self.items}{by}"
        return f"{self.done / 1e6:.0f} of {self.total / 1e6:.0f} MB" if self.total else f"{self.done / 1e6:.0f} MB"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()


class Bar(Progress):
    """One bar on a terminal; it vanishes when its stage is over."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rich: RichProgress | None = None

    def start(self, what: str, total: float, items: int | None = None) -> None:
        self.finish()
        super().start(what, total, items)
        self._rich = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[slow]}", markup=False, style="dim"),
            console=self._console,
            transient=True,
        )
        self._task = self._rich.add_task(what, total=total or None, count=self.count(), slow="")
        self._rich.start()

    def advance(self, amount: float) -> None:
        super().advance(amount)
        self._update()

    def at_work(self, items: Sequence[tuple[str, float]]) -> None:
        super().at_work(items)
        self._update()

    def _update(self) -> None:
        if self._rich:
            self._rich.update(self._task, completed=self.done, count=self.count(), slow=self.slow)

    def finish(self) -> None:
        if self._rich:
            self._rich.stop()
            self._rich = None

    def note(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)


class Lines(Progress):
    """Lines in a log, at least ``LINE_EVERY_S`` apart."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock = clock
        self._wrote_at = -LINE_EVERY_S

    def start(self, what: str, total: float, items: int | None = None) -> None:
        super().start(what, total, items)
        self._started_at = self._clock()
        self._line()

    def advance(self, amount: float) -> None:
        super().advance(amount)
        self._line()

    def at_work(self, items: Sequence[tuple[str, float]]) -> None:
        super().at_work(items)
        self._line()

    def note(self, text: str) -> None:
        self._write(text)

    def _line(self) -> None:
        now = self._clock()
        if now - self._wrote_at < LINE_EVERY_S:
            return
        self._wrote_at = now
        left = ""
        if self.total and self.done:
            left_s = (now - self._started_at) * (self.total / self.done - 1)
            left = f", about {left_s:.0f} s left" if left_s < 100 else f", about {left_s / 60:.0f} min left"
        slow = f"; {self.slow}" if self.slow else ""
        self._write(f"{self.what}: {self.count()}{left}{slow}")


def on(console: Console) -> Progress:
    """A bar where the console is a terminal, else lines."""
    if console.is_terminal:
        return Bar(console)
    return Lines(lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True))
