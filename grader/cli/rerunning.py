"""Commands that run students' code: rerun, and doctor, which says whether that is safe here."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from grader.cli.options import course_option


@click.command()
@click.option("--sample", "count", type=click.IntRange(min=1), help="Draw so many of those who handed in code.")
@click.option("--student", "named", multiple=True, help="Rerun this student; may be given several times.")
@click.option("--seed", type=int, help="Of the draw (default: the rubric's); it is printed and kept.")
@click.option("--force", is_flag=True, help="Run again what is finished.")
@click.option("--accept-proposals", is_flag=True, help="Run the command lines that READMEs propose.")
@click.option("--gpus", is_flag=True, help="Let inference use the GPUs.")
@click.option("--no-sandbox", is_flag=True, help="Run without one where none works: students' code gets your rights.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Students at the same time.")
@course_option
@click.option("--json", "as_json", is_flag=True, help="Print all evidence as JSON.")
def rerun(
    count: int | None,
    named: tuple[str, ...],
    seed: int | None,
    course_dir: Path,
    as_json: bool,
    jobs: int,
    **flags: bool,
) -> None:
    """Run students' own inference again, in a sandbox, and compare with what they uploaded.

    What is finished is not run again unless its inputs changed. How to run a student's code can be set in
    submissions/rerun.yaml. Exit status 0: all reproduced; 1: somebody's was not; 2: this machine failed somewhere.
    """
    import json

    from rich.console import Console

    from grader import course
    from grader.rerun import report, run

    found = course.find(course_dir)
    drawn = run.draw(found, count, named, seed)
    click.echo(report.draw_line(drawn), err=True)
    options = run.Options(jobs=jobs, **flags)
    evidence, known = [], set()
    with found.store() as store:
        run.record_draw(store, drawn)
        for one, was_known in run.rerun_students(found, store, drawn.students, options):
            evidence.append(one)
            known |= {one.student_id} if was_known else set()
            click.echo(f"{one.student_id}: {one.kind}", err=True)
    if as_json:
        click.echo(json.dumps(report.as_json(drawn, evidence), ensure_ascii=False, indent=2))
    else:
        report.show(evidence, frozenset(known), Console(highlight=False))
    sys.exit(report.exit_status(evidence))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def doctor(as_json: bool) -> None:
    """Say what this machine can do for reruns, and fire real attacks at its sandbox.

    Exit status 2 where students' code should not be run.
    """
    import json

    from rich.console import Console

    from grader import progress
    from grader.rerun import doctor as doctors

    with progress.on(Console(stderr=True)) as shown:
        health = doctors.examine(shown)
    click.echo(json.dumps(health.as_json(), indent=2) if as_json else "\n".join(doctors.lines(health)))
    sys.exit(0 if health.safe else 2)
