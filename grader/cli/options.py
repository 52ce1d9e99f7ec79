"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path

import click

_COURSE_HELP = "The course folder (default: this one, or the nearest above that has a rubric.yaml)."
course_option = click.option(
    "--course",
    "course_dir",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    help=_COURSE_HELP,
)

jobs_option = click.option(
    "--jobs", type=click.IntRange(min=1), help="Processes (default: as many as cores and memory carry)."
)
cluster_option = click.option(
    "--cluster",
    metavar="WHERE",
    help="Measure with the workers of a Dask cluster: tcp://HOST:PORT, slurm[:N], local:N.",
)
