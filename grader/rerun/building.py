"""Source packages, built to wheels inside the sandbox.

A build runs the package's own code, so it gets the network (its build tools come from the index) and nothing else: no
student's files, none of the TA's, no shared cache that it could poison, no names and passwords in index addresses. What
comes back is one wheel of the package that was asked for; installing a wheel runs nothing.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from grader.rerun.index import IndexSettings
from grader.rerun.job import Job
from grader.rerun.outputs import RefusedError, copy
from grader.rerun.sandbox import Sandbox, remove, scratch
from grader.rubric import Limits

_LARGEST_WHEEL_BYTES = 500_000_000


class BuildError(Exception):
    """A package could not be built. log: the end of what its build printed; ours: the sandbox did not start."""

    def __init__(self, what: str, log: str, *, ours: bool = False) -> None:
        super().__init__(what)
        self.what, self.log, self.ours = what, log, ours


@dataclass(frozen=True)
class Builder:
    """What every build of one environment needs. prefix: of the interpreter's installation; limits: of one build."""

    uv: Path
    interpreter: Path
    prefix: Path
    settings: IndexSettings
    box: Sandbox
    limits: Limits


def build(requirement: str, builder: Builder, into: Path) -> Path:
    """Build ``name``, ``name==version`` or ``name @ address`` for that interpreter; returns the wheel in ``into``.

    Raises :class:`BuildError`.
    """
    name = re.split(r"[\s=@\[]", requirement, maxsplit=1)[0]
    box, settings = builder.box, builder.settings
    into.mkdir(parents=True, exist_ok=True)
    out = scratch()
    read = {builder.uv.resolve(): "/uv"} | {path: str(path) for path in _local_places(settings)}
    try:
        uv_inside, out_inside = box.place(builder.uv.resolve(), "/uv"), box.place(out, "/out")
        words = [uv_inside, "pip", "install", "--quiet", "--target", "target", "--python", str(builder.interpreter)]
        words += ["--no-deps", "--no-binary", name, "--cache-dir", "cache", requirement]
        words += _without_passwords(settings.uv_options())
        wheels = f"find cache -name '*.whl' -type f -exec cp {{}} {shlex.quote(out_inside)} ';'"
        variables = {"UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"}
        if settings.cert:
            variables["SSL_CERT_FILE"] = settings.cert
        job = Job(
            f'cd "$TMPDIR" && {shlex.join(words)} && {wheels}', out, builder.limits, read,
            prefix=builder.prefix, environment=variables, network=True,
        )  # fmt: skip
        outcome = box.run(job)
        if not outcome.ok:
            why = f"it met the limit of {outcome.limit}" if outcome.limit else "its build failed"
            raise BuildError(
                outcome.error or f"{requirement} cannot be built: {why}", outcome.log, ours=bool(outcome.error)
            )
        return _taken_over(out, name, into, outcome.log)
    finally:
        remove(out)


def _taken_over(out: Path, name: str, into: Path, log: str) -> Path:
    """The one wheel of the package asked for; what else a build leaves stays behind."""
    for wheel in sorted(out.glob("*.whl")):
        try:
            built, *_ = parse_wheel_filename(wheel.name)
        except InvalidWheelFilename:
            continue
        if built != canonicalize_name(name):
            continue
        try:
            copy(wheel, into / wheel.name, _LARGEST_WHEEL_BYTES)
        except RefusedError as error:
            raise BuildError(f"the wheel that the build of {name} left {error}", log) from None
        return into / wheel.name
    raise BuildError(f"the build of {name} left no wheel of it", log)


def _local_places(settings: IndexSettings) -> Iterator[Path]:
    """Folders and files of this machine that the index settings name."""
    for place in (settings.index_url, *settings.extra_index_urls, *settings.find_links, settings.cert):
        path = Path(urlsplit(place).path if place.startswith("file:") else place)
        if place and path.is_absolute() and path.exists():
            yield path


def _without_passwords(options: list[str]) -> list[str]:
    return [re.sub(r"(?<=//)[^/@\s]+@", "", option) for option in options]
