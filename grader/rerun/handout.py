"""What the handout asks of the code: complete, nothing in it that was not to be uploaded, no package without need.

Everything here is told to the TA; none of it keeps the code from being run.
"""

from __future__ import annotations

import ast
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from grader.findings import Finding, Severity
from grader.intake.names import printable
from grader.rerun.code import Code
from grader.rerun.outputs import RefusedError, copy
from grader.rerun.packages import package_of

_READ_IN_PYTHON = {".pt", ".pth", ".ckpt", ".pkl", ".bin", ".tar", ".npz", ""}
_WEIGHTS = _READ_IN_PYTHON - {""} | {".safetensors", ".h5", ".hdf5", ".onnx", ".pdparams", ".msgpack"}
_AUDIO = {".wav", ".flac", ".mp3", ".ogg", ".aiff", ".m4a"}
_CACHES = {
    "__pycache__",
    ".cache",
    ".ipynb_checkpoints",
    ".git",
    ".mypy_cache",
    ".pytest_cache",
    "wandb",
    "node_modules",
}
_LEAST_MODEL_BYTES = 10_000
_MOST_NOTE_BYTES = 10**6
_MISSING_MODULE = re.compile(r"(?:ModuleNotFoundError|ImportError): No module named '([\w.]+)'")


@dataclass(frozen=True)
class Witnessed:
    """What the run said of itself: top-level modules imported, files opened (as the sandbox names them)."""

    modules: frozenset[str] = frozenset()
    opened: frozenset[str] = frozenset()


def complete(code: Code, *, readme: bool, requirements: bool) -> Iterator[Finding]:
    """Inference code, a trained model, requirements.txt and a README are there."""
    if not any(name.endswith((".py", ".sh", ".ipynb")) for name in code.sizes):
        yield _warning(
            "code-no-inference", "no Python file is in it", "put inference.py and what it imports into the zip"
        )
    if not any(is_model(name, size) for name, size in code.sizes.items()):
        yield _warning(
            "code-no-model",
            "no trained model is in it",
            "put the checkpoint that inference loads into it, or tell the TA where it lies",
        )
    if not requirements:
        yield _warning(
            "code-no-requirements", "no requirements.txt is in it or beside it", "list what inference imports"
        )
    if not readme:
        yield _warning(
            "code-no-readme", "no README.txt or README.pdf is in it or beside it", "say how to run inference"
        )


def not_to_be_uploaded(code: Code) -> Iterator[Finding]:
    """Data, caches and environments, with their sizes."""
    groups: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for name, size in code.sizes.items():
        parts = PurePosixPath(name).parts
        if "site-packages" in parts or parts[-1] == "pyvenv.cfg":
            groups["a Python environment"].append((name, size))
        elif any(part in _CACHES or part.endswith(".egg-info") for part in parts[:-1]):
            groups["cache files"].append((name, size))
        elif PurePosixPath(name).suffix.lower() in _AUDIO:
            groups["audio"].append((name, size))
        elif name.endswith(".npy") and len(parts) > 1:
            groups["preprocessed data"].append((name, size))
    for kind, files in groups.items():
        megabytes = sum(size for _, size in files) / 1e6
        yield _warning(
            "code-not-to-be-uploaded",
            "it holds {kind} ({count} files, {megabytes} MB), such as {example}",
            "leave it out: only what inference needs belongs into it",
            kind=kind, count=len(files), megabytes=f"{megabytes:.1f}", example=printable(files[0][0]),
        )  # fmt: skip


def witnessed(out: Path) -> Witnessed:
    """What the run's Python processes noted; a student can write anything there, so it is only ever a hint."""
    modules: set[str] = set()
    opened: set[str] = set()
    target = out.parent / "witness.json"
    for path in sorted(out.glob(".witness-*.json"))[:64]:
        try:
            copy(path, target, _MOST_NOTE_BYTES)
            said = json.loads(target.read_text(encoding="utf-8"))
            modules |= {str(name) for name in said["modules"]}
            opened |= {str(name) for name in said["opened"]}
        except (RefusedError, OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
    return Witnessed(frozenset(modules), frozenset(opened))


def unused_checkpoints(code: Code, witnessed: Witnessed) -> Iterator[Finding]:
    """Models that the run never opened, of the kinds that are opened from Python (others cannot be seen)."""
    if not witnessed.opened:
        return
    touched = {PurePosixPath(path).name for path in witnessed.opened}
    for name, size in code.sizes.items():
        path = PurePosixPath(name)
        if is_model(name, size) and path.suffix.lower() in _READ_IN_PYTHON and path.name not in touched:
            yield _note(
                "code-unused-checkpoint", "{name} ({megabytes} MB) was never opened by inference",
                "leave out checkpoints that inference does not load",
                name=printable(name), megabytes=f"{size / 1e6:.1f}",
            )  # fmt: skip


def is_model(name: str, size: int) -> bool:
    """Whether a file looks like trained weights: by its ending, or large and without one, as ``g_02500000`` is."""
    path = PurePosixPath(name)
    return size >= _LEAST_MODEL_BYTES and (path.suffix.lower() in _WEIGHTS or (path.suffix == "" and size > 500_000))


def unneeded(lines: Iterable[str], environment: Path, code: Code, witnessed: Witnessed) -> Iterator[Finding]:
    """Packages asked for that neither the code's imports nor the run's touch."""
    modules = modules_of(environment)
    used = witnessed.modules | imports(code.root)
    for line in lines:
        name = canonicalize_name(Requirement(line).name)
        if name in modules and modules[name] and not modules[name] & used:
            yield _note(
                "requirements-unneeded", "{package} is installed but never imported",
                "the handout asks not to list packages that inference does not need", package=name,
            )  # fmt: skip


def modules_of(environment: Path) -> dict[str, frozenset[str]]:
    """Top-level import names by package, from the lists of files that wheels leave; nothing is run to find out."""
    found: dict[str, frozenset[str]] = {}
    for record in environment.glob("lib/python*/site-packages/*.dist-info/RECORD"):
        name = canonicalize_name(record.parent.name.partition("-")[0])
        tops = set()
        for row in record.read_text(encoding="utf-8", errors="replace").splitlines():
            parts = PurePosixPath(row.split(",")[0].strip('"')).parts
            if len(parts) == 1 and parts[0].endswith((".py", ".so")):
                tops.add(parts[0].split(".")[0])
            elif len(parts) > 1 and parts[0] != ".." and not parts[0].endswith((".dist-info", ".libs", ".data")):
                tops.add(parts[0])
        found[name] = frozenset(tops)
    return found


def imports(root: Path) -> frozenset[str]:
    """Top-level modules that the project's Python files import anywhere."""
    found: set[str] = set()
    for path in list(root.rglob("*.py"))[:2000]:
        try:
            tree = ast.parse(path.read_bytes()[:2_000_000])
        except (SyntaxError, ValueError, RecursionError, MemoryError, OSError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return frozenset(found)


def missing_import(log: str, modules: Mapping[str, frozenset[str]]) -> Finding | None:
    """The import that ended the run, with the package that gives it."""
    matches = _MISSING_MODULE.findall(log)
    if not matches:
        return None
    module = matches[-1].partition(".")[0]
    package = package_of(module)
    installed = canonicalize_name(package) in modules
    fix = "{package} is installed, but has no such module" if installed else "add {package} to requirements.txt"
    return Finding(
        "rerun-missing-import", Severity.ERROR, "requirements.txt",
        "inference imports {module}, which no package in requirements.txt gives", fix,
        facts={"module": matches[-1], "package": package},
    )  # fmt: skip


def _warning(code: str, what: str, fix: str, **facts: object) -> Finding:
    return Finding(code, Severity.WARNING, "code", what, fix, facts=facts)


def _note(code: str, what: str, fix: str, **facts: object) -> Finding:
    return Finding(code, Severity.NOTE, "code", what, fix, facts=facts)
