"""The command for students and TA alike: check."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--course",
    "course_dir",
    type=click.Path(path_type=Path, exists=True),
    help="The course folder (default: the one around the first path or this folder, if any).",
)
@click.option("--rubric", "rubric_path", type=click.Path(path_type=Path), help="A rubric.yaml to check against.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "gradescope"]),
    help="text, json as with --json, or Gradescope's results.json of one hand-in.",
)
@click.option("--lang", type=click.Choice(["en", "zh-TW"]), help="Of the text (default: the rubric's, else LANG's).")
def check(
    paths: tuple[Path, ...],
    course_dir: Path | None,
    rubric_path: Path | None,
    as_json: bool,
    form: str | None,
    lang: str | None,
) -> None:
    """Check hand-ins: zip files, unpacked folders, or folders full of either.

    Needs no course folder and no network. Inside a course folder, lengths and contents are compared with its test mels.
    Exit status 0: all can be graded as they are; 1: at least one cannot; 2: wrong use or broken surroundings.
    """
    from grader.checks import command, gradescope, render

    if as_json and form not in (None, "json"):
        raise click.UsageError(f"--json and --format {form} are two forms; choose one")
    form = form or ("json" if as_json else "text")
    planned = command.plan(paths, course_dir, rubric_path)
    if form == "gradescope" and len(planned.uploads) != 1:
        raise click.UsageError(f"--format gradescope is about one hand-in, and there are {len(planned.uploads)} here")
    screen = render.Screen(language=lang or command.language(planned))
    reports = []
    for report in command.run(planned):
        reports.append(report)
        if form == "text":
            render.show(report, screen, brief=len(planned.uploads) > 1)
    if form == "json":
        click.echo(render.as_json(reports, planned.strays))
    elif form == "gradescope":
        click.echo(gradescope.results(reports[0]))
    else:
        render.show_summary(reports, planned.strays, screen)
    sys.exit(2 if any(report.broke for report in reports) else 0 if all(report.ok for report in reports) else 1)
