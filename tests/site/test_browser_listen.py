"""The listening page in real Chromium: sources in step, loops, blind mode and votes, addresses, keys, hostile names."""

import itertools
import json
import re
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.site import pages, render
from grader.site.audience import Audience
from tests.site.browsing import until, watched
from tests.site.clips import write_clips
from tests.site.conftest import a_class

STUDENTS = ["R12922001", "B10902017", "R12922004", "D11944011"]
HOSTILE = "\"><script>document.title = 'pwned'</script>\u202e<img src=x onerror=alert(1)>" + "x" * 300
AUDIENCE = Audience(clips=("001", "002"), student_pages=True)


def lay_out(folder: Path, students: list[str]) -> Path:
    render.write(render.files(a_class()), folder)
    (folder / "listen.html").write_text(pages.listen_html(a_class(), AUDIENCE), encoding="utf-8")
    write_clips(folder, students)
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out(tmp_path_factory.mktemp("site"), STUDENTS)


@pytest.fixture
def visit(browser: Any, site: Path) -> Iterator[Callable[..., Any]]:
    """Opens the page with the first three students on stage: reference, two baselines, three students."""
    with watched(browser, site) as watch:

        def open_page(address: str = "", **options: Any) -> Any:
            page = watch.open(f"listen.html{address}", **options)
            page.wait_for_function(
                "grader.player.heard && [...grader.player.tracks.values()].every(t => t.audio.readyState === 4)"
            )
            return page

        yield open_page


def called(page: Any) -> list[str]:
    return page.locator("#sources .called bdi").all_inner_texts()


def heard(page: Any) -> str:
    return page.locator('#sources .pick[aria-pressed="true"] bdi').inner_text()


def time_of(page: Any) -> float:
    return page.evaluate("grader.player.time")


def test_a_clip_is_on_stage_with_its_pictures(visit: Any) -> None:
    page = visit()
    assert called(page) == ["Reference", "HiFi-GAN", "Griffin-Lim", *STUDENTS[:3]]
    assert heard(page) == "Reference"
    page.locator("#views button[value=all]").click()
    assert page.locator(".panel").count() == 6
    assert page.evaluate("[...document.querySelectorAll('.picture img')].every(i => i.naturalWidth > 0)")
    inked = "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
    for kind in ("f0", "wave"):
        assert page.locator(f".{kind} canvas").first.evaluate(inked) > 2
    page.locator("#layers button[value=f0]").click()
    assert page.locator(".f0").count() == 0
    page.locator("#pictures button[value=difference]").click()
    assert page.locator(".picture.difference").count() == 5
    page.reload()
    page.wait_for_selector(".panel")
    assert page.locator(".picture.difference").count() == 5, "what is looked at is remembered"


SWITCHING = """async () => {
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const now = () => { const heard = grader.player.tracks.get(grader.player.heard); return heard.audio.currentTime; };
  const found = [];
  grader.player.seek(0.2);
  await wait(400);
  for (const key of ["R12922001", "griffin_lim", "reference", "R12922004", "hifigan"]) {
    const before = now(), at = performance.now();
    grader.player.pick(key);
    const jump = now() - before;
    await wait(250);
    const loud = [...grader.player.tracks].filter(([, track]) => track.audio.volume > 0.001).map(([name]) => name);
    found.push({ key, loud, heard: grader.player.heard, jump, late: now() - before - (performance.now() - at) / 1000 });
  }
  return found;
}"""


def test_switching_keeps_the_position_to_50_ms(visit: Any) -> None:
    page = visit()
    page.keyboard.press(" ")
    until(page, "grader.player.time > 0.6")
    late = []
    for _ in range(3):  # a busy machine lets the clock of all sound stand still at times
        found = page.evaluate(SWITCHING)
        for switch in found:
            assert switch["loud"] == [switch["heard"]] == [switch["key"]]
            assert abs(switch["jump"]) < 0.05, switch
        late.append(statistics.median(abs(switch["late"]) for switch in found))
        if late[-1] < 0.05:
            break
    assert min(late) < 0.05, late


def test_switching_while_paused_keeps_the_position_too(visit: Any) -> None:
    page = visit()
    page.evaluate("grader.player.seek(1.37)")
    page.keyboard.press("5")
    assert heard(page) == STUDENTS[1]
    assert time_of(page) == pytest.approx(1.37, abs=0.01)
    page.keyboard.press("x")
    assert heard(page) == "Reference"


def test_a_click_seeks_and_a_drag_loops(visit: Any) -> None:
    page = visit()
    face = page.locator(".face").last.bounding_box()

    def at(share: float) -> tuple[float, float]:
        return face["x"] + share * face["width"], face["y"] + 40

    page.mouse.click(*at(0.75))
    assert time_of(page) == pytest.approx(3, abs=0.03)
    left = page.locator(".cursor").first.evaluate("cursor => parseFloat(cursor.style.left)")
    assert left == pytest.approx(75, abs=1), "sound and picture share a cursor"
    page.mouse.move(*at(0.25))
    page.mouse.down()
    page.mouse.move(*at(0.3))
    page.mouse.move(*at(0.4))
    page.mouse.up()
    assert page.locator("#loop").get_attribute("aria-pressed") == "true"
    assert page.locator(".region").first.is_visible()
    page.keyboard.press(" ")
    times = page.evaluate(
        """async () => {
          const found = [];
          for (let i = 0; i < 40; i += 1) {
            await new Promise((done) => setTimeout(done, 40));
            found.push(grader.player.time);
          }
          return found;
        }"""
    )
    assert min(times) > 0.95
    assert max(times) < 1.75
    assert sum(later < earlier for earlier, later in itertools.pairwise(times)) >= 2, "it went round"
    page.keyboard.press("l")
    assert page.locator("#loop").get_attribute("aria-pressed") == "false"
    until(page, "grader.player.time > 2")


def test_levels_are_matched_and_shown_and_can_be_left(visit: Any) -> None:
    page = visit()
    volume = "grader.player.tracks.get(grader.player.heard).audio.volume"
    for number, gain_db in enumerate((0, -1.5, -3, -4.5, 0, -1.5), 1):
        page.keyboard.press(str(number))
        assert page.evaluate(volume) == pytest.approx(10 ** (gain_db / 20))
    assert page.locator(".level").all_inner_texts()[3] == "−4.5 dB"
    page.locator("#match").click()
    assert page.evaluate(volume) == 1
    assert page.locator(".level").all_inner_texts()[3] == ""
    assert "own level" in page.locator("#levels").inner_text()


def test_an_address_says_clip_and_sources(visit: Any) -> None:
    page = visit("#clip=002&on=D11944011,R12922001")
    assert page.locator("#clip").input_value() == "002"
    assert called(page)[3:] == ["R12922001", "D11944011"]
    assert heard(page) == "D11944011"
    assert page.title() == "002 · HW2 GAN-based Mel-Vocoder"
    page.keyboard.press("[")
    until(page, "location.hash.startsWith('#clip=001')")
    assert "on=R12922001,D11944011" in page.url
    assert heard(page) == "D11944011", "the source stays from clip to clip"


def test_others_are_put_on_stage(visit: Any) -> None:
    page = visit()
    page.locator("#choose summary").click()
    page.fill("#search", "d119")
    page.get_by_label("D11944011", exact=True).check()
    assert called(page)[-1] == "D11944011"
    page.fill("#search", "")
    page.get_by_label("HiFi-GAN", exact=True).uncheck()
    assert "HiFi-GAN" not in called(page)
    page.reload()
    page.wait_for_selector(".panel")
    assert called(page) == ["Reference", "Griffin-Lim", *STUDENTS]


def everything(page: Any) -> str:
    """All that could give a name away."""
    return page.evaluate("document.documentElement.outerHTML + location.href + document.title")


def test_blind_nobody_is_named_until_revealed_and_votes_are_kept(visit: Any) -> None:
    page = visit("#on=R12922001,B10902017,R12922004,D11944011")
    page.evaluate("grader.remember('votes', { seed: 20231101, counts: {}, blind: false, open: false })")
    page.reload()
    page.wait_for_selector(".panel")
    page.keyboard.press("b")
    letters = [f"Student {letter}" for letter in "ABCD"]
    assert called(page) == ["Reference", "HiFi-GAN", "Griffin-Lim", *letters]
    for name in STUDENTS:
        assert name not in everything(page)
    page.locator("#views button[value=all]").click()
    page.keyboard.press("5")
    for _ in range(3):
        page.keyboard.press("v")
    page.keyboard.press("6")
    page.keyboard.press("v")
    page.keyboard.press("v")
    page.keyboard.press("Shift+v")
    assert page.locator("#ranking li").all_inner_texts()[0].split() == ["1.", "Student", "B", "3"]
    page.reload()
    page.wait_for_selector(".panel")
    assert called(page)[3:] == letters
    assert page.locator(".hands output").all_inner_texts() == ["0", "3", "1", "0"]
    for name in STUDENTS:
        assert name not in everything(page)
    order = page.evaluate("grader.votesOrder") if page.evaluate("'votesOrder' in grader") else None
    assert order is None, "the page keeps no list of who is who within reach"
    page.locator("#reveal").click()
    assert called(page)[3:] == STUDENTS
    best = page.locator("#ranking li bdi").all_inner_texts()
    assert len(best) == 2
    assert set(best) <= set(STUDENTS)
    hands = dict(zip(STUDENTS, page.locator(".hands output").all_inner_texts(), strict=True))
    assert hands[best[0]] == "3"


def test_letters_are_shuffled_by_the_seed(visit: Any) -> None:
    page = visit()
    orders = page.evaluate(
        """() => {
          const votes = new grader.Votes(), names = ["a", "b", "c", "d", "e", "f"];
          return [1, 2, 3, 1].map((seed) => {
            votes.seed = seed;
            return votes.shuffled(names.slice().reverse()).join("");
          });
        }"""
    )
    assert orders[0] == orders[3]
    assert len(set(orders)) == 3
    assert {"".join(sorted(order)) for order in orders} == {"abcdef"}


def saved(page: Any) -> dict[str, Any]:
    with page.expect_download() as download:
        page.locator("#save").click()
    assert download.value.suggested_filename == "votes.json"
    return json.loads(Path(download.value.path()).read_text(encoding="utf-8"))


def test_votes_are_saved_as_the_format_says(visit: Any) -> None:
    page = visit()
    page.keyboard.press("b")
    more = page.locator(".vote.more")
    for place in (0, 0, 1, 1):
        more.nth(place).click()
    page.keyboard.press("]")
    until(page, "document.getElementById('clip').value === '002'")
    page.locator(".vote.more").nth(2).click()
    record = saved(page)
    assert {key: record[key] for key in ("kind", "version", "view", "blind")} == {
        "kind": "grader-votes",
        "version": 1,
        "view": "private",
        "blind": True,
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", record["made_at"])
    assert isinstance(record["seed"], int)
    assert sorted((vote["clip"], vote["points"]) for vote in record["votes"]) == [("001", 2), ("001", 2), ("002", 1)]
    assert {vote["student"] for vote in record["votes"]} == set(STUDENTS[:3])
    assert [(entry["points"], entry["place"]) for entry in record["ranking"]] == [(2, 1), (2, 1), (1, 3)]
    documented = set(re.findall(r"`([a-z_]+)`", (Path(render.__file__).parent / "FORMATS.md").read_text()))
    assert {*record, *record["votes"][0], *record["ranking"][0]} <= documented
    page.keyboard.press("b")
    page.locator(".vote.more").first.click()
    assert saved(page)["blind"] is False, "a vote with names shown is said to be one"
    page.locator("#clear").click()
    assert page.locator("#clear").inner_text() == "Clear all votes?"
    page.locator("#clear").click()
    assert page.locator("#ranking").inner_text() == "No votes yet."


def test_everything_by_keyboard_alone(visit: Any) -> None:
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    names = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        names.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert {"play", "time", "loop", "match", "blind", "clip", "next", "help", "save", "pick", "vote more"} - names <= {
        "save"
    }, "all but what is disabled is reached"
    page.locator("#play").focus()
    page.keyboard.press(" ")
    assert page.evaluate("grader.player.playing"), "once, not twice"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert heard(page) == "HiFi-GAN"
    assert "HiFi-GAN" in page.locator("#status").inner_text()
    page.keyboard.press(" ")
    assert time_of(page) > 0.9
    page.keyboard.press("Home")
    assert time_of(page) == 0
    page.keyboard.press("i")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("o")
    assert "0.00 – 0.10" in page.locator("#loop").inner_text()
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#keys").is_visible()
    assert page.locator("#keys dt").count() == 14


def test_what_is_missing_is_said(browser: Any, tmp_path: Path) -> None:
    lay_out(tmp_path, ["R12922001"])
    (tmp_path / "clips" / "002.js").unlink()
    sound = json.loads((tmp_path / "clips" / "001.js").read_text().partition(", ")[2][:-3])["sources"][3]["audio"]
    (tmp_path / sound).unlink()
    page = browser.new_page()
    page.goto(f"{(tmp_path / 'listen.html').as_uri()}")
    page.wait_for_selector("#trouble:visible")
    assert f"The sound of R12922001 cannot be played: {sound}" in page.locator("#trouble").inner_text()
    page.locator("#next").click()
    until(page, "document.getElementById('trouble').textContent.includes('clips/002.js is missing')")
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_scrolls_sideways(visit: Any, scheme: str) -> None:
    page = visit(width=390, color_scheme=scheme)
    page.locator("#views button[value=all]").click()
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_hostile_names_only_show(browser: Any, tmp_path: Path) -> None:
    lay_out(tmp_path, [HOSTILE, "R12922001"])
    with watched(browser, tmp_path) as watch:
        page = watch.open("listen.html", width=390)
        page.wait_for_selector(".panel")
        page.keyboard.press("4")
        page.keyboard.press("v")
        page.locator("#views button[value=all]").click()
        page.locator("#choose summary").click()
        assert called(page)[3] == HOSTILE
        assert page.locator("#now").inner_text() == HOSTILE
        assert page.title() == "001 · HW2 GAN-based Mel-Vocoder"
        assert page.locator("img[src=x]").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        record = saved(page)
        assert record["votes"][0]["student"] == HOSTILE
        page.reload()
        page.wait_for_selector(".panel")
        assert heard(page) == HOSTILE
