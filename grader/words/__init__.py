"""What findings say, in other languages: a TOML file per language, whose keys are the English sentences of the checks.

A sentence is looked up with its ``{fields}`` unfilled; one that is put together of several is looked up piece by
piece. A sentence that records keep filled in, such as a rerun's verdict, is found by the words around its fields.
Some fields hold words of their own (``3 files are``), which have tables too. What a language lacks stays English, and
records and their JSON form are English always.
"""

from __future__ import annotations

import os
import re
import string
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from grader.findings import Finding

ENGLISH = "en"
_HERE = Path(__file__).parent
_SKIPPED = re.compile("(?P<start>.*)“(?P<rule>.+)”", re.DOTALL)
_NESTED = ("said", "fix", "rest")  # fields that hold a sentence


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

    def where(self, finding: Finding) -> str:
        """The place of a finding; of one about the code the grader's own word for it."""
        ours = finding.code.startswith(("code-", "rerun-"))
        return str(self.value("where", finding.where)) if ours else finding.where

    def said(self, text: str) -> str:
        """A sentence whose fields are filled in already; what is put into it stays as it is."""
        if text in self.sentences:
            return self.sentences[text]
        for english, shape in self._shapes.items():
            if (found := shape.read(text)) is not None:
                values = {name: self.value(name, value) for name, value in found.items()}
                return self.sentences[english].format_map(values)
        return text

    def value(self, name: str, value: Any) -> Any:
        """What a field of that name holds, where it is the grader's own words."""
        if not isinstance(value, str):
            return value
        if name in _NESTED:
            return self.said(value)
        value = self.facts.get(name, {}).get(value, value)
        for pattern, replacement in self.patterns.get(name, {}).items():
            value = re.sub(pattern, replacement, value)
        return value

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
        return self.template(template).format_map({name: self.value(name, value) for name, value in facts.items()})

    @cached_property
    def _shapes(self) -> Mapping[str, _Shape]:
        """The sentences that have fields, those that start with most words of their own first."""
        shapes = {english: _shape(english) for english in self.sentences}
        mixed = [english for english, shape in shapes.items() if shape.names]
        mixed.sort(key=lambda each: (len(shapes[each].own[0]), sum(map(len, shapes[each].own))), reverse=True)
        return {english: shapes[english] for english in mixed}


@dataclass(frozen=True)
class _Shape:
    """A sentence's own words, and the names of the fields between them."""

    own: tuple[str, ...]
    names: tuple[str, ...]

    def read(self, text: str) -> dict[str, str] | None:
        """What stands in the fields, each as short as can be; None where the text is another sentence."""
        start, *between, end = self.own
        at, stop, values = len(start), len(text) - len(end), []
        if at > stop or not (text.startswith(start) and text.endswith(end)):
            return None
        for own in between:
            found = text.find(own, at, stop)
            if found < 0:
                return None
            values.append(text[at:found])
            at = found + len(own)
        values.append(text[at:stop])
        held = dict(zip(self.names, values, strict=True))
        return held if all(held[name] == value for name, value in zip(self.names, values, strict=True)) else None


def _shape(template: str) -> _Shape:
    own, names = [""], []
    for literal, name, _, _ in string.Formatter().parse(template):
        own[-1] += literal
        if name:
            names.append(name)
            own.append("")
    return _Shape(tuple(own), tuple(names))


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
