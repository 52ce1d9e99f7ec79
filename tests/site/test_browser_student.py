"""A student's page in real Chromium, opened from disk: it plays what lies in it, and asks for nothing else."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.site.browsing import until, watched
from tests.site.sounding import FIRST, SILENT, make

KEY = "student"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        sounding = make(tmp_path_factory.mktemp("course"), patch)
        sounding.build()
        yield sounding.course.site


@pytest.fixture
def visit(browser: Any, site: Path) -> Iterator[Callable[..., Any]]:
    with watched(browser, site) as watch:
        yield lambda student=FIRST, **options: watch.open(f"students/{student}.html", **options)


def test_a_clip_plays_and_another_source_goes_on_from_there(visit: Any) -> None:
    page = visit()
    page.locator(".hear").nth(1).click()
    until(page, "grader.player.time > 0.1")
    name = page.locator(".hear").nth(1).get_attribute("data-clip")
    assert page.locator("tr.playing th").inner_text().endswith(f"{name}.wav")
    switch = "const at = player.time; player.pick('griffin_lim'); return [at, player.time, player.heard];"
    before, after, heard = page.evaluate(f"((player) => {{ {switch} }})(grader.player)")
    assert heard == "griffin_lim"
    assert abs(after - before) < 0.05
    until(page, "!grader.player.playing")


def test_it_seeks_inside_its_own_file(visit: Any) -> None:
    page = visit()
    page.evaluate("grader.player.seek(0.3)")
    until(page, "[...grader.player.tracks.values()].every(({ audio }) => Math.abs(audio.currentTime - 0.3) < 0.02)")


def test_pictures_are_shown_and_the_difference_is_the_students(visit: Any) -> None:
    page = visit()
    until(page, "[...document.querySelectorAll('#stage img')].length === 2")
    until(page, "[...document.querySelectorAll('#stage img')].every((image) => image.naturalWidth === 43)")
    page.locator("#pictures button").nth(1).click()
    shown = page.evaluate("[...document.querySelectorAll('#stage .picture')].map((row) => row.className)")
    assert shown == ["row picture mel", "row picture difference"]
    assert "±30 dB" in page.locator("#legend").inner_text()


def test_by_keyboard(visit: Any) -> None:
    page = visit()
    page.keyboard.press("2")
    assert page.evaluate("grader.player.current") == KEY
    page.keyboard.press("1")
    assert page.evaluate("grader.player.current") == "griffin_lim"
    page.keyboard.press("ArrowRight")
    until(page, "grader.player.time > 0.4")
    page.keyboard.press("ArrowLeft")
    until(page, "grader.player.time < 0.1")
    page.keyboard.press(" ")
    assert page.evaluate("grader.player.playing")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("student", [FIRST, SILENT])
def test_on_a_phone_nothing_scrolls_sideways(visit: Any, scheme: str, student: str) -> None:
    page = visit(student, width=390, height=800, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_without_scripts_everything_can_be_read(visit: Any) -> None:
    page = visit(java_script_enabled=False)
    assert page.locator(".clip-table tbody tr").count() == 2
    assert page.locator("noscript .notice").is_visible()
    assert not page.locator("#player").is_visible()
    assert page.locator(".sentences dd").first.is_visible()
