"""For everyone: axe-core finds nothing serious on any page, in light and dark; and a class of 300 opens fast."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.findings import Severity
from grader.grades.leaderboard import Leaderboard, leaderboard
from grader.rerun.evidence import Kind
from grader.site import pages, render
from grader.site.audience import Audience
from tests.grades.making import ON_TIME, course, finding, rerun, result, scores, the_rubric
from tests.site.browsing import Watched, watched
from tests.site.sounding import FIRST, Sounding, make

LARGE = 300


@pytest.fixture
def sounding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sounding:
    return make(tmp_path, monkeypatch)


@pytest.fixture
def watch(browser: Any, sounding: Sounding) -> Iterator[Watched]:
    """A private site as it is built."""
    sounding.build()
    with watched(browser, sounding.course.site) as watch:
        yield watch


def violations(page: Any) -> list[str]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    found = axe.Axe().run(page, options={"preload": False}).response["violations"]
    return [
        f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(watch: Watched, scheme: str) -> None:
    index = watch.open("index.html", color_scheme=scheme)
    index.locator(".toggle").first.click()
    index.locator(".menu summary").click()
    assert violations(index) == []
    listen = watch.open("listen.html", color_scheme=scheme)
    listen.wait_for_selector(".panel")
    listen.locator("#views button[value=all]").click()
    listen.locator("#choose summary").click()
    assert violations(listen) == []
    listen.keyboard.press("b")
    listen.keyboard.press("4")
    listen.keyboard.press("v")
    assert violations(listen) == []
    listen.locator("#help").click()
    assert violations(listen) == []
    assert violations(watch.open(f"students/{FIRST}.html", color_scheme=scheme)) == []


def a_large_class(size: int = LARGE) -> Leaderboard:
    """Two baselines, everyone with findings, a third rerun, some failed."""
    chance = random.Random(0)
    results, reruns, points = [], {}, {}
    for number in range(size):
        student_id = f"R12{number:06d}"
        found = scores(1.1 + chance.random() ** 2 * 2, 0.05 + chance.random() / 2, 0.3 + chance.random() * 5)
        note = finding(Severity.WARNING, "The clip is quieter than it should be: −52 dBFS.", "Render it louder.")
        other = finding(Severity.NOTE, "The clip is 12 samples longer than its mel.", code="made-for-a-test-2")
        failed = number % 30 == 29
        results.append(
            result(
                student_id,
                None if failed else found,
                failure="It is silent." if failed else None,
                findings=(note, other),
            )
        )
        points[student_id] = float(chance.randint(20, 50))
        if number % 3 == 0:
            reruns[student_id] = rerun(student_id, chance.choice(list(Kind)), "the clips differ from the upload")
    baselines = {"griffin_lim": scores(2.1, 0.1, 3.4), "hifigan": scores(1.3, 0.2, 0.9)}
    times = {each.hand_in.student_id: ON_TIME for each in results}
    return leaderboard(the_rubric(), course(*results, baselines=baselines), times, points, reruns)


def test_a_class_of_300_is_small_and_opens_at_once(browser: Any, tmp_path: Path) -> None:
    board = a_large_class()
    clips = tuple(f"{number:03d}" for number in range(1, 31))
    audience = Audience(clips=clips, student_pages=True)
    render.write(render.files(board, audience), tmp_path)
    page = tmp_path / "index.html"
    assert page.stat().st_size < 500_000
    assert (tmp_path / "listen.html").stat().st_size < 50_000
    with watched(browser, tmp_path) as watch:
        opened = watch.open("about:blank")
        counters = opened.context.new_cdp_session(opened)
        counters.send("Performance.enable", {"timeDomain": "threadTicks"})  # a busy machine's clock says nothing
        opened.goto(page.as_uri(), timeout=120_000)
        metrics = {each["name"]: each["value"] for each in counters.send("Performance.getMetrics")["metrics"]}
        assert opened.locator("tbody.student").count() == LARGE * 29 // 30
        assert opened.locator("#plots svg").count() == 5
        assert metrics["TaskDuration"] < 1.5, metrics


def test_no_page_needs_more_than_its_own_folder(watch: Watched) -> None:
    listen = watch.open("listen.html")
    listen.wait_for_selector(".panel")
    asked = {url.rsplit("/site/", 1)[1].partition("#")[0] for url in watch.asked if url.startswith("file:")}
    assert {"assets/listen.css", "clips/001.js"} <= asked
    assert asked - {"listen.html"} <= {path.relative_to(watch.folder).as_posix() for path in watch.folder.rglob("*")}
    watch.asked.clear()
    watch.open(f"students/{FIRST}.html")
    assert {url for url in watch.asked if not url.startswith(("data:", "blob:"))} == {
        f"{watch.folder.as_uri()}/students/{FIRST}.html"
    }, "a page that is sent to a student brings all with it"


@pytest.mark.parametrize("page", ["index", "listen"])
def test_landmarks_and_headings(page: str, board: Leaderboard) -> None:
    make = {"index": pages.index_html, "listen": pages.listen_html}[page]
    text = make(board, Audience(clips=("001",)))
    assert text.startswith("<!doctype html>")
    for mark in ("<main", "<header", "<h1", 'class="skip" href="#content"', '<html lang="en">'):
        assert text.count(mark) == 1, mark
    assert 'lang="zh-TW"' in make(board, Audience(clips=("001",), language="zh-TW"))
