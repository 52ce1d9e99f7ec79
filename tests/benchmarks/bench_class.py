"""A class of 100 students with 30 clips each when nothing has changed: ``python -m tests.benchmarks.bench_class``.

The clips are short, since nothing looks into them any more; the store, the zips and the unpacked clips are as many as
in a real class. Timed are whole commands, from the start of the interpreter.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import jinja2

from grader.course import Course
from grader.progress import Progress
from grader.site import render
from grader.site.build import grade
from tests.benchmarks import courses
from tests.benchmarks.measuring import in_turn, row, timed

CLIPS = 30

TABLE = """<table>{% for row in rows %}<tr><td>{{ row.grade.student_id }}</td><td>{{ row.grade.score }}</td>
<td>{{ row.grade.quality_why }} {{ row.grade.late_why }} {{ row.grade.final_why }}</td></tr>
{% for clip in row.result.scores.clips %}<tr><td>{{ clip.name }}</td><td>{{ clip.m_stft }}</td>
<td>{{ clip.log2_f0 }}</td><td>{{ clip.f0_frames }} of {{ clip.f0_total }}</td></tr>{% endfor %}{% endfor %}</table>"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="ten students, to see that it runs")
    students = 10 if parser.parse_args().small else 100
    what = f"{students} students × {CLIPS} clips"
    with tempfile.TemporaryDirectory() as folder:
        course = courses.make(Path(folder), students, CLIPS, 0.12, "tiny")
        for name, new_what in (("score", "scores"), ("leaderboard", "sound, pictures and pages")):
            new = timed(lambda name=name: command(name, course))  # type: ignore[misc]
            again = statistics.median(timed(lambda name=name: command(name, course)) for _ in range(3))  # type: ignore[misc]
            row(f"`grader {name}`, {what}, nothing changed", (again,), None, "< 3 s", again < 3)
            print(f"{what} of 0.12 s, {new_what} new: {new:.1f} s")
        site(course, students)


def command(name: str, course: Course) -> None:
    """As an installed grader runs: with compiled modules, whatever the environment says of them."""
    arguments = [sys.executable, "-m", "grader", name, "--course", str(course.root)]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(arguments, check=True, capture_output=True, env=env)


def site(course: Course, students: int) -> None:
    """What is the same for all of the class: its pages and tables from the records, against one plain table of them."""
    board = grade(course, processes=1, shown=Progress())
    template = jinja2.Environment(autoescape=True).from_string(TABLE)

    def floor() -> str:
        return template.render(rows=board.rows)

    pairs = in_turn(5, lambda: render.files(board), floor)
    row(f"pages and tables of {students} students / jinja2 rendering the same rows", pairs.medians, pairs.ratio)


if __name__ == "__main__":
    main()
