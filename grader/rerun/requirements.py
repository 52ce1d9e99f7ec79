"""What a student's requirements.txt means: read as leniently as possible, and every repair shown.

Pure functions of the file's bytes. A line comes out as pip would take it, repaired (:class:`Repair`: before, after and
why), or refused (:class:`Refusal`), and never silently changed. Packages that the course pins are held to its builds.
"""

from __future__ import annotations

import codecs
import difflib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from grader.rerun.packages import MISNAMED, NOT_PACKAGES, is_cuda_runtime, is_standard_library

_MOST_BYTES, _MOST_LINES, _LONGEST_LINE = 200_000, 2000, 2000
_OPTION = re.compile(r"--?[A-Za-z]")
_HASH = re.compile(r"\s+--hash[= ]\S+")
_INSTALL = re.compile(
    r"^[!%$>\s]*(?:sudo\s+)?(?:(?:python[\d.]*|py)\s+-m\s+)?(?:pip[\d.]*|conda|mamba|uv\s+pip)\s+install\s+", re.I
)
_TABLE_ROW = re.compile(r"^([A-Za-z0-9_][\w.-]*)\s+(v?\d[\w.+!-]*)(?:\s+\S+){0,2}$")
_CONDA_PIN = re.compile(r"^([A-Za-z0-9_][\w.-]*)=([\w.*+!]+)(?:=[\w.*]+)?$")
_URL = re.compile(r"(?:[a-z]+\+)?[a-z]+://|^(?:\.{0,2}[/\\]|[A-Za-z]:\\)", re.I)
_FILE_VERSION = re.compile(r"/[\w.]+-(\d[\w.!]*?)(?:\+[\w.]+)?-(?:cp|py)\d[^/]*\.whl(?:$|#)")
_QUOTES = "'\"“”‘’`"
_FOLLOW_TORCH = ("torchaudio", "torchvision", "torchtext")  # each version fits one version of torch


@dataclass(frozen=True)
class Rules:
    """What the course says: its pins (``torch==2.13.0``) and beginnings of addresses that may be installed from."""

    constraints: tuple[str, ...] = ()
    allowed_urls: tuple[str, ...] = ()

    def pins(self) -> dict[str, str]:
        return {canonicalize_name(Requirement(text).name): text for text in self.constraints}


@dataclass(frozen=True)
class Repair:
    """One change. line: in the file, from 1; 0 for the file as a whole. after: empty where the line was dropped."""

    kind: str
    line: int
    before: str
    after: str
    why: str


@dataclass(frozen=True)
class Refusal:
    """One line that is not used, why, and what to write instead."""

    line: int
    text: str
    why: str
    fix: str


@dataclass(frozen=True)
class Repaired:
    """lines: what is installed, in order; comments: those that give an address (an installation method), as written."""

    original: tuple[str, ...]
    lines: tuple[str, ...]
    repairs: tuple[Repair, ...] = ()
    refused: tuple[Refusal, ...] = ()
    comments: tuple[str, ...] = ()

    def diff(self) -> str:
        """A unified diff from what was handed in to what is installed; empty where nothing was changed."""
        if not self.repairs and not self.refused:
            return ""
        pair = difflib.unified_diff(
            self.original, self.lines, "requirements.txt", "requirements.txt (as installed)", lineterm=""
        )
        return "\n".join(pair)


@dataclass
class _Work:
    rules: Rules
    pins: dict[str, str]
    repairs: list[Repair] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)

    def repaired(self, kind: str, line: int, before: str, after: str, why: str) -> str:
        self.repairs.append(Repair(kind, line, before, after, why))
        return after


def repair(data: bytes, rules: Rules) -> Repaired:
    """Read the bytes of a requirements.txt. Never raises for what they hold."""
    work = _Work(rules, rules.pins())
    if len(data) > _MOST_BYTES:
        work.refused.append(
            Refusal(0, f"{len(data)} bytes", "is far too long for a list of packages", "list only what inference needs")
        )
        return Repaired((), (), (), tuple(work.refused))
    text, encoding = _decoded(data)
    if encoding:
        work.repaired("encoding", 0, encoding, "UTF-8", f"the file is {encoding}; pip needs UTF-8")
    original = tuple(line.rstrip() for line in text.splitlines())
    numbered = _conda_environment(text, work) or list(_logical_lines(original))
    if len(numbered) > _MOST_LINES:
        what = f"{len(numbered)} packages"
        work.refused.append(Refusal(0, what, "are far too many", "list only what inference needs"))
        numbered = []
    comments = tuple(line.strip() for line in original if line.lstrip().startswith("#") and "://" in line)
    wanted: list[tuple[int, Requirement]] = []
    for number, line in numbered:
        for requirement in _understood(number, line, work):
            wanted.append((number, requirement))
    lines = tuple(str(requirement) for requirement in _without_doubles(wanted, work))
    return Repaired(original, lines, tuple(work.repairs), tuple(work.refused), comments)


def _decoded(data: bytes) -> tuple[str, str]:
    """The text, and the name of its encoding where that is not plain UTF-8."""
    for mark, codec, name in (
        (codecs.BOM_UTF8, "utf-8", "UTF-8 with a byte order mark"),
        (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
        (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16 (big endian)"),
    ):
        if data.startswith(mark):
            return data[len(mark) :].decode(codec, errors="replace"), name
    for start, codec in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros = data[start::2].count(0)
        if len(data) >= 4 and zeros > 0.4 * (len(data) // 2):
            return data.decode(codec, errors="replace"), "UTF-16 without a byte order mark"
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp950"), "Big5 (CP950)"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "no encoding that is known"


def _logical_lines(original: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Lines with their numbers: backslashes joined, comments, rulers and headings of printed tables left out."""
    held, start = "", 0
    for number, line in enumerate(original, 1):
        start = start if held else number
        whole = held + line
        if whole.endswith("\\") and len(whole) < _LONGEST_LINE:
            held = whole[:-1] + " "
            continue
        held = ""
        bare = re.sub(r"(^|\s)#.*$", "", whole).strip()
        if bare and not re.fullmatch(r"[-=\s]+", bare) and not re.fullmatch(r"Package\s+Version(\s.*)?", bare):
            yield start, bare
    if held.strip():
        yield start, held.strip()


def _conda_environment(text: str, work: _Work) -> list[tuple[int, str]]:
    """The packages of an environment.yml that was handed in as requirements.txt; none where it is none."""
    if not re.search(r"^dependencies:\s*$", text, re.M):
        return []
    try:
        content: Any = yaml.safe_load(text)
        listed = content["dependencies"]
        names = [item for item in listed if isinstance(item, str)]
        nested = (item.get("pip", []) for item in listed if isinstance(item, dict))
        names += [line for lines in nested for line in lines if isinstance(line, str)]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, RecursionError):
        return []
    work.repaired(
        "conda-environment",
        0,
        "environment.yml",
        "requirements.txt",
        "a conda environment file; converted line by line",
    )
    rows = {row.strip().removeprefix("-").strip(" '\""): number for number, row in enumerate(text.splitlines(), 1)}
    return [(rows.get(name, 0), name) for name in names]


def _understood(number: int, line: str, work: _Work) -> Iterator[Requirement]:
    """The requirements that one line means; what is done to it goes to ``work``."""
    before = line
    if len(line) > _LONGEST_LINE:
        work.refused.append(Refusal(number, line[:200], "is far too long", "write one package on each line"))
        return
    if (command := _INSTALL.match(line)) is not None:
        words = [word for word in line[command.end() :].split() if not word.startswith("-")]
        work.repaired("install-command", number, before, " ".join(words), "a command, not a list of packages")
        for word in words:
            yield from _understood(number, word, work)
        return
    if _OPTION.match(line):
        work.refused.append(_refused_option(number, line))
        return
    if _HASH.search(line):
        line = work.repaired("hash", number, before, _HASH.sub("", line), "hashes belong to the student's own builds")
    tidy = _tidied(line)
    if tidy != line:
        line = work.repaired("typing", number, before, tidy, "punctuation that pip does not read")
    if (address := _URL.search(line)) is not None:
        yield from _from_address(number, line, line[address.start() :], work)
        return
    line = _as_pip_writes_it(number, line, work)
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        work.refused.append(
            Refusal(number, before[:200], "is not a requirement that pip understands", "write it as name==version")
        )
        return
    kept = _held(number, requirement, line, work)
    if kept is not None:
        yield kept


def _tidied(line: str) -> str:
    """Full-width signs, quotes, list commas and ``=>`` as pip reads them."""
    line = unicodedata.normalize("NFKC", line).strip()
    line = re.sub(r"^[-*•]\s+", "", line)
    line = line.rstrip(",; ")
    if line[:1] in _QUOTES:
        line = line.strip(_QUOTES + ", ")
    return line.replace("=>", ">=").replace("=<", "<=")


def _as_pip_writes_it(number: int, line: str, work: _Work) -> str:
    """``six 1.16`` and ``numpy=1.23=py310_0`` as pip writes them."""
    if (row := _TABLE_ROW.match(line)) is not None:
        after = f"{row[1].strip('_')}=={row[2].removeprefix('v')}"
        return work.repaired("table", number, line, after, "a line of a printed list, as `pip list` shows it")
    if (pin := _CONDA_PIN.match(line)) is not None:
        after = f"{pin[1].strip('_')}=={pin[2]}" if pin[2] != "*" else pin[1]
        return work.repaired("conda-pin", number, line, after, "conda's way to write a version")
    return line


def _from_address(number: int, line: str, address: str, work: _Work) -> Iterator[Requirement]:
    """A line with an address: a local file's name is kept, an allowed address stays, everything else is refused."""
    name = line.split("@")[0].strip() if re.match(r"^[\w.\[\],-]+\s*@\s", line) else ""
    local = address.lower().startswith("file:") or "://" not in address
    if local and name:
        version = _FILE_VERSION.search(address)
        after = f"{name}=={version[1]}" if version else name
        work.repaired("local-file", number, line, after, "the file is on the student's own machine only")
        yield from _understood(number, after, work)
        return
    bare = address.split("#")[0]
    allowed = any(bare.startswith(start) and _ends_a_name(start, bare) for start in work.rules.allowed_urls)
    if allowed and ".." not in bare:
        try:
            guessed = re.split(r"[@?]|\.git", bare.rstrip("/").split("/")[-1])[0]
            yield Requirement(line if name else f"{guessed} @ {address}")
            return
        except InvalidRequirement:
            pass
    why = "points to a file of one machine" if local else "installs from an address that the course does not list"
    fix = "name a package of the index, or put the code into your own folder"
    work.refused.append(Refusal(number, line[:200], why, fix))


def _ends_a_name(start: str, address: str) -> bool:
    return start.endswith(("/", "@")) or address[len(start) :][:1] in ("", "/", "@", ".", "?")


def _refused_option(number: int, line: str) -> Refusal:
    option = line.split()[0].split("=")[0]
    if option in ("-r", "--requirement", "-c", "--constraint") or re.match(r"-[rc]\S", line):
        return Refusal(number, line[:200], "reads another file", "put all packages into this one file")
    if option in ("-e", "--editable"):
        return Refusal(
            number, line[:200], "installs a folder", "put the code beside inference.py, where it can be imported"
        )
    return Refusal(number, line[:200], "is an option of pip that the course does not take", "leave the line out")


def _held(number: int, requirement: Requirement, line: str, work: _Work) -> Requirement | None:
    """The requirement as the course takes it; None where it is dropped."""
    name = canonicalize_name(requirement.name)
    reason = NOT_PACKAGES.get(name) or ("is part of Python itself" if is_standard_library(name) else "")
    if not reason and "torch" in work.pins and is_cuda_runtime(name):
        work.repaired("cuda-runtime", number, line, "", "part of a CUDA build; the course's torch brings what it needs")
        return None
    if reason:
        work.repaired("not-a-package", number, line, "", reason)
        return None
    if name in MISNAMED:
        after = str(requirement).replace(requirement.name, MISNAMED[name], 1)
        work.repaired("misnamed", number, line, after, f"the package is called {MISNAMED[name]}")
        requirement, line = Requirement(after), after
        name = canonicalize_name(requirement.name)
    if name in work.pins:
        pinned = Requirement(work.pins[name])
        if requirement.specifier == pinned.specifier:
            return requirement
        held = Requirement(str(requirement))
        held.specifier = pinned.specifier
        work.repaired("held-to-course", number, line, str(held), f"the course's build is {work.pins[name]}")
        return held
    if name in _FOLLOW_TORCH and "torch" in work.pins and str(requirement.specifier):
        after = str(requirement).replace(str(requirement.specifier), "")
        work.repaired("held-to-course", number, line, after, "its version has to follow the course's torch")
        return Requirement(after)
    if "+" in str(requirement.specifier):
        after = re.sub(r"\+[\w.]+", "", line)
        work.repaired("local-version", number, line, after, "a build that the index does not have")
        return Requirement(after)
    return requirement


def _without_doubles(wanted: list[tuple[int, Requirement]], work: _Work) -> Iterator[Requirement]:
    """Each package once: bounds are joined, and of two different pins the later one counts."""
    seen: dict[tuple[str, str], tuple[int, Requirement]] = {}
    for number, requirement in wanted:
        key = (canonicalize_name(requirement.name), str(requirement.marker or ""))
        if key not in seen:
            seen[key] = (number, requirement)
            continue
        first_number, first = seen[key]
        before = f"{first} (line {first_number}), {requirement} (line {number})"
        pins = [any(s.operator == "==" for s in r.specifier) for r in (first, requirement)]
        joined = Requirement(str(requirement))
        joined.extras |= first.extras
        if not (all(pins) and first.specifier != requirement.specifier):
            joined.specifier = SpecifierSet(str(first.specifier)) & requirement.specifier
        work.repaired("twice", number, before, str(joined), f"lines {first_number} and {number} name the same package")
        seen[key] = (first_number, joined)
    yield from (requirement for _, requirement in seen.values())
