"""The words of the pages: a folder per language with a TOML file per section, English being the one that is whole.

A key is ``section.name``. A value is a text with ``{fields}``, or a table ``{one = "…", many = "…"}`` of which
``count`` picks. What a language lacks stands there in English. Texts are plain: templates escape them, filled in.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

DEFAULT = "en"
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Strings:
    """One language's texts. language: its tag, as HTML's ``lang`` takes it."""

    language: str
    texts: Mapping[str, Any]

    def __call__(self, key: str, /, **values: Any) -> str:
        """The text of ``key`` with ``values`` filled in. Raises KeyError for a key that no language has."""
        text = self.texts[key]
        if isinstance(text, Mapping):
            text = text["one" if values["count"] == 1 and "one" in text else "many"]
        return str(text).format(**values) if values else str(text)

    def section(self, name: str) -> dict[str, Any]:
        """All texts of a section as they are, by their names within it: what a page's script is given."""
        start = f"{name}."
        return {key.removeprefix(start): text for key, text in self.texts.items() if key.startswith(start)}


def languages() -> list[str]:
    """The languages there are, English first."""
    return sorted({path.parent.name for path in _HERE.glob("*/*.toml")}, key=lambda name: (name != DEFAULT, name))


@cache
def of(language: str = DEFAULT) -> Strings:
    """The texts of ``language``, one of :func:`languages`."""
    if language not in languages():
        raise KeyError(f"no strings for {language!r}; there are {', '.join(languages())}")
    return Strings(language, {**_read(DEFAULT), **_read(language)})


def _read(language: str) -> dict[str, Any]:
    found = {}
    for path in sorted((_HERE / language).glob("*.toml")):
        texts = tomllib.loads(path.read_text(encoding="utf-8"))
        found.update({f"{path.stem}.{name}": text for name, text in texts.items()})
    return found
