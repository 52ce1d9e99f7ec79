"""How to tell that a text is not English any more."""

import re

_CODE = re.compile(
    r"soundfile\.write\([^)]*\)|np\.isfinite\(audio\)\.all\(\)|python -m pip freeze > requirements\.txt|zip -r \S+ \S+"
    r"|librosa\.filters\.mel\([^)]*\)|torch\.cuda\.is_available\(\)|\(zipped\)|cp -L"
)
_WORDS = re.compile(r"[a-z]{2,} [a-z]{2,}")


def english_left(text: str) -> str:
    """Two English words one after the other, where there are any but in commands and code."""
    found = _WORDS.search(_CODE.sub("", text))
    return found[0] if found else ""
