"""Code that two students share, whatever the variables are called: copydetect's fingerprints, without what is known.

Python files and the code cells of notebooks are reduced to their tokens; every run of 25 is a fingerprint. Fingerprints
that ``known_sources/`` holds too count for nobody: the handout allows public code. Two files share what their common
runs cover, as a share of the smaller; tokens here are the characters of copydetect's reduced text.
"""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from grader.course import Course
from grader.intake.archive import ArchiveProblem
from grader.progress import Progress
from grader.rubric import Archive
from grader.scoring import CourseScores
from grader.store import Store, content_key
from grader.tells import sources
from grader.tells.groups import groups
from grader.tells.records import Kind, Piece, Tell

VERSION = 1
STAGE = "tell_code"
_RUN = 25
_LEAST_TOKENS = 300  # shorter overlaps happen by themselves
_MOST_BYTES = 400_000  # of one file
_MOST_FILES = 200  # of one student
_EXACT_PAIRS = 400  # compared to the token; of more, the strongest by fingerprints
_MOST_PIECES = 40
_INNOCENT = (
    "The handout allows public code that is cited: put it into known_sources/ and what comes from it is no longer told "
    "of. The course's own examples belong there too."
)


@dataclass(frozen=True)
class Program:
    """One file of code. text: as handed in; of a notebook, its code cells."""

    student: str
    name: str
    text: str


def tells(scores: CourseScores, course: Course, store: Store, notes: list[str], shown: Progress) -> list[Tell]:
    """A tell for each group of students who share code; what was not looked at is added to ``notes``."""
    if not find_spec("copydetect"):
        notes.append(_not_compared("copydetect"))
        return []
    handed_in = list(sources.of_students(scores))
    key = content_key(
        version=VERSION,
        handed_in=sorted([student, sources.content(source, store)] for student, source in handed_in),
        known=[sources.content(source, store) for source in sources.known(course)],
    )
    record = store.get(STAGE, key)
    if record is None:
        try:
            import copydetect  # noqa: F401
        except ModuleNotFoundError as error:  # something that it needs itself
            notes.append(_not_compared(error.name))
            return []
        if handed_in:
            shown.start("comparing code", float(len(handed_in)), len(handed_in))
        programs: list[Program] = []
        missed: list[str] = []
        for student, source in handed_in:
            programs += _programs(student, source, course.rubric.archive, missed)
            shown.advance(1.0)
        public = sources.known_limits(course)
        known = [each for source in sources.known(course) for each in _programs("", source, public, missed)]
        record = {"pairs": overlaps(programs, known), "notes": missed}
        store.put(STAGE, key, record)
        shown.finish()
    notes += record["notes"]
    return _tells(record["pairs"], course.rubric.tells.code_percent)


def _not_compared(package: str | None) -> str:
    return f"code was not compared: {package} is not installed (pip install 'grader[tells]')"


def _tells(pairs: Sequence[dict[str, Any]], least_percent: float) -> list[Tell]:
    strong = [pair for pair in pairs if pair["percent"] >= least_percent]
    result = []
    for members in groups((pair["first"], pair["second"]) for pair in strong):
        students = tuple(sorted(members))
        inside = [pair for pair in strong if pair["first"] in members]
        best = inside[0]
        sentence = (
            f"{' and '.join(students) if len(students) < 4 else f'{len(students)} students'} share code: "
            f"{best['percent']:.0f} % of {best['second_file'] if best['second_smaller'] else best['first_file']}"
            + (f", and {len(inside) - 1} more pairs of files." if len(inside) > 1 else ".")
        )
        pieces = [
            Piece(
                f"{pair['first']} {pair['first_file']} · {pair['second']} {pair['second_file']}",
                {"shared %": round(pair["percent"]), "tokens": pair["tokens"]},
            )
            for pair in inside
        ]
        more = max(0, len(pieces) - _MOST_PIECES)
        result.append(Tell(Kind.CODE, students, sentence, _INNOCENT, tuple(pieces[:_MOST_PIECES]), more))
    return sorted(result, key=lambda tell: (-len(tell.evidence) - tell.more, tell.students))


def overlaps(programs: Sequence[Program], known: Sequence[Program]) -> list[dict[str, Any]]:
    """Every two files of different students that share at least 300 tokens, the largest share first.

    Of each pair of students and pair of equal texts only one is compared; at most 400 pairs are compared to the token.
    """
    from copydetect import compare_files

    public = set().union(*(_fingerprint(each).hashes for each in known)) if known else set()
    prints = [(each, _without(_fingerprint(each), public)) for each in _unique(programs)]
    prints = [(each, fingerprint) for each, fingerprint in prints if fingerprint.token_coverage >= _LEAST_TOKENS]
    found = []
    for first, second in _candidates(prints):
        (one, one_print), (other, other_print) = prints[first], prints[second]
        tokens, shares, _ = compare_files(one_print, other_print)
        if tokens < _LEAST_TOKENS:
            continue
        found.append(
            {
                "first": one.student,
                "first_file": one.name,
                "second": other.student,
                "second_file": other.name,
                "percent": min(100.0, 100.0 * float(max(shares))),
                "second_smaller": bool(shares[1] >= shares[0]),
                "tokens": int(tokens),
            }
        )
    return sorted(found, key=lambda pair: (-pair["percent"], -pair["tokens"], pair["first"], pair["second"]))


def _unique(programs: Sequence[Program]) -> list[Program]:
    """Each student's files, equal ones of the same student once."""
    return list({(each.student, each.text): each for each in reversed(programs)}.values())[::-1]


def _candidates(prints: Sequence[tuple[Program, Any]]) -> list[tuple[int, int]]:
    """Places of two files of different students with many fingerprints in common, the largest share first."""
    from scipy import sparse

    if len(prints) < 2:
        return []
    places: defaultdict[int, int] = defaultdict(lambda: len(places))
    columns = [np.array([places[value] for value in fingerprint.hashes]) for _, fingerprint in prints]
    rows = np.repeat(np.arange(len(columns)), [len(each) for each in columns])
    ones = np.ones(len(rows), dtype=np.float32)
    matrix = sparse.csr_matrix((ones, (rows, np.concatenate(columns))), shape=(len(columns), len(places)))
    common = sparse.triu(matrix @ matrix.T, k=1).tocoo()
    sizes = np.array([len(each) for each in columns])
    share = common.data / np.minimum(sizes[common.row], sizes[common.col])
    order = np.argsort(-share, kind="stable")
    pairs = [(int(common.row[at]), int(common.col[at])) for at in order if share[at] >= 0.2]
    return [pair for pair in pairs if prints[pair[0]][0].student != prints[pair[1]][0].student][:_EXACT_PAIRS]


def _fingerprint(program: Program) -> Any:
    from copydetect import CodeFingerprint

    return CodeFingerprint(f"{program.name}.py", _RUN, 1, language="python", fp=io.StringIO(program.text))


def _without(fingerprint: Any, public: set[int]) -> Any:
    """The fingerprint without what is known; copydetect's own ``boilerplate`` also takes away a file's repeats."""
    from copydetect.utils import get_token_coverage

    fingerprint.hash_idx = {value: at for value, at in fingerprint.hash_idx.items() if value not in public}
    fingerprint.hashes = set(fingerprint.hash_idx)
    length = len(fingerprint.filtered_code)
    fingerprint.token_coverage = int(get_token_coverage(fingerprint.hash_idx, _RUN, length))
    return fingerprint


def _programs(student: str, source: Path, limits: Archive, notes: list[str]) -> Iterator[Program]:
    """The code in a source; what cannot be read is noted."""
    try:
        with sources.opened(source, limits) as files:
            wanted = [file for file in files if file.name.lower().endswith((".py", ".ipynb"))]
            if len(wanted) > _MOST_FILES:
                notes.append(f"{source.name}: of {len(wanted)} files of code the {_MOST_FILES} largest were compared")
                wanted = sorted(wanted, key=lambda file: -file.size)[:_MOST_FILES]
            for file in wanted:
                text = sources.read(file, _MOST_BYTES).decode("utf-8-sig", "replace")
                if code := _cells(text) if file.name.lower().endswith(".ipynb") else text:
                    yield Program(student, file.name, code)
    except ArchiveProblem as problem:
        notes.append(f"{source.name} could not be looked into for code ({problem.code})")


def _cells(text: str) -> str:
    """The code cells of a notebook, without lines that only notebooks understand; empty where it is none."""
    try:
        cells = json.loads(text)["cells"]
        found = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError):
        return ""
    lines = "\n".join(found).splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith(("%", "!")))
