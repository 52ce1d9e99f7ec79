"""Reads the page as a browser does, far enough to compare its numbers and its skeleton."""

from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "input", "br", "path", "circle", "polyline", "link"}


class Page(HTMLParser):
    """tags: every tag with its attributes, in order. cells: of each table body row, as (class, data-v, text)."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == [], "tags left open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.text.append("\n")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        self.tags.append((f"/{tag}", {}))
        self.text.append("\n")

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def skeleton(self) -> list[tuple[str, tuple[str, ...]]]:
        """Tags and the names of their attributes: what text from a hand-in must never change."""
        return [(tag, tuple(attributes)) for tag, attributes in self.tags]

    def all_text(self) -> str:
        return "".join(self.text)


def students(page: Page) -> list[list[str | None]]:
    """For each student's row, what its cells sort by, in the order of the columns."""
    rows: list[list[str | None]] = []
    inside = False
    for tag, attributes in page.tags:
        if tag == "tr":
            inside = attributes.get("class") == "head"
            if inside:
                rows.append([])
        elif tag == "/tr":
            inside = False
        elif inside and tag in ("td", "th"):
            rows[-1].append(attributes.get("data-v"))
    return rows


def attributes_of(page: Page, tag: str) -> list[dict[str, Any]]:
    return [attributes for name, attributes in page.tags if name == tag]
