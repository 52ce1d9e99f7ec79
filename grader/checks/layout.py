"""Which file is which clip: found wherever they lie, and named for what they should be.

:func:`arrange` decides; the checks below only say what it decided.
"""

from __future__ import annotations

import filecmp
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from grader.checks.graph import Checked, Rules
from grader.checks.say import REZIP, counted, error, first, listed, note, place, warning
from grader.findings import Finding, Severity
from grader.intake.archive import StoredFile
from grader.intake.names import printable
from grader.intake.sniff import head, is_archive, kind
from grader.rubric import Rubric

rule = Rules("clips")

_OTHER_AUDIO = (".mp3", ".flac", ".ogg", ".m4a", ".aif", ".aiff", ".npy", ".opus", ".aac")


@dataclass(frozen=True)
class Layout:
    """What was found of the clips.

    chosen: the file of each clip, by expected name, in order. misnamed: those of them not called so. missing: expected
    names without a file. unclear: expected names that several files claim. copies: for a chosen clip, further files
    that claim it. extra: wav files that are no clip; others: everything else.
    folder: where most clips lie.
    """

    chosen: dict[str, StoredFile]
    misnamed: tuple[str, ...]
    missing: tuple[str, ...]
    unclear: dict[str, tuple[StoredFile, ...]]
    copies: dict[str, tuple[StoredFile, ...]]
    extra: tuple[StoredFile, ...]
    others: tuple[StoredFile, ...]
    folder: tuple[str, ...]


def clip_number(file_name: str, expected: Sequence[str]) -> int | None:
    """The clip a file must be meant for, counted from 1: ``1.wav``, ``001.WAV``, ``001.wav.wav``, ``take 1.wav``.

    None where the name is no wav's or holds no number or several.
    """
    name = unicodedata.normalize("NFKC", file_name)
    if name in expected:
        return expected.index(name) + 1
    stem = re.sub(r"(\.wav)+$", "", name, flags=re.IGNORECASE)
    numbers = re.findall(r"[0-9]+", stem)
    if stem == name or len(numbers) != 1 or len(numbers[0]) > 9:
        return None
    return int(numbers[0])


def arrange(files: Collection[StoredFile], expected: Sequence[str], student: str) -> Layout:
    """Decide which file is which clip, whatever the order of ``files``.

    In a folder an exact name wins over a likely one. The folder that holds most clips (then: that is called after the
    student, then: that lies highest) wins over the others.
    """
    wavs = [file for file in files if file.parts[-1].lower().endswith(".wav")]
    claims: dict[tuple[str, ...], dict[int, list[StoredFile]]] = defaultdict(lambda: defaultdict(list))
    extra = []
    for file in sorted(wavs, key=lambda file: file.parts):
        number = clip_number(file.parts[-1], expected)
        if number is not None and 1 <= number <= len(expected):
            claims[file.parts[:-1]][number].append(file)
        else:
            extra.append(file)

    def rank(folder: tuple[str, ...]) -> tuple[int, bool, int, tuple[str, ...]]:
        return (-len(claims[folder]), not _named_after(folder, student), len(folder), folder)

    folders = sorted(claims, key=rank)
    chosen: dict[str, StoredFile] = {}
    unclear: dict[str, tuple[StoredFile, ...]] = {}
    copies: dict[str, tuple[StoredFile, ...]] = {}
    for number, name in enumerate(expected, 1):
        best: list[StoredFile] = []
        rest: list[StoredFile] = []
        for folder in folders:
            claiming = claims[folder].get(number, [])
            exact = [file for file in claiming if file.parts[-1] == name] or claiming
            if not best:
                best, claiming = exact, [file for file in claiming if file not in exact]
            rest += claiming
        if len(best) == 1:
            chosen[name] = best[0]
        elif best:
            unclear[name] = tuple(best)
        if rest:
            copies[name] = tuple(rest)
    return Layout(
        chosen=chosen,
        misnamed=tuple(name for name, file in chosen.items() if file.parts[-1] != name),
        missing=tuple(name for name in expected if name not in chosen and name not in unclear),
        unclear=unclear,
        copies=copies,
        extra=tuple(extra),
        others=tuple(sorted((file for file in files if file not in wavs), key=lambda file: file.parts)),
        folder=folders[0] if folders else (),
    )


def _named_after(folder: tuple[str, ...], student: str) -> bool:
    """Whether a folder is called by the student's ID, perhaps with the number of a resubmission."""
    return bool(folder) and re.fullmatch(rf"{re.escape(student)}(-\d+)?", folder[-1], re.IGNORECASE) is not None


def _graded(severity: str) -> Severity:
    return Severity.ERROR if severity == "refuse" else Severity.WARNING


@rule()
def layout(files: tuple[StoredFile, ...], source: Path, rubric: Rubric, folder: str) -> Checked[Layout | None]:
    """It holds wav files."""
    found = arrange(files, rubric.clips.names(), folder)
    if found.chosen or found.unclear:
        return found
    nested = [file for file in files if is_archive(kind(head(file.path)))]
    facts = {"count": rubric.clips.count, "first": rubric.clips.names()[0], "last": rubric.clips.names()[-1]}
    if nested:
        yield error(
            "clips-in-an-archive",
            place(source, nested[0].name),
            "There is no clip in it, but another archive, which is never opened.",
            "Put the clips themselves into the zip. " + REZIP,
            folder=folder,
        )
    else:
        yield error(
            "clips-none",
            place(source),
            "There is no clip in it{beside}. Expected are {count}, {first} to {last}.",
            REZIP,
            beside=f", only {counted(len(files), 'other file')}" if files else ": it is empty",
            folder=folder,
            **facts,
        )
    return None


@rule()
def complete(layout: Layout, source: Path, rubric: Rubric) -> Checked[None]:
    """Every clip is there."""
    names = rubric.clips.names()
    for name, files in layout.unclear.items():
        yield error(
            "clip-unclear",
            place(source, files[0].name),
            "It could be {clip}, and so could {others}.",
            "Keep one of them and name it {clip}.",
            clip=name,
            others=listed([file.parts[-1] for file in files[1:]]),
        )
    if layout.missing:
        yield error(
            "clips-missing",
            place(source),
            "Of the {count} clips {missing} not there: {names}.",
            "Add them under exactly these names.{hint}",
            missing=counted(len(layout.missing), "is", "are"),
            count=len(names),
            names=listed(layout.missing),
            hint=_where_they_may_be(layout, names),
        )


def _where_they_may_be(layout: Layout, expected: Sequence[str]) -> str:
    """A hint at files that are perhaps the missing clips."""
    if any(clip_number(file.parts[-1], expected) == 0 for file in layout.extra):
        return f" The first is {expected[0]}: are yours counted from 0?"
    stems = tuple(PurePosixPath(name).stem for name in layout.missing)
    other_formats = [
        file.name
        for file in layout.others
        if file.parts[-1].lower().startswith(stems) and file.parts[-1].lower().endswith(_OTHER_AUDIO)
    ]
    if other_formats:
        return f" In the zip is {listed(other_formats[:3])}: write it as .wav."
    if layout.extra:
        return f" In the zip is {listed([file.name for file in layout.extra[:3]])}: which clip is it?"
    return ""


@rule()
def named(layout: Layout, source: Path, rubric: Rubric) -> Checked[None]:
    """Every clip is named as the handout asks."""
    for name in layout.misnamed:
        file = layout.chosen[name]
        yield Finding(
            "clip-misnamed",
            _graded(rubric.clips.misnamed),
            place(source, file.name),
            "It is taken for {clip}." if rubric.clips.misnamed == "accept" else "It should be called {clip}.",
            "Name it {clip}.",
            facts={"clip": name},
        )


@rule()
def once(layout: Layout, source: Path, folder: str) -> Checked[None]:
    """Every clip is there once."""
    sure = _named_after(layout.folder, folder) or (source.is_dir() and not layout.folder)
    for name, counts in layout.chosen.items():
        for file in layout.copies.get(name, ()):
            same = filecmp.cmp(file.path, counts.path, shallow=False)
            clear = same or sure or file.parts[:-1] == counts.parts[:-1]
            facts = {"clip": name, "same": ", the same file" if same else "", "counts": printable(counts.name)}
            yield Finding(
                "clip-second-copy",
                Severity.WARNING if clear else Severity.ERROR,
                place(source, file.name),
                "This is a second {clip}{same}; {counts} counts."
                if clear
                else "This is another {clip} than {counts}: it is not clear which one counts.",
                "Leave one of them out.",
                facts=facts,
            )


@rule()
def in_their_folder(layout: Layout, source: Path, student: str, folder: str, rubric: Rubric) -> Checked[None]:
    """The clips lie in one folder named after your student ID."""
    found, severity = layout.folder, _graded(rubric.archive.wrong_folder)
    at_root_of_folder = source.is_dir() and not found
    own_name = _named_after(found, student)
    spread = {file.parts[:-1] for file in layout.chosen.values()} - {found}
    facts = {"folder": folder, "found": printable("/".join(found)), "student": student}
    if not found and not at_root_of_folder:
        what = "The clips lie at the top of the zip, not in a folder {folder}."
        yield Finding("folder-none", severity, place(source), what, REZIP, facts=facts)
    elif own_name and len(found) > 1:
        what = "The clips lie in {found}: {folder} is expected at the top of the zip."
        yield Finding("folder-wrapped", severity, place(source), what, REZIP, facts=facts)
    elif found and not own_name:
        other_id = re.fullmatch(rf"({rubric.student_id})(-\d+)?", found[-1], re.IGNORECASE)
        what = "The clips lie in a folder called {found}; {folder} is expected."
        if other_id:
            what = "The clips lie in a folder of another student ID, {found}; {student} handed them in."
        fix = "Name the folder {folder}. " + REZIP
        yield Finding(
            "folder-other-student" if other_id else "folder-name", severity, place(source), what, fix, facts=facts
        )
    if spread:
        what = "Some clips lie in another folder, {other}."
        facts["other"] = listed(["/".join(parts) or "the top" for parts in sorted(spread)])
        yield Finding("folder-spread", severity, place(source), what, "Put all clips into one folder.", facts=facts)


@rule()
def nothing_else(layout: Layout, source: Path, rubric: Rubric) -> Checked[None]:
    """There is nothing else in it."""
    yield from first(
        (
            warning(
                "clip-extra",
                place(source, file.name),
                "It is none of the {count} clips; it was left out.",
                "Leave it out of the zip.",
                count=rubric.clips.count,
            )
            for file in layout.extra
        ),
        place(source),
    )
    if layout.others:
        total = sum(file.size for file in layout.others)
        yield note(
            "files-other",
            place(source),
            "{count} ({size} MB) beside the clips: {names}; nothing is done with them.",
            "Only the clips belong in the zip; code and report are handed in on their own.",
            count=counted(len(layout.others), "other file"),
            size=f"{total / 1e6:.1f}",
            names=listed([file.name for file in layout.others[:3]]) + (", …" if len(layout.others) > 3 else ""),
        )
