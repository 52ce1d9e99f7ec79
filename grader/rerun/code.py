"""A student's code as files on disk: taken out of its zip or copied from its folder, names kept, links left out.

Everything here is copied; what the student handed in is never changed and never seen by the student's own code.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.errors import CourseError, EnvironmentProblem
from grader.findings import Finding, Severity
from grader.intake import archive, names, sniff
from grader.intake.archive import ArchiveProblem, Kind, Listing, StoredFile
from grader.rubric import Archive

_ENTRY_POINTS = ("inference.py", "grader.toml", "requirements.txt", "README.md", "README.txt", "README.pdf")


class CodeError(Exception):
    """The code cannot be laid out; ``finding`` says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what_text())
        self.finding = finding


@dataclass(frozen=True)
class Code:
    """folder: what the sandbox shows as the code; root: the folder of it that holds the project; sizes in bytes by
    place under ``root``."""

    folder: Path
    root: Path
    sizes: Mapping[str, int]

    def find(self, *wanted: str) -> Path | None:
        """The first of these file names that lies in the project's own folder, without regard to case."""
        for name in wanted:
            for path in sorted(self.root.iterdir()):
                if path.is_file() and path.name.lower() == name.lower():
                    return path
        return None


def lay_out(source: Path, target: Path, limits: Archive, extra: Mapping[str, Path] | None = None) -> Code:
    """Put the code in ``source`` (a zip or a folder) into the new folder ``target``.

    extra: files and folders of the TA's that belong to it, by their place in the project (weights from elsewhere).
    Raises :class:`CodeError` for what the student did, :class:`CourseError` where ``extra`` names what is not there.
    """
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    try:
        if source.is_dir():
            _place(archive.in_place(archive.list_folder(source, limits)), target, source, move=False)
        else:
            listing = _listing(source, limits)
            unpacked = target.with_name(target.name + ".unpacking")
            try:
                files = archive.unpack(listing, unpacked, limits, free_ratio_bytes=int(limits.max_unpacked_mb * 1e6))
                _place(files, target, source, move=True)
            finally:
                shutil.rmtree(unpacked, ignore_errors=True)
    except ArchiveProblem as problem:
        facts = " ".join(str(fact) for fact in problem.facts.values())
        why = f"{problem.code.replace('-', ' ')} {names.printable(problem.entry)} {facts}"
        raise _refused(source, "{why}", why=why) from None
    root = _project_root(target)
    for place, path in (extra or {}).items():
        _add(root, place, path)
    sizes = {
        path.relative_to(root).as_posix(): path.stat().st_size for path in sorted(root.rglob("*")) if path.is_file()
    }
    if not sizes:
        raise _refused(source, "it holds no file")
    return Code(target, root, sizes)


def _listing(source: Path, limits: Archive) -> Listing:
    """The entries of a zip, all of them safe to unpack."""
    kind = sniff.kind(sniff.head(source))
    if kind != "zip":
        raise _refused(source, "it is {kind}, not a zip", kind=kind or "no archive")
    listing = archive.list_zip(source, limits)
    for entry in listing.entries:
        shown = names.printable(entry.name)
        try:
            names.parts_of(entry.name)
        except names.UnsafeName as error:
            raise _refused(source, "{entry}: {reason}", entry=shown, reason=str(error)) from None
        if entry.kind in (Kind.SYMLINK, Kind.SPECIAL):
            raise _refused(source, "{entry} is a {kind}", entry=shown, kind=str(entry.kind))
        if entry.encrypted:
            raise _refused(source, "{entry} needs a password", entry=shown)
    if listing.entries and (clash := archive.overlapping(listing)):
        raise _refused(source, "{entry} overlaps another entry", entry=names.printable(clash[0].name))
    return listing


def _place(files: tuple[StoredFile, ...], target: Path, source: Path, *, move: bool) -> None:
    for file in files:
        path, shown = target.joinpath(*file.parts), names.printable(file.name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                raise _refused(source, "{entry} stands in it twice", entry=shown)
            (shutil.move if move else shutil.copyfile)(str(file.path), str(path))
            path.chmod(0o644)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise _refused(source, "{entry} is a file and a folder at once", entry=shown) from None
        except OSError as error:
            if error.errno == 36:  # ENAMETOOLONG
                raise _refused(source, "{entry}: the name is too long", entry=shown) from None
            raise EnvironmentProblem(
                f"{target}: the code cannot be put there: {error}", help="free some disk space"
            ) from None


def _project_root(folder: Path) -> Path:
    """The folder that holds the project: wrapper folders without anything beside them are entered."""
    for _ in range(4):
        inner = [path for path in folder.iterdir() if path.name not in ("__MACOSX", ".git")]
        if len(inner) != 1 or not inner[0].is_dir() or any((folder / name).exists() for name in _ENTRY_POINTS):
            break
        folder = inner[0]
    return folder


def _add(root: Path, place: str, path: Path) -> None:
    target = root / place
    if not target.resolve().is_relative_to(root.resolve()):
        raise CourseError(f"rerun.yaml: files: {place!r} lies outside the code", help="name a place inside the project")
    if not path.exists():
        raise CourseError(f"rerun.yaml: files: {path} does not exist", help="put it there, or mend the path")
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(path, target)


def _refused(source: Path, why: str, /, **facts: str) -> CodeError:
    what = f"the code cannot be taken apart: {why}"
    fix = "hand in the code as a plain .zip of the project's folder"
    return CodeError(Finding("code-unreadable", Severity.ERROR, source.name, what, fix, facts=facts))
