"""Real Chromium for the tests of pages: one for the whole run, and a page that is watched while a test uses it."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
HEARING = ("--disable-sync", "--autoplay-policy=no-user-gesture-required", "--mute-audio")


@dataclass
class Watched:
    """Opens pages of a folder. said: what stood on the console. asked: every address requested."""

    browser: Any
    folder: Path
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    contexts: list[Any] = field(default_factory=list)

    def open(self, page: str = "index.html", *, width: int = 1400, height: int = 800, **options: Any) -> Any:
        """A page of its own, with storage of its own; ``page`` may carry a query and a fragment."""
        self.contexts.append(self.browser.new_context(viewport={"width": width, "height": height}, **options))
        opened = self.contexts[-1].new_page()
        opened.set_default_timeout(30_000)
        opened.on("console", lambda message: self.said.append(message.text))
        opened.on("pageerror", lambda error: self.said.append(str(error)))
        opened.on("request", lambda request: self.asked.append(request.url))
        opened.goto(page if page == "about:blank" else f"{self.folder.as_uri()}/{page}")
        return opened

    def strangers(self) -> list[str]:
        """Requests that left the folder."""
        inside = (f"{self.folder.as_uri()}/", "blob:", "data:", "about:blank")
        return [url for url in self.asked if not url.startswith(inside)]


def until(page: Any, expression: str, *, seconds: float = 10) -> None:
    """Wait till ``expression`` holds in ``page``. Playwright's own waiting needs eval, which the pages forbid."""
    end = time.monotonic() + seconds
    while not page.evaluate(f"Boolean({expression})"):
        assert time.monotonic() < end, f"never so: {expression}"
        page.wait_for_timeout(20)


@contextmanager
def watched(browser: Any, folder: Path) -> Iterator[Watched]:
    """At the end nothing may have been said on the console, and nothing been asked for outside of ``folder``."""
    watch = Watched(browser, folder)
    yield watch
    for context in watch.contexts:
        context.close()
    assert watch.said == [], watch.said
    assert watch.strangers() == [], watch.strangers()
