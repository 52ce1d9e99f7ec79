"""The page in real Chromium, where that and Playwright are there: sorting, filtering, opening, phone width, quiet."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.site import render
from tests.site.conftest import a_class

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

HOSTILE = "\"><script>document.title = 'pwned'</script>\u202e<img src=x onerror=alert(1)>" + "x" * 300


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    quiet = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=[*quiet, "--disable-sync"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Opens a class's page; at the end, nothing may have been said on the console and nothing else requested."""
    contexts, said, asked, urls = [], [], [], set()

    def open_page(name: str = "R12922004", *, width: int = 1400, **options: Any) -> Any:
        url = render.publish(a_class(name=name, said=name), tmp_path).as_uri()
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}, **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(url)
        urls.add(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []
    assert set(asked) == urls


def shown(page: Any) -> list[str]:
    """What stands in the student column of the rows that are visible, in order."""
    names = page.locator("#board > tbody:visible > tr:first-child > .who").all_inner_texts()
    return [name.split()[0] for name in names]


BY_RANK = ["R12922001", "B10902017", "R12922004", "D11944011", "R12922009", "Griffin-Lim", "R12922012"]


def test_every_column_sorts_both_ways_and_back(visit: Any) -> None:
    page = visit()
    assert shown(page) == BY_RANK
    heads = page.locator("#board > thead button")
    final = heads.nth(8)
    final.click()
    assert page.locator("#board > thead th").nth(8).get_attribute("aria-sort") == "ascending"
    assert shown(page)[:3] == ["R12922004", "B10902017", "R12922001"]
    final.press("Enter")
    assert page.locator("[aria-sort=descending]").count() == 1
    assert shown(page)[:3] == ["R12922001", "B10902017", "R12922004"]
    heads.nth(3).click()
    assert shown(page)[:2] == ["Griffin-Lim", "D11944011"]
    assert "log2-F0" in page.locator("#status").inner_text()
    heads.nth(1).click()
    assert shown(page)[:2] == ["B10902017", "D11944011"]
    heads.nth(0).click()
    assert shown(page) == BY_RANK


def test_the_filter_keeps_the_rows_that_hold_the_text(visit: Any) -> None:
    page = visit()
    page.fill("#filter", "r12922007")
    assert shown(page) == ["Griffin-Lim"]
    assert page.locator(".card:visible h3").all_inner_texts() == ["R12922007"]
    page.fill("#filter", "nobody at all")
    assert page.locator("#nothing").is_visible()
    page.fill("#filter", "")
    assert shown(page) == BY_RANK


def test_details_open_by_keyboard_and_stay_with_their_row(visit: Any) -> None:
    page = visit()
    toggle = page.locator(".toggle").first
    assert not page.locator(".panel-body").first.is_visible()
    toggle.press("Enter")
    assert toggle.get_attribute("aria-expanded") == "true"
    assert page.locator(".panel-body:visible").count() == 1
    page.locator("#board > thead button").nth(2).click()
    page.locator("#board > thead button").nth(2).click()
    assert page.locator(".student.open .who").inner_text().strip() == "R12922001"
    page.locator("#all").click()
    assert page.locator(".panel-body:visible").count() == 6


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_only_the_table_scrolls_sideways(visit: Any, scheme: str) -> None:
    page = visit(width=390, color_scheme=scheme)
    page.locator("#all").click()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    scroller = page.locator(".scroller")
    scroller.evaluate("region => { region.scrollLeft = 400 }")
    name = page.locator(".toggle").first.bounding_box()
    assert 0 <= name["x"] < 120
    assert page.locator(".panel").first.bounding_box()["width"] <= 390


def test_the_theme_is_switched_and_kept(visit: Any) -> None:
    page = visit(color_scheme="light")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    after = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert before != after
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == after


def test_without_scripts_everything_can_be_read(visit: Any) -> None:
    page = visit(java_script_enabled=False)
    assert shown(page) == BY_RANK
    page.locator("summary").first.click()
    assert page.locator(".panel-body").first.is_visible()
    assert not page.locator("#filter").is_visible()


def test_a_hostile_id_only_shows(visit: Any) -> None:
    page = visit(HOSTILE, width=390)
    page.locator("#all").click()
    assert page.title() == "HW2 GAN-based Mel-Vocoder · Leaderboard"
    assert page.locator("img").count() == 0
    assert page.locator(".toggle bdi").nth(2).inner_text() == HOSTILE
    assert page.evaluate("document.documentElement.scrollWidth") == 390
