"""The commands: parse, call one function, print. No logic.

Heavy rooms are imported inside the commands that need them, so that ``--help`` and ``check`` start at once.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from grader import __version__
from grader.errors import GraderError


class _Group(click.Group):
    """Turns the project's errors into one line, a help line and exit status 2."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except GraderError as error:
            click.echo(f"grader: {error}", err=True)
            click.echo(f"  help: {error.help}", err=True)
            sys.exit(2)


course_option = click.option(
    "--course",
    "course_dir",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    help="The course folder (default: this one, or the nearest above that has a rubric.yaml).",
)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def main() -> None:
    """Check, score and rank mel-vocoder homework."""
