"""Commands before any hand-in: test mels, and a pretend course."""

from __future__ import annotations

from pathlib import Path

import click

from grader.cli.options import course_option


@click.command()
@click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="For the mels, NNN.npy.")
@click.option("--references", type=click.Path(path_type=Path, file_okay=False), help="For the references, NNN.wav.")
@click.option("--force", is_flag=True, help="Overwrite mels and references of other recordings.")
@course_option
def mels(recordings: tuple[Path, ...], out: Path, references: Path | None, force: bool, course_dir: Path) -> None:
    """Make test mels from RECORDINGS (wav or FLAC files, or folders of them), exactly as the course did.

    Recordings already called 001, 002, … keep their numbers; others are counted in the order of their names. OUT.csv
    beside the mels says which is which.
    """
    from grader import course
    from grader import mels as making

    made = making.make(recordings, out, course.rubric_near(course_dir), references=references, force=force)
    for note in made.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(f"{out}: mels of {len(made.recordings)} recordings, {made.seconds:.1f} s; which is which: {made.table}")
    if references:
        click.echo(f"{references}: the references; keep them private")


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def demo(folder: Path) -> None:
    """Make a small pretend course in DIR: computed singing, test mels, references and eight pretend students.

    In a demo made before, every file is put back as it was.
    """
    from rich.console import Console

    from grader import progress
    from grader.demo.course import make

    with progress.on(Console(stderr=True)) as shown:
        made = make(folder, shown)
    click.echo(f"{folder}: a pretend course of eight students" + ("" if made else ", as it was"))
    click.echo(f"what is in it: {folder / 'README.txt'}; next: grader leaderboard --course {folder}")
