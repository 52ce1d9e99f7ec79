"""What is shown while something takes long: lines that keep apart, a bar that goes away, an honest time left."""

import io

import pytest
from rich.console import Console

from grader import progress
from grader.progress import LINE_EVERY_S, Bar, Lines, Progress


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_lines_keep_apart_and_tell_what_how_many_and_how_long() -> None:
    said: list[str] = []
    clock = Clock()
    lines = Lines(said.append, clock)
    lines.start("scoring clips", total=100, items=10)
    for _ in range(10):
        clock.now += 2
        lines.advance(10)
    assert said == [
        "scoring clips: 0 of 10",
        "scoring clips: 3 of 10, about 14 s left",
        "scoring clips: 6 of 10, about 8 s left",
        "scoring clips: 9 of 10, about 2 s left",
    ]


def test_time_left_goes_with_the_work_and_not_with_the_count() -> None:
    said: list[str] = []
    clock = Clock()
    lines = Lines(said.append, clock)
    lines.start("scoring clips", total=1000, items=2)
    clock.now += 600
    lines.advance(900)
    assert said[-1] == "scoring clips: 1 of 2, about 67 s left"
    lines.start("scoring clips", total=1000, items=2)
    clock.now += 600
    lines.advance(500)
    assert said[-1] == "scoring clips: 1 of 2, about 10 min left"


def test_short_stages_say_nothing_each() -> None:
    said: list[str] = []
    clock = Clock()
    lines = Lines(said.append, clock)
    for number in range(50):
        clock.now += LINE_EVERY_S / 10
        with lines:
            lines.start(f"stage {number}", 1, 1)
    assert len(said) == 5


def test_notes_are_never_held_back() -> None:
    said: list[str] = []
    lines = Lines(said.append, Clock())
    lines.note("one")
    lines.note("two")
    assert said == ["one", "two"]


@pytest.mark.parametrize(("total", "text"), [(288_570_317, "100 of 289 MB"), (0, "100 MB")])
def test_bytes(total: int, text: str) -> None:
    shown = Progress()
    shown.start("downloading", total)
    shown.advance(99_600_000)
    shown.advance(400_000)
    assert shown.count() == text


def test_a_terminal_gets_a_bar_that_goes_away() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100)
    with progress.on(console) as shown:
        assert isinstance(shown, Bar)
        shown.start("scoring [clips]", 10, items=4)
        shown.advance(5)
        shown.note("R12922001 › 003.wav: [failed]")
        shown.start("downloading", 0)
        shown.advance(1_000_000)
    text = file.getvalue()
    for part in ("scoring [clips]", "1 of 4", "R12922001 › 003.wav: [failed]", "1 MB"):
        assert part in text
    assert text.endswith("\x1b[2K") or "\x1b[?25h" in text.split("1 MB")[-1]


def test_a_log_gets_lines() -> None:
    file = io.StringIO()
    shown = progress.on(Console(file=file, width=20))
    assert isinstance(shown, Lines)
    shown.start("a stage with a long name", 10, items=1)
    assert file.getvalue() == "a stage with a long name: 0 of 1\n"


def test_workers_are_counted_and_what_takes_long_is_named() -> None:
    said: list[str] = []
    clock = Clock()
    lines = Lines(said.append, clock)
    lines.start("scoring clips", total=10, items=10)
    clock.now += 6
    lines.at_work([("R1 › 001.wav", 5.0), ("R1 › 002.wav", 1.0)])
    clock.now += 24
    lines.advance(1)
    clock.now += 6
    lines.at_work([("R1 › 001.wav", 35.0), ("R1 › 003.wav", 6.0)])
    assert said[1:] == [
        "scoring clips: 0 of 10 by 2 workers",
        "scoring clips: 1 of 10 by 2 workers, about 4 min left",
        "scoring clips: 1 of 10 by 2 workers, about 5 min left; R1 › 001.wav takes 35 s so far",
    ]
    lines.start("Fréchet distances", total=2, items=2)
    assert lines.count() == "0 of 2"
