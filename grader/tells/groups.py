"""Who hangs together with whom."""

from __future__ import annotations

from collections.abc import Iterable


def groups(pairs: Iterable[tuple[str, str]]) -> list[set[str]]:
    """The sets of names that pairs join, directly or through others, in the order of their first names."""
    of: dict[str, set[str]] = {}
    for first, second in pairs:
        joined = of.get(first, {first}) | of.get(second, {second})
        for name in joined:
            of[name] = joined
    unique = {id(members): members for members in of.values()}
    return sorted(unique.values(), key=min)
