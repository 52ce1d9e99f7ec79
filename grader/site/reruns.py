"""Reruns as the page, the tables and the terminal show them. What a rerun came to is judged elsewhere, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from grader import words
from grader.findings import Finding, Whose
from grader.grades.leaderboard import Leaderboard, Row
from grader.grades.numbers import plain
from grader.intake.names import printable
from grader.rerun.evidence import Evidence, Kind
from grader.site import strings
from grader.site.strings import Strings

_LIMITS = ("wall_s", "cpu_s", "memory_mb", "output_mb")
_LOG_LINES = 8
_MOST_CHARACTERS = 300


def any_known(board: Leaderboard) -> bool:
    """Whether anybody's rerun is known; without one there is nothing to show of reruns at all."""
    return any(row.rerun for row in board.rows)


def why_none(row: Row) -> str:
    """Why a student has no verdict."""
    if row.result is None or row.result.hand_in.code is None:
        return "no code"
    return "not drawn"


def tone(one: Evidence) -> str:
    """The colour's meaning: ``good``, ``error`` (the student's), ``warning`` (look at it), or none (nobody's doing)."""
    if one.kind is Kind.REPRODUCED:
        return "good" if one.sandbox != "none" else "warning"
    if one.whose is not Whose.STUDENT:
        return ""
    return "warning" if one.kind in (Kind.NONDETERMINISTIC, Kind.NO_CODE, Kind.NO_UPLOAD) else "error"


def order(one: Evidence) -> int:
    """What the column sorts by: the verdicts from the best on."""
    return list(Kind).index(one.kind)


def tiers(one: Evidence) -> dict[str, int]:
    """How many clips are in each tier, the strictest first."""
    counted = Counter(clip.tier for clip in one.clips)
    return {str(tier): counted[tier] for tier in sorted(counted, key=lambda tier: tier.rank)}


def peaks(one: Evidence) -> dict[str, float]:
    """The most that one run used, by the names of :class:`grader.rerun.limits.Usage`."""
    usages = [run["usage"] for run in one.runs if run.get("usage")]
    return {name: max(usage[name] for usage in usages) for name in usages[0]} if usages else {}


def sentence(one: Evidence, language: str) -> str:
    """A verdict's sentence; where it is a finding's, with or without what to do, it is said as that finding is."""
    known = words.of(language)
    for found in one.findings:
        if one.sentence == found.what_text():
            return known.what(found)
        if one.sentence == f"{found.what_text()}; {found.fix_text()}":
            return strings.of(language)("parts.and_fix", what=known.what(found), fix=known.fix(found))
    return known.said(one.sentence)


def facts(one: Evidence, language: str = words.ENGLISH) -> list[tuple[str, str]]:
    """Names and values of what a TA wants to know of a rerun; the names are those of their strings."""
    t, known = strings.of(language), words.of(language)
    found = []
    if one.clips:
        counted = [
            t("parts.in_tier", count=count, tier=known.value("tier", tier)) for tier, count in tiers(one).items()
        ]
        apart = [clip.snr_db for clip in one.clips if clip.snr_db is not None]
        lowest = t("parts.lowest_snr", snr=f"{min(apart):.1f}") if apart else ""
        found.append(("clips", t("parts.comma").join(counted) + lowest))
    if command := one.command:
        source = known.value("source", command["source"])
        key = "parts.command_because" if command.get("reason") else "parts.command_from"
        found.append(("command", t(key, line=command["line"], source=source, reason=command.get("reason"))))
    if packages := one.environment.get("packages"):
        listed = [f"{package['name']} {package['version']}" for package in packages]
        found.append(("installed", _few(listed, 6, t)))
    if one.requirements.get("repairs"):
        found.append(("repaired", _repairs(one, t)))
    if used := peaks(one):
        found.append(("used", t("parts.comma").join(_used(name, used[name], one.limits, t) for name in _LIMITS)))
    if one.runs:
        found.append(("sandbox", t("parts.sandbox_none") if one.sandbox == "none" else one.sandbox))
    return [(name, printable(value, 4 * _MOST_CHARACTERS)) for name, value in found]


def findings(one: Evidence) -> list[Finding]:
    """What the rerun found beside its verdict: nothing that the verdict's sentence says already."""
    return [found for found in one.findings if found.what_text() not in one.sentence]


def log(one: Evidence) -> str:
    """The last lines of a run that went wrong; empty for one that did not."""
    if not one.runs or one.kind not in (Kind.FAILED, Kind.STOPPED, Kind.INCOMPLETE, Kind.NOT_RUN):
        return ""
    lines = [line for line in str(one.runs[-1].get("log", "")).splitlines() if line.strip()]
    return "\n".join(printable(line, _MOST_CHARACTERS) for line in lines[-_LOG_LINES:])


def record(row: Row) -> dict[str, Any]:
    """The rerun's fields of a student's record."""
    one = row.rerun
    if one is None:
        return {
            "rerun": None,
            "rerun_tier": None,
            "rerun_whose": None,
            "rerun_why": why_none(row),
            "rerun_record": None,
        }
    return {
        "rerun": str(one.kind),
        "rerun_tier": str(one.tier) if one.tier else None,
        "rerun_whose": str(one.whose) if one.whose else None,
        "rerun_why": one.sentence,
        "rerun_record": {
            "tiers": tiers(one),
            "command": dict(one.command),
            "repair_percent": float(one.requirements.get("percent", 0.0)),
            "limits": dict(one.limits),
            "peaks": peaks(one),
            "sandbox": one.sandbox,
            "made_at": one.made_at,
            "findings": [found.as_json() for found in one.findings],
        },
    }


def _used(name: str, used: float, limits: Mapping[str, Any], t: Strings) -> str:
    allowed = limits.get(name)
    return t(f"parts.used_{name}", used=f"{used:.1f}", allowed="?" if allowed is None else f"{allowed:g}")


def _repairs(one: Evidence, t: Strings) -> str:
    repairs, kept = one.requirements["repairs"], one.requirements.get("lines", ())
    shown = [f"{entry['before']} → {entry['after']}" for entry in repairs if entry["after"] in kept]
    said = t("parts.repairs", count=len(repairs))
    if shown:
        said = t("parts.repairs_shown", places=said, shown=_few(shown, 3, t))
    percent = one.requirements.get("percent", 0.0)
    return said + (t("parts.repairs_price", percent=plain(percent)) if percent else "")


def _few(parts: list[str], most: int, t: Strings) -> str:
    shown, more = ", ".join(parts[:most]), len(parts) - most
    return t("parts.and_more", shown=shown, count=more) if more > 0 else shown
