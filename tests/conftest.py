"""For every test: no weights, neither downloaded nor out of the cache of whoever runs it, and no other language."""

import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

from tests.site import browsing


@pytest.fixture(scope="session", autouse=True)
def _weights_of_nobody() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADER_VGGISH_URL", "")
        patch.setenv("GRADER_CACHE", folder)
        patch.setenv("TORCH_HOME", folder)
        patch.setenv("LC_ALL", "C.UTF-8")
        yield


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One Chromium for a module, closed behind it; skips where it or Playwright is not there."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if browsing.CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=browsing.CHROMIUM, args=[*browsing.QUIET, *browsing.HEARING])
        yield opened
        opened.close()
