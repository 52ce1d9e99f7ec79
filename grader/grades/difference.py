"""What changed between two snapshots: who moved, in points and rank, and which input did it.

Decided by recomputation: starting from the older snapshot, its inputs are replaced by the newer one's, one kind after
the other, and everyone is graded again after each. What a step changes, its input has caused; the steps add up.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from grader.grades.decisions import Decision
from grader.grades.facts import Facts, Try
from grader.grades.grade import NOTHING, Basis, grade
from grader.grades.ledger import Decisions
from grader.grades.numbers import hundredths, plain
from grader.grades.points import Scale
from grader.grades.ranking import ranks
from grader.grades.snapshots import Snapshot
from grader.rubric import Rubric

_OTHERS = "others moved"
_LATE_KEYS = ("deadline", "timezone", "late")


@dataclass(frozen=True)
class Place:
    """Where a student stands. final: None where there are no final points; provisional: quality after lateness."""

    rank: int | None
    final: float | None
    provisional: float | None

    @property
    def points(self) -> float | None:
        return self.provisional if self.final is None else self.final

    def words(self) -> str:
        if self.points is None:
            return "none"
        return f"{self.points:.2f}" + (" so far" if self.final is None else "")


@dataclass(frozen=True)
class Cause:
    """One input that moved a student. kind: stable word; what: a sentence part; points: None where not a number."""

    kind: str
    what: str
    points: float | None
    before: Place
    after: Place


@dataclass(frozen=True)
class Move:
    """A student who moved. before, after: None for one who is in one of the snapshots only."""

    student_id: str
    before: Place | None
    after: Place | None
    causes: tuple[Cause, ...]

    def sentence(self) -> str:
        """``R1: points 44.00 → 35.20, rank 3 → 4: −8.80 by …; rank 3 → 4 as R5 moved past.``"""
        if self.before is None or self.after is None:
            there = self.after or self.before or Place(None, None, None)
            what = "is new" if self.before is None else "is gone"
            return f"{self.student_id} {what}: points {there.words()}, {_rank(there.rank)}."
        points = f"points {self.before.words()} → {self.after.words()}"
        if self.before.words() == self.after.words():
            points = f"points {self.after.words()} as before"
        rank = f"rank {_number(self.before.rank)} → {_number(self.after.rank)}"
        if self.before.rank == self.after.rank:
            rank = f"{_rank(self.after.rank)} as before"
        causes = "; ".join(_told(cause) for cause in self.causes)
        return f"{self.student_id}: {points}, {rank}: {causes}."

    def as_json(self) -> dict[str, Any]:
        def place(found: Place | None) -> dict[str, Any] | None:
            if found is None:
                return None
            return {"rank": found.rank, "final_points": found.final, "provisional_points": found.provisional}

        return {
            "student_id": self.student_id,
            "before": place(self.before),
            "after": place(self.after),
            "causes": [
                {
                    "kind": cause.kind,
                    "what": cause.what,
                    "points": cause.points,
                    "rank_before": cause.before.rank,
                    "rank_after": cause.after.rank,
                }
                for cause in self.causes
            ],
            "sentence": self.sentence(),
        }


@dataclass(frozen=True)
class Difference:
    """changed: what is different for everyone, as sentences. moves: by student ID, only those who moved."""

    before: Snapshot
    after: Snapshot
    changed: tuple[str, ...]
    moves: tuple[Move, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "version": 1,
            "before": {"number": self.before.number or None, "made_at": self.before.made_at},
            "after": {"number": self.after.number or None, "made_at": self.after.made_at},
            "changed": list(self.changed),
            "students": [move.as_json() for move in self.moves],
        }


@dataclass(frozen=True)
class _State:
    """All inputs at one step between two snapshots."""

    rubric: Rubric
    scale: Scale
    fad_name: str
    facts: Mapping[str, Facts]
    decisions: Mapping[str, Decisions]

    def places(self) -> dict[str, Place]:
        basis = Basis(self.rubric, self.scale, self.fad_name)
        grades = {
            student_id: grade(basis, facts, self.decisions.get(student_id, NOTHING)).grade
            for student_id, facts in self.facts.items()
        }
        rank = ranks({name: each.score for name, each in grades.items() if each.score is not None and not each.failure})
        return {
            name: Place(rank.get(name), each.final_points, each.provisional_points) for name, each in grades.items()
        }


@dataclass
class _Step:
    """kind; what of a student's inputs the step changes, in words; how the state looks after it."""

    kind: str
    state: _State
    why: Callable[[str], str]
    places: Mapping[str, Place] = field(default_factory=dict)


def compare(before: Snapshot, after: Snapshot) -> Difference:
    """Who moved from one snapshot to the other, and by what."""
    both = sorted(set(before.facts) & set(after.facts))
    steps = _steps(before, after)
    for step in steps:
        step.places = step.state.places()
    moves = []
    for student_id in both:
        first, last = _kept(before, student_id), _kept(after, student_id)
        if first != last:
            moves.append(Move(student_id, first, last, tuple(_causes(student_id, steps, first, last))))
    moves += [Move(name, None, _kept(after, name), ()) for name in set(after.facts) - set(before.facts)]
    moves += [Move(name, _kept(before, name), None, ()) for name in set(before.facts) - set(after.facts)]
    moves.sort(key=lambda move: move.student_id)
    return Difference(before, after, tuple(_changed(before, after)), tuple(moves))


def _kept(snapshot: Snapshot, student_id: str) -> Place:
    result = snapshot.results[student_id]
    return Place(result["rank"], result["final_points"], result["provisional_points"])


def _steps(before: Snapshot, after: Snapshot) -> list[_Step]:
    """The way from one snapshot to the other, the first step being the older snapshot itself."""
    rubric = before.rubric
    state = _State(rubric, before.scale, before.fad_name, before.facts, before.decisions)
    everyone = after.facts
    steps = [_Step("start", state, lambda _: "")]

    def add(kind: str, why: Callable[[str], str], **changes: Any) -> None:
        steps.append(_Step(kind, replace(steps[-1].state, **changes), why))

    def facts(change: Callable[[Facts, Facts], Facts]) -> dict[str, Facts]:
        now = steps[-1].state.facts
        return {name: change(now[name], found) if name in now else found for name, found in everyone.items()}

    add("hand-in", lambda name: _scores_why(name, before, after), facts=facts(_with_scores), fad_name=after.fad_name)
    add("time", lambda name: _times_why(before.facts[name], after.facts[name]), facts=facts(_with_times))
    late = {key: after.rubric.model_dump()[key] for key in _LATE_KEYS}
    late_rubric = Rubric.model_validate({**rubric.model_dump(), **late})
    late_keys = _keys(rubric, late_rubric)
    add("late rule", lambda _: f"the late rule: {late_keys}", rubric=late_rubric)
    points_keys = _keys(late_rubric, after.rubric, ("points", "bonus", "metrics.rank_by", "semester_weight_percent"))
    points_why = f"the rubric: {points_keys}" if points_keys else "the baselines' scores, which the anchors go by"
    add("points rule", lambda _: points_why, rubric=after.rubric, scale=after.scale)
    add("decision", lambda name: _decisions_why(name, before, after), decisions=after.decisions)
    add("report points", lambda name: _report_why(before.facts[name], after.facts[name]), facts=everyone)
    return steps


def _with_scores(now: Facts, then: Facts) -> Facts:
    """The newer uploads and their numbers, at the older times where the same upload had one."""
    at = {each.content: (each.at, each.source) for each in now.tries}
    by_file = {each.file: (each.at, each.source) for each in now.tries}
    tries = []
    for each in then.tries:
        when = at.get(each.content) or by_file.get(each.file)
        same = each.content in at
        tries.append(replace(each, at=when[0], source=when[1]) if when and same else each)
    return replace(now, tries=tuple(tries), absence=then.absence, whose=then.whose)


def _with_times(now: Facts, then: Facts) -> Facts:
    return replace(now, tries=then.tries, report_at=then.report_at)


def _causes(student_id: str, steps: list[_Step], first: Place, last: Place) -> Iterator[Cause]:
    """The steps that moved a student; a rank that moved alone is by others' moves."""
    found = []
    for earlier, later in itertools.pairwise(steps):
        before, after = earlier.places[student_id], later.places[student_id]
        own = (before.final, before.provisional) != (after.final, after.provisional)
        if own:
            both = before.final is not None and after.final is not None
            neither = before.final is None and after.final is None
            delta = None
            if (both or neither) and before.points is not None and after.points is not None:
                delta = hundredths(after.points - before.points)
            found.append(Cause(later.kind, later.why(student_id), delta, before, after))
        elif before.rank != after.rank:
            others = _passing(student_id, earlier.places, later.places)
            what = later.why(student_id)
            if others and what in ("", _OTHERS):
                found.append(Cause("others", others, 0.0, before, after))
            else:
                found.append(Cause(later.kind, what, 0.0, before, after))
    yield from found
    reached = steps[-1].places[student_id]
    if (steps[0].places[student_id], reached) != (first, last):
        yield Cause("grader", "another version of the grader counts differently", None, first, last)


def _passing(student_id: str, before: Mapping[str, Place], after: Mapping[str, Place]) -> str:
    """Who moved past a student, or away from before it: ``R5 moved past``, ``R5, R6 and 2 more fell behind``."""

    def ahead(places: Mapping[str, Place]) -> set[str]:
        own = places[student_id].rank
        return {
            name for name, place in places.items() if place.rank is not None and own is not None and place.rank < own
        }

    past, behind = sorted(ahead(after) - ahead(before)), sorted(ahead(before) - ahead(after))
    said = [f"{_names(names)} {what}" for names, what in ((past, "moved past"), (behind, "fell behind")) if names]
    return " and ".join(said)


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _scores_why(name: str, before: Snapshot, after: Snapshot) -> str:
    """Why a student's uploads or their numbers are others."""
    old, new = before.facts[name], after.facts[name]
    contents = {each.content for each in old.tries}
    added = [each.file for each in new.tries if each.content not in contents]
    gone = [each.file for each in old.tries if each.content not in {each.content for each in new.tries}]
    rule = before.rubric.late.several_hand_ins, after.rubric.late.several_hand_ins
    if rule[0] != rule[1] and (added or gone):
        return f"the rubric: late.several_hand_ins: {rule[0]} → {rule[1]}"
    if added:
        return f"a new hand-in, {', '.join(added)}"
    if gone:
        return f"the hand-in {', '.join(gone)} is gone"
    if [_numbers(each) for each in old.tries] == [_numbers(each) for each in new.tries]:
        return _OTHERS
    return "; ".join(_measured_changes(before, after)) or "the same hand-in was measured again"


def _numbers(attempt: Try) -> tuple[Any, ...]:
    return attempt.content, dict(attempt.values), attempt.failure


def _measured_changes(before: Snapshot, after: Snapshot) -> list[str]:
    """What the numbers of the same hand-in depend on and is another."""
    said = []
    old, new = before.inputs["settings"], after.inputs["settings"]
    for metric in sorted({*old, *new}):
        changed = _flat_changes(old.get(metric, {}), new.get(metric, {}))
        if changed:
            said.append(f"the metric {metric}: {', '.join(changed)}")
    if before.inputs["references"] != after.inputs["references"]:
        said.append("other reference recordings")
    if before.inputs["checks"] != after.inputs["checks"]:
        said.append(f"the checks: version {before.inputs['checks']} → {after.inputs['checks']}")
    keys = _keys(before.rubric, after.rubric, ("clips", "archive", "mel"))
    return [*said, *([f"the rubric: {keys}"] if keys else [])]


def _times_why(old: Facts, new: Facts) -> str:
    if old.report_at != new.report_at:
        return "the report's time in submissions.csv"
    if [each.source for each in old.tries] != [each.source for each in new.tries]:
        return f"the time is now from {', '.join(sorted({each.source for each in new.tries}))}"
    return "the time of the hand-in"


def _decisions_why(name: str, before: Snapshot, after: Snapshot) -> str:
    old, new = (list(each.decisions.get(name, NOTHING).holding) for each in (before, after))
    added = [each.sentence() for each in new if each not in old]
    gone = [f"no longer: {_brief(each)}" for each in old if each not in new]
    return f"the decision {'; '.join([*added, *gone])}" if added or gone else _OTHERS


def _brief(decision: Decision) -> str:
    return f"{decision.kind} {decision.value}".strip()


def _report_why(old: Facts, new: Facts) -> str:
    if old.report_points == new.report_points:
        return _OTHERS
    told = ["none" if each.report_points is None else plain(each.report_points) for each in (old, new)]
    return f"report points {told[0]} → {told[1]}"


def _changed(before: Snapshot, after: Snapshot) -> Iterator[str]:
    """What is different for everyone."""
    yield from (f"rubric.yaml: {change}" for change in _changes(before.rubric, after.rubric))
    yield from _measured_changes(before, after)
    if before.fad_name != after.fad_name:
        yield f"{before.fad_name} → {after.fad_name}"
    if before.scale != after.scale and not _keys(before.rubric, after.rubric, ("points", "metrics.rank_by")):
        yield "the baselines' scores, which the anchors go by"


def _keys(old: Rubric, new: Rubric, under: tuple[str, ...] = ()) -> str:
    """The rubric's keys that changed, below some of them only where they are named."""
    changes = _changes(old, new)
    return ", ".join(each for each in changes if not under or each.startswith(under))


def _changes(old: Rubric, new: Rubric) -> list[str]:
    return _flat_changes(old.model_dump(), new.model_dump())


def _flat_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """``late.after_percent: 60 → 80`` for each key that is another."""
    before, after = dict(_flat("", old)), dict(_flat("", new))
    return [
        f"{key}: {_short(before.get(key))} → {_short(after.get(key))}"
        for key in {**before, **after}
        if before.get(key) != after.get(key)
    ]


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), inner)
    else:
        yield name, value


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"


def _told(cause: Cause) -> str:
    if cause.points:
        return f"{'−' if cause.points < 0 else '+'}{abs(cause.points):.2f} by {cause.what}"
    if cause.points is None:
        return f"{cause.before.words()} → {cause.after.words()} by {cause.what}"
    return f"rank {_number(cause.before.rank)} → {_number(cause.after.rank)} as {cause.what}"


def _rank(rank: int | None) -> str:
    return "no rank" if rank is None else f"rank {rank}"


def _number(rank: int | None) -> str:
    return "none" if rank is None else str(rank)
