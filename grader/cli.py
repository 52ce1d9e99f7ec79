"""The commands: parse, call one function, print. No logic.

Heavy rooms are imported inside the commands that need them, so that ``--help`` and ``check`` start at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import click

from grader import __version__, cli_grades
from grader.errors import GraderError, no_writing
from grader.options import course_option

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


cluster_option = click.option(
    "--cluster",
    metavar="WHERE",
    help="Measure with the workers of a Dask cluster: tcp://HOST:PORT, slurm[:N], local:N.",
)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def main() -> None:
    """Check, score and rank mel-vocoder homework."""


@main.command()
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


@main.command()
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


@main.command()
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


@main.group(name="import")
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


@main.command()
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
@click.option("--jobs", type=click.IntRange(min=1), help="Processes (default: as many as cores and memory carry).")
@course_option
def gradebook(
    export: Path, assignment: str, out: Path | None, points: str, scale: bool, jobs: int | None, course_dir: Path
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
        board = grade(found, processes=jobs, shown=shown)
    filled = gradebooks.fill(book, where, board)
    copy = out or export.with_name(f"{export.stem}-filled.csv")
    gradebooks.save(filled, book, copy)
    click.echo("\n".join(gradebooks.lines(filled, copy)))
    sys.exit(1 if filled.lost else 0)


@main.group()
def feedback() -> None:
    """Give feedback back to where hand-ins came from."""


@feedback.command(name="canvas")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--jobs", type=click.IntRange(min=1), help="Processes (default: as many as cores and memory carry).")
@course_option
def feedback_canvas(out: Path, jobs: int | None, course_dir: Path) -> None:
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
        board, _ = build(found, processes=jobs, shown=shown)
    made = feedbacks.bundle(board, imported, found.site)
    feedbacks.save(made, out)
    click.echo("\n".join(feedbacks.lines(made, out)))
    sys.exit(1 if made.left else 0)


@main.command()
@click.argument("ids", nargs=-1)
@course_option
@click.option("--jobs", type=click.IntRange(min=1), help="Processes (default: as many as cores and memory carry).")
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


@main.command()
@click.option("--weights", type=click.Path(path_type=Path), help="A HiFi-GAN checkpoint in place of the rubric's.")
@course_option
@click.option("--jobs", type=click.IntRange(min=1), help="Processes (default: as many as cores and memory carry).")
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


@main.command()
@course_option
@click.option("--jobs", type=click.IntRange(min=1), help="Processes (default: as many as cores and memory carry).")
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


@main.command()
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


@main.command()
@course_option
@click.option("--jobs", type=click.IntRange(min=1), help="Processes (default: as many as cores and memory carry).")
@click.option("--json", "as_json", is_flag=True, help="Print all tells with their evidence as JSON.")
def tells(course_dir: Path, jobs: int | None, as_json: bool) -> None:
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
        told, page = build.look(course.find(course_dir), processes=jobs, shown=shown)
    if as_json:
        click.echo(json.dumps(told.as_json(), ensure_ascii=False, indent=1))
    else:
        click.echo("\n".join(report.lines(told, page)))


@main.command()
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


for command in cli_grades.COMMANDS:
    main.add_command(command)
