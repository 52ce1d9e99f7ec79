"""Strings: every language says the same things, with the same fields, and what it lacks stands in English."""

import string
from typing import Any

import pytest

from grader.site import strings

OTHERS = [name for name in strings.languages() if name != strings.DEFAULT]


def fields(text: Any) -> set[str]:
    texts = text.values() if isinstance(text, dict) else [text]
    return {name for each in texts for _, name, _, _ in string.Formatter().parse(each) if name}


def test_english_and_traditional_chinese_are_there() -> None:
    assert strings.languages()[0] == "en"
    assert "zh-TW" in OTHERS


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_every_key_with_its_fields(language: str) -> None:
    english, other = strings._read(strings.DEFAULT), strings._read(language)
    assert sorted(english) == sorted(other)
    assert [key for key, text in english.items() if fields(text) != fields(other[key])] == []


def test_fields_are_filled_and_count_picks_the_form() -> None:
    said = strings.Strings("xx", {"a.b": "{who} & {n:.1f}", "a.c": {"one": "{count} clip", "many": "{count} clips"}})
    assert said("a.b", who="<x>", n=2) == "<x> & 2.0"
    assert [said("a.c", count=count) for count in (0, 1, 2)] == ["0 clips", "1 clip", "2 clips"]
    assert said.section("a")["b"] == "{who} & {n:.1f}"


def test_an_unknown_key_or_language_is_an_error() -> None:
    with pytest.raises(KeyError):
        strings.of()("nothing.such")
    with pytest.raises(KeyError, match="there are en, zh-TW"):
        strings.of("tlh")
