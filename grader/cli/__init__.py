"""The commands: parse, call one function, print. No logic.

Heavy rooms are imported inside the commands that need them, so that ``--help`` and ``check`` start at once.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from grader import __version__
from grader.cli import canvas, checking, grading, preparing, rerunning, scoring
from grader.errors import GraderError, no_writing

_EXTRAS = {
    "cluster": {"dask", "dask_jobqueue", "distributed"},
    "grading": {"auraloss", "librosa", "PIL", "platformdirs", "pyloudnorm", "scipy", "soxr", "torch"},
    "rerun": {"packaging", "psutil", "uv"},
}


class _Group(click.Group):
    """Turns the project's errors into one line, a help line and exit status 2, and Ctrl-C into one line and 130."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except GraderError as error:
            _fail(error)
        except OSError as error:
            if (problem := no_writing(error)) is None:
                raise
            _fail(problem)
        except KeyboardInterrupt:
            click.echo("grader: stopped; what was finished is kept, and the same command goes on from there", err=True)
            sys.exit(130)
        except ModuleNotFoundError as error:
            extra = next((extra for extra, packages in _EXTRAS.items() if error.name in packages), None)
            if extra is None:
                raise
            click.echo(f"grader: this command needs {error.name}, which is not installed", err=True)
            click.echo(f"  help: pip install 'grader[{extra}]'", err=True)
            sys.exit(2)


def _fail(error: GraderError) -> NoReturn:
    click.echo(f"grader: {error}", err=True)
    click.echo(f"  help: {error.help}", err=True)
    sys.exit(2)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def main() -> None:
    """Check, score and rank mel-vocoder homework."""


for command in (
    preparing.mels,
    preparing.demo,
    checking.check,
    canvas.import_,
    canvas.gradebook,
    canvas.feedback,
    scoring.score,
    scoring.baselines,
    scoring.leaderboard,
    scoring.tells,
    rerunning.rerun,
    rerunning.doctor,
    grading.late,
    grading.decide,
    grading.diff,
):
    main.add_command(command)
