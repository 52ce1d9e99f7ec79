"""Students' environments: one for each distinct set of repaired requirements, made by uv from wheels.

Installing a wheel runs none of its code, so uv works outside the sandbox; nothing of an environment is ever run there.
Where the rubric allows source packages, they are built to wheels inside the sandbox first.
What is installed is frozen with hashes first, and an environment that is whole is never changed again.
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from packaging.utils import parse_wheel_filename

from grader.errors import EnvironmentProblem
from grader.findings import Whose
from grader.rerun import index
from grader.rerun.building import Builder, BuildError, build
from grader.rerun.requirements import Repair
from grader.rerun.sandbox import Sandbox
from grader.rubric import Rerun
from grader.store import content_key

_TIMEOUT_S = 1800
_PASSED_ON = ("PATH", "HOME", "http_proxy", "https_proxy", "no_proxy", "all_proxy", "TMPDIR", "XDG_CACHE_HOME")
_NO_WHEEL = re.compile(r"Because (?:only )?([\w.-]+)==(\S+) has no (?:usable wheels|wheels with a matching)")
_NO_WHEELS = re.compile(r"Because (?:all versions of|only .*? of) ([\w.-]+) (?:has|have) no (?:usable )?wheels")
_MOST_BUILDS = 10
_NOT_FOUND = re.compile(r"Because ([\w.-]+) was not found in the package registry")
_NO_VERSION = re.compile(r"Because there is no version of ([\w.-]+)==(\S+)")
_NETWORK = re.compile(r"error sending request|failed to fetch|dns error|timed out|connection|certificate|offline", re.I)
_DISK = re.compile(r"no space left|quota exceeded|read-only file system|permission denied", re.I)


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    hashes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Environment:
    """path: the virtual environment, to be bound read-only; python: the prefix of the interpreter it stands on.

    repairs: versions that were moved to the nearest with a wheel. made_s: seconds this call took.
    """

    key: str
    path: Path
    python: Path
    packages: tuple[Package, ...]
    repairs: tuple[Repair, ...] = ()
    made_s: float = 0.0
    reused: bool = False

    def as_json(self) -> dict[str, Any]:
        packages = [{**asdict(package), "hashes": list(package.hashes)} for package in self.packages]
        repairs = [asdict(entry) for entry in self.repairs]
        paths = {"path": str(self.path), "python": str(self.python)}
        return {**asdict(self), **paths, "packages": packages, "repairs": repairs}


class InstallError(Exception):
    """The requirements cannot be installed. whose: the student's, or the environment's (retry, no deduction)."""

    def __init__(self, what: str, fix: str, whose: Whose, log: str = "") -> None:
        super().__init__(what)
        self.what, self.fix, self.whose, self.log = what, fix, whose, log


def prepare(
    lines: Sequence[str], state: Path, rules: Rerun, python: str | None = None, box: Sandbox | None = None
) -> Environment:
    """The environment for these requirement lines, made now or found whole.

    state: the course's folder for what the grader keeps. python: such as ``3.10``, in place of the rubric's.
    box: where source packages are built (without one they are refused), and whether what runs is kept from writing.
    Raises :class:`InstallError`, and :class:`EnvironmentProblem` where uv or that Python is not to be had.
    """
    started = time.monotonic()
    uv, interpreter = find_uv(), find_python(python or rules.python)
    settings = index.read()
    key = content_key(
        lines=sorted(lines),
        constraints=rules.constraints,
        python=[str(interpreter), platform.machine()],
        exclude_newer=rules.exclude_newer,
        nearest=rules.nearest_version,
        index=asdict(settings),
        wheels_only=rules.wheels_only,
        link=_link(box),
    )[:20]
    folder = state / "environments" / key
    with alone(folder):
        if (known := _read_record(folder)) is not None:
            return replace(known, made_s=time.monotonic() - started, reused=True)
        maker = _Maker(uv, interpreter, settings, rules, box)
        made = maker.make(list(lines), folder, key)
    return replace(made, made_s=time.monotonic() - started)


def find_uv() -> Path:
    """The uv program: of its package beside this Python, else on the PATH."""
    beside = Path(sysconfig.get_path("scripts")) / "uv"
    found = str(beside) if beside.is_file() and importlib.util.find_spec("uv") else shutil.which("uv")
    if not found:
        raise EnvironmentProblem("uv is not installed", help="install it with: pip install 'grader[rerun]'")
    return Path(found)


def find_python(version: str) -> Path:
    """An interpreter of that version which is no virtual environment's."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    command = [str(find_uv()), "python", "find", "--no-project", "--system", version]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise EnvironmentProblem(
            f"Python {version}, which the rubric asks for, is not on this machine",
            help=f"install it with: uv python install {version}   (or change rerun.python)",
        )
    return Path(done.stdout.strip()).resolve()


def installed(environment: Path) -> dict[str, str]:
    """What lies in an environment, by its dist-info folders (its own code is not run to find out)."""
    found = {}
    for folder in sorted(environment.glob("lib/python*/site-packages/*.dist-info")):
        name, _, version = folder.name.removesuffix(".dist-info").partition("-")
        found[name.replace("_", "-").lower()] = version
    return found


@dataclass(frozen=True)
class _Maker:
    uv: Path
    interpreter: Path
    settings: index.IndexSettings
    rules: Rerun
    box: Sandbox | None

    def make(self, lines: list[str], folder: Path, key: str) -> Environment:
        for stale in folder.parent.glob(f"{folder.name}.partial-*"):
            shutil.rmtree(stale, ignore_errors=True)
        # A name of its own: the uv of a grader that was killed may still be writing to the last one.
        partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.partial-", dir=folder.parent))
        partial.chmod(0o755)
        try:
            (partial / "constraints.txt").write_text("\n".join(self.rules.constraints) + "\n")
            repairs: list[Repair] = []
            frozen = self._frozen(lines, partial, repairs)
            (partial / "frozen.txt").write_text(frozen)
            self._checked(
                "venv", "--relocatable", "--no-project", "--python", str(self.interpreter), str(partial / "env")
            )
            packages = _packages(frozen)
            if packages:
                self._checked(
                    *("pip", "install", "--python", str(partial / "env" / "bin" / "python"), "--no-deps"),
                    *("--require-hashes", "--only-binary", ":all:", "--link-mode", _link(self.box)),
                    *("-r", str(partial / "frozen.txt"), *self._index_options(partial)),
                )
            made = Environment(key, folder / "env", self._prefix(), packages, tuple(repairs))
            (partial / "record.json").write_text(json.dumps(made.as_json(), indent=1))
            partial.rename(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        return made

    def _frozen(self, lines: list[str], folder: Path, repairs: list[Repair]) -> str:
        """All packages with versions and hashes.

        What has no wheel is built where the rubric allows that, else its pin moves where the rubric allows that.
        """
        for line in [line for line in lines if _is_source(line)]:
            self._build(line, lines, folder, repairs)
        for _ in range(len(lines) + _MOST_BUILDS):
            done = self._compile(lines, folder, "--generate-hashes")
            if done.returncode == 0:
                return done.stdout
            log = _one_line(done.stderr)
            if not self.rules.wheels_only and self.box and (match := _NO_WHEEL.search(log) or _NO_WHEELS.search(log)):
                self._build("==".join(match.groups()), lines, folder, repairs)
                continue
            match = _NO_WHEEL.search(log)
            moved = self._nearest(match[1], match[2], folder) if match else None
            position = next((n for n, line in enumerate(lines) if match and _pins(line, match[1])), None)
            if not (self.rules.nearest_version and moved and position is not None):
                raise _explained(done.stderr, moved)
            why = f"has no wheel for Python {self._version()}; the nearest version that has one"
            repairs.append(Repair("nearest-version", 0, lines[position], moved, why))
            lines[position] = moved
        raise _explained(done.stderr, None)

    def _build(self, requirement: str, lines: list[str], folder: Path, repairs: list[Repair]) -> None:
        """Build a wheel that the next resolution finds; a line with an address gives way to its name and version."""
        if self.box is None or self.box.level == "none":
            what = f"{requirement} must be built, which is done inside a sandbox only"
            raise InstallError(what, "make a sandbox work on this machine (grader doctor)", Whose.ENVIRONMENT)
        builder = Builder(self.uv, self.interpreter, self._prefix(), self.settings, self.box, self.rules.limits)
        try:
            wheel = build(requirement, builder, folder / "wheels")
        except BuildError as error:
            whose = Whose.ENVIRONMENT if error.ours or _NETWORK.search(error.log) else Whose.STUDENT
            tail = "\n".join(error.log.strip().splitlines()[-15:])
            raise InstallError(error.what, "the log says why; a version with a wheel may do", whose, tail) from None
        name, version, *_ = parse_wheel_filename(wheel.name)
        if requirement in lines:
            lines[lines.index(requirement)] = f"{name}=={version}"
        repairs.append(Repair("built", 0, requirement, f"{name}=={version}", "built from source inside the sandbox"))

    def _index_options(self, folder: Path) -> list[str]:
        """Where packages come from: the user's index, and the wheels that were built for this environment."""
        built = folder / "wheels"
        return [*self.settings.uv_options(), *(["--find-links", str(built)] if built.is_dir() else [])]

    def _nearest(self, name: str, version: str, folder: Path) -> str | None:
        """``name==version`` of the nearest later version with a wheel, else the newest earlier one."""
        for bound, resolution in ((f"{name}>={version}", "lowest-direct"), (f"{name}<{version}", "highest")):
            done = self._compile([bound], folder, "--no-deps", "--resolution", resolution)
            if done.returncode == 0 and "==" in done.stdout:
                return done.stdout.strip().splitlines()[-1]
        return None

    def _compile(self, lines: Sequence[str], folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
        (folder / "wanted.txt").write_text("\n".join(lines) + "\n")
        dated = ["--exclude-newer", self.rules.exclude_newer] if self.rules.exclude_newer else []
        return self._run(
            *("pip", "compile", "wanted.txt", "--constraints", "constraints.txt", "--only-binary", ":all:"),
            *("--no-header", "--no-annotate", "--quiet", "--python", str(self.interpreter), *dated, *options),
            *self._index_options(folder),
            folder=folder,
        )

    def _checked(self, *arguments: str) -> None:
        done = self._run(*arguments)
        if done.returncode:
            raise _explained(done.stderr, None)

    def _run(self, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = {
            name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith("UV_")
        }
        environment |= {"UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"}
        if self.settings.cert:
            environment["SSL_CERT_FILE"] = self.settings.cert
        command = [str(self.uv), *arguments]
        try:
            return subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise InstallError(
                f"installing took longer than {_TIMEOUT_S // 60} minutes",
                "look at the connection to the package index and run the command again",
                Whose.ENVIRONMENT,
            ) from None

    def _version(self) -> str:
        return self.interpreter.name.removeprefix("python") or self.rules.python

    def _prefix(self) -> Path:
        command = [str(self.interpreter), "-I", "-S", "-c", "import sys; print(sys.base_prefix)"]
        return Path(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip())


def _explained(log: str, nearest: str | None) -> InstallError:
    """uv's message as whose fault it is and what to do."""
    text, tail = _one_line(log), "\n".join(log.strip().splitlines()[-15:])
    if match := _NOT_FOUND.search(text):
        fix = "look for a typing error; a module of your own is not listed in requirements.txt"
        return InstallError(f"no package is called {match[1]}", fix, Whose.STUDENT, tail)
    if match := _NO_WHEEL.search(text):
        hint = (
            f"the nearest version that can be installed is {nearest}" if nearest else "no other version has one either"
        )
        what = f"{match[1]}=={match[2]} cannot be installed on this Python: it has no wheel for it"
        return InstallError(what, hint, Whose.STUDENT, tail)
    if match := _NO_VERSION.search(text):
        return InstallError(f"{match[1]} has no version {match[2]}", "name a version that exists", Whose.STUDENT, tail)
    if "No solution found" in text:
        fix = "loosen the versions that exclude each other; the log says which"
        return InstallError("these requirements cannot be installed together", fix, Whose.STUDENT, tail)
    if _DISK.search(text):
        return InstallError("the environment cannot be written", "free some disk space", Whose.ENVIRONMENT, tail)
    if _NETWORK.search(text):
        fix = "look at the connection to the package index and run the command again"
        return InstallError("the package index cannot be reached", fix, Whose.ENVIRONMENT, tail)
    return InstallError("uv failed in a way the grader does not know", "read the log", Whose.GRADER, tail)


def _packages(frozen: str) -> tuple[Package, ...]:
    """The packages of a frozen list with their hashes."""
    found = []
    for entry in frozen.replace("\\\n", " ").splitlines():
        words = entry.split()
        if words and "==" in words[0]:
            name, _, version = words[0].partition("==")
            hashes = tuple(word.removeprefix("--hash=") for word in words if word.startswith("--hash="))
            found.append(Package(name, version, hashes))
        elif len(words) > 2 and words[1] == "@":
            found.append(Package(words[0], words[2], tuple(w.removeprefix("--hash=") for w in words if "--hash=" in w)))
    return tuple(found)


def _link(box: Sandbox | None) -> str:
    """Files are shared with uv's cache only where what runs is kept from writing to them."""
    return "copy" if box is not None and box.level == "none" else "hardlink"


def _is_source(line: str) -> bool:
    """Whether a line names an address of something else than a wheel."""
    return " @ " in line and not line.partition("#")[0].split(";")[0].rstrip().endswith(".whl")


def _pins(line: str, name: str) -> bool:
    return re.match(rf"{re.escape(name)}(\[.*\])?\s*==", line.replace("_", "-"), re.I) is not None


def _one_line(log: str) -> str:
    return re.sub(r"\s+", " ", log)


def _read_record(folder: Path) -> Environment | None:
    try:
        record = json.loads((folder / "record.json").read_text())
    except (OSError, json.JSONDecodeError):
        return None
    packages = tuple(Package(p["name"], p["version"], tuple(p["hashes"])) for p in record.pop("packages"))
    repairs = tuple(Repair(**repair) for repair in record.pop("repairs"))
    paths = {"path": folder / "env", "python": Path(record["python"])}
    return Environment(**{**record, **paths, "packages": packages, "repairs": repairs})


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Only one process at a time works in a folder, waiting for its turn; the lock ends with its process."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(folder.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
