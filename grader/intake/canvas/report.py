"""An import as it is printed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from grader.findings import Finding, Severity
from grader.intake.canvas.importing import Outcome

_MARKS = {Severity.ERROR: "✗", Severity.WARNING: "!", Severity.NOTE: "·"}


def lines(outcome: Outcome) -> Iterator[str]:
    """What was placed, the links, then what was found, errors first."""
    kinds = Counter(each.kind for each in outcome.added)
    of = ", ".join(f"{count} × {kind}" for kind, count in sorted(kinds.items()))
    yield (
        f"{outcome.download}: {len(outcome.added)} new file{'' if len(outcome.added) == 1 else 's'}"
        + (f" ({of})" if of else "")
        + f", {len(outcome.known)} in place already"
    )
    for link in outcome.links:
        yield f"  link of {link.student_id}: {link.url}"
    if outcome.nothing:
        yield f"handed in nothing: {', '.join(outcome.nothing)}"
    for severity in Severity:
        alike: defaultdict[tuple[str, str], list[Finding]] = defaultdict(list)
        for finding in outcome.findings:
            if finding.severity is severity:
                alike[finding.what_text(), finding.fix_text()].append(finding)
        for (what, fix), same in alike.items():
            yield f"{_MARKS[severity]} {', '.join(finding.where for finding in same)}"
            yield f"    {what}"
            if fix:
                yield f"    → {fix}"
    left = sum(finding.severity is Severity.ERROR for finding in outcome.findings)
    if left:
        yield f"{left} file{'' if left == 1 else 's'} left out, as said above; nothing was guessed."
