"""Names for students who are not to be known in public: the same in every run, and not to be computed from an ID.

A course's aliases are drawn once, with a seed of their own that never leaves ``.grader/aliases.json``; so does who is
who. The file is private: whoever has it can name everyone.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.errors import EnvironmentProblem

_FIRST = (
    "Amber Ashen Azure Bold Brisk Bronze Calm Candid Clear Coral Crimson Dapper Dusky Eager Early Elder Emerald Fabled "
    "Fleet Frosty Gentle Gilded Golden Hazel Humble Indigo Ivory Jade Jolly Keen Lively Lucky Lunar Mellow Merry Misty "
    "Mossy Nimble Noble Olive Opal Pale Patient Pearly Plucky Quiet Rapid Rosy Royal Ruby Rustic Sable Scarlet Serene "
    "Silver Snowy Solar Steady Sunny Swift Tawny Teal Velvet Vivid Wise Witty Zesty"
)
_LAST = (
    "Bittern Bulbul Bunting Bustard Cormorant Crake Crane Curlew Dipper Dove Drongo Dunlin Egret Falcon Fantail Finch "
    "Flycatcher Gannet Godwit Goshawk Grebe Gull Harrier Heron Hobby Hoopoe Ibis Jacana Jay Kestrel Kingfisher Kite "
    "Knot Lapwing Lark Linnet Magpie Martin Merlin Minivet Myna Nuthatch Oriole Osprey Ouzel Owl Partridge Pelican "
    "Petrel Pheasant Pipit Plover Quail Rail Raven Robin Rosefinch Ruff Sandpiper Shrike Siskin Skylark Snipe Sparrow "
    "Starling Stint Stork Swallow Swan Swift Tern Thrush Tit Wagtail Warbler Whimbrel Wigeon Wren Wryneck Yuhina"
)


@dataclass(frozen=True)
class Person:
    """How pages name a student. key: in file names and links. label: what people read."""

    key: str
    label: str


def people(path: Path, student_ids: Iterable[str], opt_in: Mapping[str, str]) -> dict[str, Person]:
    """Everyone's public name: an alias, or for those in ``opt_in`` the name they chose (their ID where it is empty).

    Aliases of earlier runs stay; ``path`` is written where new ones were drawn. Raises :class:`EnvironmentProblem`
    where it cannot be read or written.
    """
    ids = sorted(student_ids)
    seed, known = _read(path)
    drawn, taken = {**known}, set(known.values())
    for student_id in ids:
        if student_id not in drawn:
            drawn[student_id] = _draw(seed, student_id, taken)
            taken.add(drawn[student_id])
    if drawn != known or not path.exists():
        _write(path, {"private": "who is who in public; keep this file to yourself", "seed": seed, "aliases": drawn})
    labels = {student_id: opt_in.get(student_id.upper(), drawn[student_id]) or student_id for student_id in ids}
    return {student_id: Person(drawn[student_id].lower().replace(" ", "-"), labels[student_id]) for student_id in ids}


def who_is(path: Path) -> dict[str, str]:
    """Student IDs by public key, as far as aliases were drawn: for what comes back from the public pages, as votes."""
    if not path.exists():
        return {}
    return {alias.lower().replace(" ", "-"): student_id for student_id, alias in _read(path)[1].items()}


def _draw(seed: str, student_id: str, taken: set[str]) -> str:
    first, last = _FIRST.split(), _LAST.split()
    for attempt in range(10_000):
        text = f"{attempt}\n{student_id}".encode("utf-8", "backslashreplace")
        number = int.from_bytes(hmac.digest(bytes.fromhex(seed), text, "sha256")[:8], "big")
        alias = f"{first[number % len(first)]} {last[number // len(first) % len(last)]}"
        if attempt > 20:  # the class is larger than there are pairs
            alias = f"{alias} {attempt}"
        if alias not in taken:
            return alias
    raise AssertionError("no alias is free")


def _read(path: Path) -> tuple[str, dict[str, str]]:
    if not path.exists():
        return secrets.token_hex(32), {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        seed, known = str(record["seed"]), {str(name): str(alias) for name, alias in record["aliases"].items()}
        bytes.fromhex(seed)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EnvironmentProblem(
            f"{path}: the table of aliases cannot be read: {type(error).__name__}: {error}",
            help="put it back from a backup, or delete it: everyone then gets another alias",
        ) from None
    return seed, known


def _write(path: Path, record: Mapping[str, object]) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch(mode=0o600)
        part.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise EnvironmentProblem(
            f"{path}: the table of aliases cannot be written: {error}",
            help="check that the folder can be written and the disk is not full",
        ) from None
    finally:
        part.unlink(missing_ok=True)
