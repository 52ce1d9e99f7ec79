"""Every hand-in of the corpus through the real command, in a process of its own.

The verdict is as expected, there is no traceback, nothing is written anywhere, and memory stays below 500 MB.
"""

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from grader import words
from grader.findings import Finding
from tests.hostile.archives import archive
from tests.hostile.audio import audio
from tests.hostile.corpus import Case
from tests.hostile.documents import documents
from tests.speaking import english_left

CASES = [*archive, *audio, *documents]
MOST_MEMORY_KB = 500_000
REPOSITORY = Path(__file__).resolve().parents[2]
# Measures in a small process of its own: what Linux reports of a child includes the memory of the one that started it.
LAUNCHER = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
print(f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss} {done.returncode}", file=sys.stderr)
"""


@dataclass
class Outcome:
    status: int
    report: dict[str, Any]
    errors: str
    memory_kb: int
    changed: set[str]


def everything(folder: Path) -> set[str]:
    """Each path below a folder with its size and time of change."""
    found = set()
    for path in folder.rglob("*"):
        status = path.lstat()
        found.add(f"{path.relative_to(folder)} {status.st_size if not path.is_dir() else ''} {status.st_mtime_ns}")
    return found


def run(case: Case) -> Outcome:
    with tempfile.TemporaryDirectory() as name:
        sandbox = Path(name)
        for folder in ("in", "home", "tmp"):
            (sandbox / folder).mkdir()
        source = case.make(sandbox / "in")
        before = everything(sandbox)
        command = [sys.executable, "-S", "-E", "-c", LAUNCHER]
        command += [sys.executable, "-m", "grader", "check", str(source), "--json"]
        environment = {
            **os.environ,
            "HOME": str(sandbox / "home"),
            "TMPDIR": str(sandbox / "tmp"),
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        done = subprocess.run(
            command, cwd=sandbox / "in", env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        *errors, last = done.stderr.splitlines()
        memory, status = last.split()
        changed = {entry for entry in before ^ everything(sandbox) if not entry.startswith("tmp ")}
        report = json.loads(done.stdout) if done.stdout else {}
        return Outcome(int(status), report, "\n".join(errors), int(memory), changed)


@pytest.fixture(scope="module")
def outcomes() -> Any:
    with ThreadPoolExecutor(max_workers=2) as pool:
        running: dict[str, Future[Outcome]] = {case.name: pool.submit(run, case) for case in CASES}
        yield running
        for future in running.values():
            future.cancel()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_hostile_hand_in(case: Case, outcomes: dict[str, Future[Outcome]]) -> None:
    outcome = outcomes[case.name].result()
    assert "Traceback" not in outcome.errors
    assert outcome.errors == ""
    assert outcome.status == case.status
    (report,) = outcome.report["reports"]
    found = [finding for result in report["results"] for finding in result["findings"]]
    codes = {finding["code"] for finding in found}
    assert "check-broke" not in codes
    if case.code:
        assert case.code in codes
        assert all(finding["what"] and finding["where"] for finding in found)
        assert all(finding["fix"] for finding in found if finding["severity"] == "error")
    else:
        clip_results = [result for result in report["results"] if result["group"] != "companions" or not case.course]
        assert not [f for result in clip_results for f in result["findings"] if f["severity"] != "note"]
    assert [left for finding in found for left in _english_in_chinese(Finding.from_json(finding))] == []
    assert outcome.report["ok"] == (case.status == 0)
    assert outcome.changed == set()
    assert outcome.memory_kb < MOST_MEMORY_KB


def _english_in_chinese(finding: Finding) -> list[str]:
    """English left in what a finding says in Chinese, names and messages of other programs aside."""
    chinese = words.of("zh-TW")
    names = ("names", "stored", "example", "error", "folder", "others", "counts", "clip", "place", "student")
    foreign = {"archive-damaged", "archive-damaged-entry", "report-damaged", "report-too-much", "wav-unreadable"}
    hidden = {name: "…" for name in names if name in finding.facts}
    if finding.code in foreign:
        hidden["reason"] = "…"
    if finding.code.startswith(("folder", "archive-case")):
        hidden |= {"found": "…", "other": "…"}
    shown = replace(finding, facts={**finding.facts, **hidden})
    return [left for text in (chinese.what(shown), chinese.fix(shown)) if (left := english_left(text))]


def test_every_maker_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
