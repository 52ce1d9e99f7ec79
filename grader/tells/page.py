"""The page of tells, for the TA only: ``site/tells.html``. It is never part of a public site.

Sounds are the hand-ins' own files, where they lie; so the page is opened from the course folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from grader.rubric import Rubric
from grader.site import pages, strings
from grader.site.audience import Audience
from grader.tells.records import Kind, Tell, Tells

NAME = "tells.html"


def tells_page(tells: Tells, rubric: Rubric, site: Path, audience: Audience | None = None) -> str:
    """The page as HTML. site: the folder that it will lie in, from which the sounds are linked."""
    audience = audience or Audience(language=rubric.site.language)
    of_kind: Mapping[Kind, list[Tell]] = {kind: [tell for tell in tells.found if tell.kind is kind] for kind in Kind}

    def href(path: Path) -> str:
        relative = os.path.relpath(path.absolute(), site.absolute())
        return quote(Path(relative).as_posix().encode("utf-8", "surrogateescape"))

    said = strings.of(audience.language)
    return (
        pages.templates()
        .get_template(NAME)
        .render(
            t=said,
            audience=audience,
            public=False,
            page="tells",
            scripts=("site.js",),
            given={"texts": said.section("js")},
            rubric=rubric,
            tells=tells,
            of_kind=of_kind,
            kinds=[kind for kind in Kind if of_kind[kind]],
            columns=_columns,
            href=href,
        )
        .lstrip("\n")
    )


def _columns(tell: Tell) -> list[str]:
    """The names of all values in a tell's evidence, in their first order."""
    return list(dict.fromkeys(name for piece in tell.evidence for name in piece.values))
