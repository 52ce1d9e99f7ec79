"""Who hangs together with whom."""

from __future__ import annotations

from collections.abc import Iterable


def groups(pairs: Iterable[tuple[str, str]]) -> list[set[str]]:
    """The sets of names that pairs join, directly or through others, in the order of their first names."""
    of: dict[str, set[str]] = {}
    for first, second in pairs:
        few, many = sorted((of.setdefault(first, {first}), of.setdefault(second, {second})), key=len)
        if few is not many:
            many |= few
            of |= dict.fromkeys(few, many)
    unique = {id(members): members for members in of.values()}
    return sorted(unique.values(), key=min)
