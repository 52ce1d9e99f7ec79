"""Commands about scores: score, baselines, leaderboard, and tells about them."""

from __future__ import annotations

from pathlib import Path

import click

from grader.cli.options import cluster_option, course_option, jobs_option


@click.command()
@click.argument("ids", nargs=-1)
@course_option
@jobs_option
@cluster_option
@click.option("--json", "as_json", is_flag=True, help="Print all numbers, per clip too, as JSON.")
def score(ids: tuple[str, ...], course_dir: Path, jobs: int | None, cluster: str | None, as_json: bool) -> None:
    """Score the latest hand-ins of the students IDS (of all, where none is named), and the baselines.

    What has not changed is not computed again. Exit status 0 also where a student's hand-in has no scores: the reason
    is printed.
    """
    import json

    from rich.console import Console

    from grader import course, progress, score_report, scoring

    found = course.find(course_dir)
    with progress.on(Console(stderr=True)) as shown, found.store() as store:
        result = scoring.score_course(found, store, only=ids, processes=jobs, cluster=cluster, shown=shown)
    if as_json:
        click.echo(json.dumps(score_report.as_json(result), ensure_ascii=False, indent=2))
    else:
        score_report.show(result, found.rubric.metrics.rank_by, Console(highlight=False))


@click.command()
@click.option("--weights", type=click.Path(path_type=Path), help="A HiFi-GAN checkpoint in place of the rubric's.")
@course_option
@jobs_option
@click.option("--json", "as_json", is_flag=True, help="Print all numbers, per clip too, as JSON.")
def baselines(weights: Path | None, course_dir: Path, jobs: int | None, as_json: bool) -> None:
    """Render the rubric's baselines for the test mels, and score them like a hand-in.

    Griffin-Lim needs no training; HiFi-GAN comes with weights, or takes those of your own training. The same scores
    stand in the leaderboard and may be anchors in rubric.yaml. What has not changed is not rendered or scored again.
    """
    import json

    from rich.console import Console

    from grader import course, progress, score_report, scoring

    found = course.find(course_dir)
    with progress.on(Console(stderr=True)) as shown, found.store() as store:
        result = scoring.score_baselines(found, store, weights=weights, processes=jobs, shown=shown)
    if as_json:
        click.echo(json.dumps(score_report.as_json(result), ensure_ascii=False, indent=2))
    else:
        score_report.show(result, found.rubric.metrics.rank_by, Console(highlight=False))


@click.command()
@course_option
@jobs_option
@cluster_option
@click.option("--public", is_flag=True, help="Write the pages for everyone too: aliases, no grades.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Where the public pages go (default: site-public)."
)
def leaderboard(course_dir: Path, jobs: int | None, cluster: str | None, public: bool, out: Path | None) -> None:
    """Score what is missing, grade everyone, and write the leaderboard to site/.

    What has not changed is neither computed nor written again. site/index.html opens from disk and needs no network;
    beside it lie the player, a page for each student, and leaderboard.csv, leaderboard.json and clips.csv with the same
    numbers.
    """
    from rich.console import Console

    from grader import course, progress
    from grader.site.build import build
    from grader.site.terminal import show

    if out and not public:
        raise click.UsageError("--out names the folder of the public pages, which --public makes")
    found = course.find(course_dir)
    folder = (out or found.root / "site-public") if public else None
    with progress.on(Console(stderr=True)) as shown:
        board, page = build(found, processes=jobs, cluster=cluster, shown=shown, public=folder)
    show(board, page, Console(highlight=False))
    if folder:
        click.echo(f"for everyone: {folder / 'index.html'}")


@click.command()
@course_option
@jobs_option
@cluster_option
@click.option("--json", "as_json", is_flag=True, help="Print all tells with their evidence as JSON.")
def tells(course_dir: Path, jobs: int | None, cluster: str | None, as_json: bool) -> None:
    """Say what a TA should listen to or read: tells, never verdicts. Nothing is deducted.

    Looked at are clips that hold the recording's own waveform, clips alike between students or with a baseline, equal
    weight files, overlapping code, and reruns that differ; what known_sources/ in the course folder holds is allowed to
    everyone. The same stands in site/tells.html with the sounds to listen to, for the TA only.
    """
    import json

    from rich.console import Console

    from grader import course, progress
    from grader.site import build
    from grader.tells import report

    with progress.on(Console(stderr=True)) as shown:
        told, page = build.look(course.find(course_dir), processes=jobs, cluster=cluster, shown=shown)
    if as_json:
        click.echo(json.dumps(told.as_json(), ensure_ascii=False, indent=1))
    else:
        click.echo("\n".join(report.lines(told, page)))
