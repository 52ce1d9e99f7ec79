"""Commands about grades: lateness, decisions, differences."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import click

from grader.cli.options import course_option, jobs_option


@click.command()
@click.option("--preview", is_flag=True, help="Show who another rule would affect; nothing is changed.")
@click.option(
    "--rubric", "rubric_path", type=click.Path(path_type=Path), help="With the late rule of this rubric.yaml."
)
@click.option("--deadline", help="With this deadline.")
@click.option("--grace", type=float, metavar="MINUTES", help="With so many minutes of grace.")
@click.option("--after", type=float, metavar="PERCENT", help="With this cost after the last step.")
@click.option("--deduct", type=click.Choice(["factor", "points"]), help="With this way to deduct.")
@click.option("--parts", type=click.Choice(["together", "separately"]), help="With parts judged so.")
@click.option("--several", type=click.Choice(["latest", "best"]), help="With this of several hand-ins.")
@jobs_option
@course_option
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
def late(
    preview: bool,
    rubric_path: Path | None,
    deadline: str | None,
    grace: float | None,
    after: float | None,
    deduct: str | None,
    parts: str | None,
    several: str | None,
    jobs: int | None,
    course_dir: Path,
    as_json: bool,
) -> None:
    """Show who is late and what that costs, or with --preview who another rule would affect.

    Scores what is missing first. Decisions count as they stand.
    """
    import json

    from pydantic import ValidationError
    from rich.console import Console

    from grader import course, progress, rubric
    from grader.grades import preview as previews
    from grader.grades import terminal
    from grader.site.build import grade

    given: dict[str, Any] = {
        "deadline": deadline,
        "late.grace_minutes": grace,
        "late.after_percent": after,
        "late.deduct": deduct,
        "late.parts": parts,
        "late.several_hand_ins": several,
    }
    changes = {key: value for key, value in given.items() if value is not None}
    if (changes or rubric_path) and not preview:
        raise click.UsageError("another rule can only be looked at: add --preview; to make it, edit rubric.yaml")
    found = course.find(course_dir)
    try:
        rule = previews.other_rule(found.rubric, changes, rubric.load(rubric_path) if rubric_path else None)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise click.UsageError(wrong) from None
    with progress.on(Console(stderr=True)) as shown:
        board = grade(found, processes=jobs, shown=shown)
    affected = previews.affected(board, rule)
    if as_json and preview:
        click.echo(json.dumps({"version": 1, "affected": [each.as_json() for each in affected]}, indent=1))
    elif as_json:
        students = [previews.as_json(row.grade) for row in sorted(board.rows, key=lambda row: row.grade.student_id)]
        click.echo(json.dumps({"version": 1, "students": students}, ensure_ascii=False, indent=1))
    elif preview:
        terminal.show_preview(affected, len(board.rows), found.rubric, rule, Console(highlight=False))
    else:
        terminal.show_late(board, Console(highlight=False))


@click.command()
@click.argument("kind")
@click.argument("who", metavar="STUDENT|FILE")
@click.argument("values", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--reason", help="Why; for a comment its words. Needed for all but votes.")
@click.option("--by", help="Who decided (default: your name on this machine).")
@click.option("--at", help="When (default: now).")
@course_option
def decide(
    kind: str, who: str, values: tuple[str, ...], reason: str | None, by: str | None, at: str | None, course_dir: Path
) -> None:
    """Add a decision about a student to decisions.yaml; what stands there is left as it is.

    \b
    extension STUDENT until=TIME | days=N [part=prediction|report]
    waiver    STUDENT [part=prediction|report]         lateness costs nothing
    points    STUDENT what=quality|report|final set=N | add=N
    report    STUDENT points=N                         the report's points
    bonus     STUDENT what=presenter|f0_input|loop|other [points=N]
    excuse    STUDENT                                  no grade, no part of statistics
    comment   STUDENT
    votes     FILE                                     as the listening page saves it
    withdraw  STUDENT of=KIND [part=…] [what=…]        takes earlier lines back

    With replaces=true a line takes the place of an earlier one about the same.
    """
    from grader import course
    from grader.grades import deciding

    found = course.find(course_dir)
    said = deciding.decide(found, kind, who, values, reason=reason, by=by or getpass.getuser(), at=at)
    for line in said:
        click.echo(line)
    click.echo(f"{found.ledger_path}: {len(said)} added; next: grader leaderboard")


@click.command()
@click.argument("snapshots", nargs=-1, metavar="[A [B]]")
@jobs_option
@course_option
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
def diff(snapshots: tuple[str, ...], jobs: int | None, course_dir: Path, as_json: bool) -> None:
    """Tell who moved between two snapshots, in points and rank, and which input caused it.

    Every `grader leaderboard` after a change keeps a snapshot, numbered from 1. Without A and B the last two are
    compared, with A alone A and the last. `now` stands for what the course folder says now.
    """
    import json

    from rich.console import Console

    from grader import course, progress
    from grader.grades import difference, terminal
    from grader.grades import snapshots as kept
    from grader.site.build import grade

    if len(snapshots) > 2:
        raise click.UsageError("two snapshots can be compared")
    found = course.find(course_dir)
    chosen = kept.chosen(snapshots, kept.numbers(found.snapshots))
    with progress.on(Console(stderr=True)) as shown:
        both = [
            kept.now(grade(found, processes=jobs, shown=shown))
            if number is None
            else kept.load(found.snapshots, number)
            for number in chosen
        ]
    result = difference.compare(*both)
    if as_json:
        click.echo(json.dumps(result.as_json(), ensure_ascii=False, indent=1))
    else:
        terminal.show_difference(result, Console(highlight=False))
