"""The leaderboard in real Chromium, where that and Playwright are there: sorting, searching, columns, plots, quiet."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.site import render
from tests.site.browsing import watched
from tests.site.conftest import a_class

HOSTILE = "\"><script>document.title = 'pwned'</script>\u202e<img src=x onerror=alert(1)>" + "x" * 300


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens a class's page."""
    with watched(browser, tmp_path) as watch:

        def open_page(name: str = "R12922004", **options: Any) -> Any:
            render.write(render.files(a_class(name=name, said=name)), tmp_path)
            return watch.open(**options)

        yield open_page


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
    assert not page.locator(".panel").first.is_visible()
    toggle.press("Enter")
    assert toggle.get_attribute("aria-expanded") == "true"
    assert page.locator(".panel:visible").count() == 1
    page.locator("#board > thead button").nth(2).click()
    page.locator("#board > thead button").nth(2).click()
    assert page.locator(".student.open .who").inner_text().strip() == "R12922001"
    page.locator("#all").click()
    assert page.locator(".panel:visible").count() == 6


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_only_the_table_scrolls_sideways(visit: Any, scheme: str) -> None:
    page = visit(width=390, color_scheme=scheme)
    page.locator("#all").click()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    scroller = page.locator(".scroller")
    scroller.evaluate("region => { region.scrollLeft = 400 }")
    name = page.locator(".who bdi").first.bounding_box()
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
    assert page.locator(".panel").count() == page.locator(".panel:visible").count() == 6
    assert not page.locator("#filter").is_visible()


def test_a_hostile_id_only_shows(visit: Any) -> None:
    page = visit(HOSTILE, width=390)
    page.locator("#all").click()
    assert page.title() == "HW2 GAN-based Mel-Vocoder · Leaderboard"
    assert page.locator("img").count() == 0
    assert page.locator(".student .who bdi").nth(2).inner_text() == HOSTILE
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_some_students_are_picked(visit: Any) -> None:
    page = visit()
    page.select_option("#only", "late")
    assert shown(page) == ["R12922004", "D11944011", "Griffin-Lim", "R12922012"]
    page.fill("#filter", "d119")
    assert shown(page) == ["D11944011", "Griffin-Lim"]
    assert page.locator("#only option").all_inner_texts()[0] == "Everyone"


def test_columns_are_left_out_and_that_is_remembered(visit: Any) -> None:
    page = visit()
    page.locator(".menu summary").click()
    page.get_by_label("Report", exact=True).uncheck()
    page.get_by_label("Rerun", exact=True).uncheck()
    heads = page.locator("#board thead th:visible")
    assert heads.count() == 9
    page.keyboard.press("Escape")
    assert not page.get_by_label("Report", exact=True).is_visible()
    page.reload()
    assert heads.count() == 9
    assert "Report" not in "".join(heads.all_inner_texts())
    page.locator(".toggle").first.click()
    wide = page.locator("#board").bounding_box()["width"]
    assert page.locator(".more > td:visible").bounding_box()["width"] == pytest.approx(wide, abs=2)


def test_plots_show_everyone_and_lead_to_the_row(visit: Any) -> None:
    page = visit()
    figures = page.locator("#plots figure")
    assert figures.count() == 5
    assert figures.nth(0).locator(".dot").count() == 6
    assert figures.nth(2).locator(".dot").count() == 5  # one has no FAD
    assert "best 1.19, median 1.44, worst 2.50" in figures.nth(0).locator("svg").get_attribute("aria-label")
    page.select_option("#plots select >> nth=1", "2")
    assert "FAD" in figures.nth(3).locator("svg").get_attribute("aria-label")
    first = figures.nth(0).locator(".dot").first
    first.hover()
    assert figures.nth(0).locator(".tip").text_content() == "R12922001"
    first.click()
    assert page.locator(".found .who bdi").inner_text() == "R12922001"
    page.fill("#filter", "R12922004")
    assert figures.nth(0).locator(".dot:not(.off)").count() == 1


def test_a_student_is_linked_to(visit: Any) -> None:
    page = visit(page="index.html#student=D11944011")
    assert page.locator(".found .who bdi").inner_text() == "D11944011"


def test_large_type_for_a_projector_goes_along_and_leaves_out_what_is_private_small_print(visit: Any) -> None:
    page = visit(page="index.html?projector")
    assert page.evaluate("getComputedStyle(document.documentElement).fontSize") == "24px"
    assert not page.locator("td.report").first.is_visible()
    page.locator("#projector").click()
    page.wait_for_url("**/index.html")
    assert page.evaluate("getComputedStyle(document.documentElement).fontSize") == "16px"
