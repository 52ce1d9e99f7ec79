"""Commands to and from Canvas."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from grader.cli.options import cluster_option, course_option, jobs_option


@click.group(name="import")
def import_() -> None:
    """Bring hand-ins from elsewhere into the course."""


@import_.command(name="canvas")
@click.argument("download", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--gradebook",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="The gradebook export, which says who is who.",
)
@course_option
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON.")
def import_canvas(download: Path, gradebook: Path, course_dir: Path, as_json: bool) -> None:
    """Lay out a Canvas bulk download (“Download Submissions”) in submissions/, as ID.zip, ID-1.zip, ID_report.pdf, …

    Every version is kept and nothing is overwritten; importing the same again changes nothing. What came from where is
    in .grader/imports/canvas.json. Exit status 1: files that cannot be mapped to a student were left out, each with the
    reason.
    """
    import json

    from rich.console import Console

    from grader import course, progress
    from grader.intake.canvas import importing, report

    with progress.on(Console(stderr=True)) as shown:
        outcome = importing.bring_in(download, gradebook, course.find(course_dir), shown)
    if as_json:
        click.echo(json.dumps(outcome.as_json(), indent=1))
    else:
        click.echo("\n".join(report.lines(outcome)))
    sys.exit(0 if outcome.complete else 1)


@click.command()
@click.argument("export", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--assignment", required=True, help="The column to fill, as in the export: “HW2 (12345)”.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The copy (default: EXPORT-filled.csv).")
@click.option(
    "--points",
    type=click.Choice(["final", "quality", "report", "semester"]),
    default="final",
    show_default=True,
    help="Which points; final and quality after lateness.",
)
@click.option("--scale", is_flag=True, help="Convert where the assignment counts up to another number than the rubric.")
@jobs_option
@cluster_option
@course_option
def gradebook(
    export: Path,
    assignment: str,
    out: Path | None,
    points: str,
    scale: bool,
    jobs: int | None,
    cluster: str | None,
    course_dir: Path,
) -> None:
    """Write points into a column of a copy of a Canvas gradebook EXPORT; every other byte stays.

    Whoever has no points is left as they are and listed. Exit status 1: somebody who has points has no row in the
    export.
    """
    from rich.console import Console

    from grader import course, progress
    from grader.grades import gradebook as gradebooks
    from grader.intake.canvas import export as exports
    from grader.site.build import grade

    found = course.find(course_dir)
    book = exports.read(export, found.rubric)
    where = gradebooks.target(book, assignment, found.rubric, points, scale=scale)
    with progress.on(Console(stderr=True)) as shown:
        board = grade(found, processes=jobs, cluster=cluster, shown=shown)
    filled = gradebooks.fill(book, where, board)
    copy = out or export.with_name(f"{export.stem}-filled.csv")
    gradebooks.save(filled, book, copy)
    click.echo("\n".join(gradebooks.lines(filled, copy)))
    sys.exit(1 if filled.lost else 0)


@click.group()
def feedback() -> None:
    """Give feedback back to where hand-ins came from."""


@feedback.command(name="canvas")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@jobs_option
@cluster_option
@course_option
def feedback_canvas(out: Path, jobs: int | None, cluster: str | None, course_dir: Path) -> None:
    """Zip each student's own page into OUT as Canvas takes it back (“Upload Submissions”).

    Every file has exactly the name under which the student's upload came in the bulk download, by which Canvas knows
    whose it is. Pages are brought up to date first. Exit status 1: somebody who handed in gets nothing this way.
    """
    from rich.console import Console

    from grader import course, progress
    from grader.intake.canvas import record
    from grader.site import feedback as feedbacks
    from grader.site.build import build

    found = course.find(course_dir)
    imported = record.load(found.state)
    with progress.on(Console(stderr=True)) as shown:
        board, _ = build(found, processes=jobs, cluster=cluster, shown=shown)
    made = feedbacks.bundle(board, imported, found.site)
    feedbacks.save(made, out)
    click.echo("\n".join(feedbacks.lines(made, out)))
    sys.exit(1 if made.left else 0)
