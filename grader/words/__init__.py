"""What findings say, in other languages: a TOML file per language, whose keys are the English sentences of the checks.

A sentence is looked up with its ``{fields}`` unfilled; one that is put together of several is looked up piece by
piece. Some fields hold words of their own (``3 files are``), which have tables too. What a language lacks stays
English, and records and their JSON form are English always.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from grader.findings import Finding

ENGLISH = "en"
_HERE = Path(__file__).parent
_SKIPPED = re.compile("(?P<start>.*)“(?P<rule>.+)”", re.DOTALL)


@dataclass(frozen=True)
class Words:
    """One language. sentences: by English ones; facts: values of a field by English ones; patterns: of such values.

    grades: patterns of the sentences that explain a grade.
    """

    language: str = ENGLISH
    sentences: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    patterns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    grades: Mapping[str, str] = field(default_factory=dict)

    def what(self, finding: Finding) -> str:
        """What a finding says."""
        return self._filled(finding.what, finding.facts)

    def fix(self, finding: Finding) -> str:
        """What to do about it."""
        return self._filled(finding.fix, finding.facts)

    def grade(self, text: str) -> str:
        """A sentence that explains a grade; what is not known of it stays English."""
        for pattern, replacement in self.grades.items():
            text = re.sub(pattern, replacement, text)
        return text

    def sentence(self, text: str) -> str:
        """A sentence without fields, such as a rule's; also one that quotes a rule."""
        quoting = _SKIPPED.fullmatch(text)
        if quoting and quoting["rule"] in self.sentences:
            return f"{self.sentences.get(quoting['start'], quoting['start'])}「{self.sentences[quoting['rule']]}」"
        return self.template(text)

    def template(self, english: str) -> str:
        """An English sentence's counterpart, its fields unfilled; where a piece is unknown the whole stays English."""
        if english in self.sentences:
            return self.sentences[english]
        pieces = self._pieces(english)
        return english if pieces is None else "".join(self.sentences[piece] for piece in pieces)

    def _pieces(self, text: str) -> list[str] | None:
        if not text:
            return []
        for known in self._longest_first():
            if text.startswith(known) and (rest := self._pieces(text[len(known) :])) is not None:
                return [known, *rest]
        return None

    def _longest_first(self) -> Iterator[str]:
        yield from sorted(self.sentences, key=len, reverse=True)

    def _filled(self, template: str, facts: Mapping[str, Any]) -> str:
        if self.language == ENGLISH:
            return template.format_map(facts)
        return self.template(template).format_map({name: self._fact(name, value) for name, value in facts.items()})

    def _fact(self, name: str, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        value = self.facts.get(name, {}).get(value, value)
        for pattern, replacement in self.patterns.get(name, {}).items():
            value = re.sub(pattern, replacement, value)
        return value


def languages() -> list[str]:
    """The languages there are, English first."""
    return [ENGLISH, *sorted(path.stem for path in _HERE.glob("*.toml"))]


@cache
def of(language: str) -> Words:
    """The words of one of :func:`languages`."""
    if language == ENGLISH:
        return Words()
    return Words(language, **tomllib.loads((_HERE / f"{language}.toml").read_text(encoding="utf-8")))


def of_surroundings(environment: Mapping[str, str] = os.environ) -> str:
    """The language that the environment asks for (``LC_ALL``, ``LC_MESSAGES``, ``LANG``), where there is one."""
    asked = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := environment.get(name))), "")
    tag = re.split("[.@]", asked)[0].replace("_", "-")
    if tag.startswith("zh-Hant"):
        tag = "zh-TW"
    return tag if tag in languages() else ENGLISH
