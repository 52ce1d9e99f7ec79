"""Which command line runs a student's inference, and who said so.

In this order: the TA (``submissions/rerun.yaml``), the student's own ``grader.toml``, a line of the README once the TA
has accepted it, the rubric's default. ``{mels}``, ``{out}`` and ``{code}`` stand for the folders.
"""

from __future__ import annotations

import difflib
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from grader.errors import CourseError

_MOST_PROPOSALS = 20
_RUN = re.compile(
    r"(?:^|[\s`$>(])((?:CUDA_VISIBLE_DEVICES=\S+\s+)?(?:python3?|python3\.\d+|bash|sh)\s+[^`|<\n]*[^`|<\n\s.,;)])"
)
_CD = re.compile(r"(?:^|[\s`$>])cd\s+([\w./-]+)")
_INFERENCE = re.compile(r"infer|generat|synth|predict|e2e|vocod|reconstruct|main|test", re.I)
_NOT_INFERENCE = re.compile(
    r"\btrain|preprocess|extract|evaluat|fine_?tune|\bpip\b|venv|setup\.py|download|score", re.I
)
_IN_OPTION = re.compile(r"^--?\w*(?:input|mel|test|in_dir|indir|source|data)\w*$|^-i$", re.I)
_OUT_OPTION = re.compile(r"^--?\w*(?:output|out|save|result|dest|gen)\w*$|^-o$", re.I)
_NO_FOLDER = re.compile(r"checkpoint|ckpt|model|config|weight|file|ext|num|size|type|format", re.I)


class Source(StrEnum):
    TA = "submissions/rerun.yaml"
    STUDENT = "grader.toml"
    README = "README, accepted"
    DEFAULT = "rubric.yaml"


class Override(BaseModel):
    """What the TA sets for one student in ``submissions/rerun.yaml``, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Annotated[str, Field(min_length=3)]
    command: str | None = None
    arguments: str = ""
    workdir: str = ""
    python: Annotated[str, Field(pattern=r"^3\.\d+$")] | None = None
    wall_s: Annotated[float, Field(gt=0)] | None = None
    cpu_s: Annotated[float, Field(gt=0)] | None = None
    files: Mapping[str, str] = {}


@dataclass(frozen=True)
class Command:
    """line: with placeholders; workdir: below the project's folder; source: who said so; proposals: of the README."""

    line: str
    workdir: str
    source: Source
    proposals: tuple[str, ...] = field(default=())

    def filled(self, mels: str, out: str, code: str) -> str:
        places = {"{mels}": mels, "{out}": out, "{code}": code}
        line = self.line
        for name, place in places.items():
            line = line.replace(name, shlex.quote(place))
        return line


def overrides(path: Path) -> dict[str, Override]:
    """The TA's settings by upper-case student ID; none where there is no such file. Raises :class:`CourseError`."""
    if not path.is_file():
        return {}
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8-sig")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CourseError(f"{path}: cannot be read: {error}", help="mend the line named; it must be YAML") from None
    if not isinstance(content, dict):
        raise CourseError(f"{path}: holds no student IDs", help="write:  r12345678: {command: …, reason: …}")
    found: dict[str, Override] = {}
    problems = []
    for student, settings in content.items():
        try:
            found[str(student).upper()] = Override.model_validate(settings)
        except ValidationError as error:
            problems += [f"{path}: {student}.{_told(problem)}" for problem in error.errors()]
    if problems:
        allowed = ", ".join(Override.model_fields)
        raise CourseError("\n".join(problems), help=f"allowed for a student: {allowed}; a reason is always needed")
    return found


def _told(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, list(Override.model_fields), n=1)
        return f"{key}: unknown key" + (f"; did you mean {near[0]}?" if near else "")
    return f"{key}: {problem['msg'].lower()}"


def choose(root: Path, readme: str, default: str, override: Override | None, *, accept_proposals: bool) -> Command:
    """The command for the project in ``root``. readme: its text, or nothing.

    Raises :class:`ValueError` for a grader.toml that gives no usable command.
    """
    proposed = tuple(_without_missing_folder(command, root) for command in proposals(readme))
    proposed = tuple(dict.fromkeys(command for command in proposed if command != default))
    extra = f" {override.arguments}" if override and override.arguments else ""
    workdir = override.workdir if override else ""
    if override and override.command:
        return Command(override.command + extra, workdir, Source.TA, proposed)
    if (own := _own(root)) is not None:
        line, folder = own
        return Command(line + extra, workdir or folder, Source.STUDENT, proposed)
    if proposed and accept_proposals:
        return Command(proposed[0] + extra, workdir, Source.README, proposed)
    return Command(default + extra, workdir, Source.DEFAULT, proposed)


def _without_missing_folder(command: str, root: Path) -> str:
    """The command without a ``cd`` into a folder that is not there: READMEs enter the project's own folder."""
    match = re.match(r"cd (\S+) && ", command)
    return command[match.end() :] if match and not (root / match[1]).is_dir() else command


def _own(root: Path) -> tuple[str, str] | None:
    """The command and folder in the student's ``grader.toml``."""
    path = root / "grader.toml"
    if not path.is_file():
        return None
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        settings = content.get("inference", content)
        line, folder = settings["command"], settings.get("workdir", "")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"grader.toml gives no command ({type(error).__name__}: {error})") from None
    if not isinstance(line, str) or not isinstance(folder, str) or "{mels}" not in line or "{out}" not in line:
        raise ValueError("grader.toml: command must be a text that holds {mels} and {out}")
    return line, folder


def proposals(readme: str) -> Iterator[str]:
    """Command lines in a README that look like inference, with the folders' places taken, the likeliest first."""
    found: list[tuple[int, str]] = []
    entered = ""
    lines = re.sub(r"\\\s*\n\s*", " ", readme[:200_000]).splitlines()
    for line in lines:
        if len(found) >= _MOST_PROPOSALS:
            break
        line = re.sub(r"<(\w[\w ./-]*)>", "PLACE", line[:2000])
        change, runs = _CD.search(line), list(_RUN.finditer(line))
        folder = change[1] if change else entered
        if not runs:
            entered = folder
        for match in runs:
            command = match[1].strip()
            if _NOT_INFERENCE.search(command.split("--")[0]) or not _INFERENCE.search(command):
                continue
            filled = _with_places(command)
            if filled and all(filled != known.removeprefix(f"cd {folder} && ") for _, known in found):
                whole = f"cd {folder} && {filled}" if folder not in ("", ".", "..") and ".." not in folder else filled
                found.append((0 if re.search(r"infer|e2e|generat", command, re.I) else 1, whole))
    yield from (command for _, command in sorted(found, key=lambda item: item[0]))


def _with_places(command: str) -> str | None:
    """The command with ``{mels}`` and ``{out}`` for the folders it names; None where it names no two."""
    if "{mels}" in command and "{out}" in command:
        return command
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    taken: set[str] = set()
    result: list[str] = []
    option = ""
    for word in words:
        name, equals, _ = word.partition("=")
        if word.startswith("-") and equals and (place := _place(name, taken)):
            result.append(f"{name}={place}")
        elif option and not word.startswith("-") and (place := _place(option, taken)):
            result.append(place)
        else:
            result.append(word)
        option = word if word.startswith("-") and not equals else ""
    if not taken and len(words) >= 4 and not any(word.startswith("-") for word in words[-2:]):
        result[-2:], taken = ["{mels}", "{out}"], {"{mels}", "{out}"}
    if taken != {"{mels}", "{out}"}:
        return None
    return " ".join(word if re.fullmatch(r"\S*\{(?:mels|out)\}", word) else shlex.quote(word) for word in result)


def _place(option: str, taken: set[str]) -> str | None:
    """Which folder an option is for, if it is for one of the two and that one was not named yet."""
    if _NO_FOLDER.search(option):
        return None
    for place, pattern in (("{out}", _OUT_OPTION), ("{mels}", _IN_OPTION)):
        if pattern.match(option) and place not in taken:
            taken.add(place)
            return place
    return None
