"""The page: its numbers are the JSON's, nothing is loaded, and text from a hand-in does nothing but show."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.errors import EnvironmentProblem
from grader.grades.leaderboard import Leaderboard, leaderboard
from grader.rerun.evidence import Kind
from grader.site import pages, render, tables, view
from tests.grades.making import course, result, scores, the_rubric
from tests.site.conftest import a_class
from tests.site.reading import Page, attributes_of, students

HOSTILE = [
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    "</style></script><!--",
    "{{ 7 * 7 }}{% raw %}",
    "\u202egpj.exe\u202c",
    "&lt;b&gt;",
    "x" * 300,
    "a\nb\tc",
    "javascript:alert(1)",
]


def test_numbers_are_those_of_the_json(board: Leaderboard) -> None:
    record = json.loads(tables.leaderboard_json(board))
    shown = students(Page(pages.index_html(board)))
    ranked = [student for student in record["students"] if student["rank"] is not None]
    assert len(shown) == len(ranked) == 6
    for cells, student in zip(shown, ranked, strict=True):
        numbers = [None if cell is None else float(cell) for cell in cells]
        assert numbers == [
            student["rank"],
            None,
            student["m_stft"],
            student["log2_f0"],
            student["fad"],
            student["quality_points"],
            student["delay_s"] and int(student["delay_s"]),
            student["report_points"],
            student["final_points"],
            list(Kind).index(student["rerun"]) if student["rerun"] else None,
            len(student["findings"]),
        ]


def test_every_sentence_of_a_grade_is_shown(board: Leaderboard) -> None:
    text = Page(pages.index_html(board)).all_text()
    for row in board.ranked:
        for sentence in (row.grade.quality_why, row.grade.late_why, row.grade.report_why, row.grade.final_why):
            assert sentence in text


def test_intervals_and_the_band_of_a_rank_are_shown(board: Leaderboard) -> None:
    page = Page(pages.index_html(board))
    shown = [each["data-i"] for each in attributes_of(page, "i") if "data-i" in each]
    wanted = [
        f"{interval[0]:.3f} {interval[1]:.3f}"
        for student in json.loads(tables.leaderboard_json(board))["students"]
        for interval in (student["intervals"].get(metric) for metric in ("m_stft", "log2_f0", "fad"))
        if interval
    ]
    assert shown == wanted
    assert len(wanted) > 6
    first = board.ranked[0]
    assert first.standing is not None
    torn = replace(first, standing=replace(first.standing, first=1, last=3, separable=False))
    text = Page(pages.index_html(replace(board, ranked=(torn, *board.ranked[1:])))).all_text()
    assert "1–3" in text
    assert "1–3" not in page.all_text()


def test_a_missing_number_is_a_dash_with_its_reason(board: Leaderboard) -> None:
    text = re.sub(r"\s+", " ", Page(pages.index_html(board)).all_text())
    assert "— 001.wav: too few patches" in text
    assert "— no points yet" in text
    assert "— quality so far" in text


def test_failures_stand_after_the_table_with_reason_and_fix(board: Leaderboard) -> None:
    text = Page(pages.index_html(board)).all_text()
    table, _, after = text.partition("Not ranked\n")
    assert "R12922007" not in table
    for expected in ("R12922007", "003.wav: The clip is silent.", "Write what your vocoder makes.", "R12922099"):
        assert expected in after
    assert "the grader’s fault, not the student’s" in after


def test_the_baseline_is_a_rung_between_better_and_worse(board: Leaderboard) -> None:
    classes = [each.get("class") for each in attributes_of(Page(pages.index_html(board)), "tbody")]
    lines = [each for each in classes if each in ("student", "rung")]
    assert lines == ["student"] * 5 + ["rung"] + ["student"]


def test_what_stands_in_for_fad_is_named_so() -> None:
    board = a_class(fad_name="FD-logmel")
    text = Page(pages.index_html(board)).all_text()
    assert "FD-logmel stands in for FAD." in text
    chosen = view.instead_of_vggish(board) is None
    assert ("The rubric chooses" in text, "weights were not at hand" in text) == (chosen, not chosen)
    heads = re.findall(r"\nFAD\n", text)
    assert heads == []


def test_clips_are_listed_worst_first(board: Leaderboard) -> None:
    scored = board.ranked[0].result
    assert scored is not None
    assert scored.scores is not None
    worst = [clip.m_stft for clip in view.worst_first(scored.scores, "m_stft")]
    assert worst == sorted((clip.m_stft for clip in scored.scores.clips if clip.m_stft is not None), reverse=True)


def test_only_the_sites_own_files_are_loaded(board: Leaderboard) -> None:
    text = pages.index_html(board)
    page, files = Page(text), render.files(board)
    loaded = [str(attributes["src"]) for _, attributes in page.tags if "src" in attributes]
    loaded += [str(each["href"]) for each in attributes_of(page, "link")]
    assert loaded
    links = [str(each["href"]) for each in attributes_of(page, "a")]
    assert {link for link in (*loaded, *links) if not link.startswith("#")} <= set(files)
    assert not re.search(r"https?:|url\(|@import|//[a-z]", text)
    for name, content in pages.assets().items():
        assert not re.search(rb"https?://(?!www\.w3\.org/)|url\(|@import", content), name


def test_only_the_sites_own_scripts_and_styles_may_run(board: Leaderboard) -> None:
    page = Page(pages.index_html(board))
    policy = next(each["content"] for each in attributes_of(page, "meta") if "http-equiv" in each)
    assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
    assert "unsafe" not in policy.replace("style-src-attr 'unsafe-inline'", "")
    inline = [each for each in attributes_of(page, "script") if "src" not in each]
    assert [each["type"] for each in inline] == ["application/json"]
    assert not attributes_of(page, "style")
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_every_id_pointed_at_exists_once(board: Leaderboard) -> None:
    page = Page(pages.index_html(board))
    ids = [str(attributes["id"]) for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    pointed = {str(each["href"])[1:] for each in attributes_of(page, "a") if str(each["href"]).startswith("#")}
    for name in ("aria-controls", "aria-labelledby"):
        pointed |= {str(attributes[name]) for _, attributes in page.tags if name in attributes}
    assert pointed <= set(ids)


BENIGN = Page(pages.index_html(a_class())).skeleton()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_does_nothing_but_show(text: str) -> None:
    page = Page(pages.index_html(a_class(name=text, said=text)))
    assert page.skeleton() == BENIGN
    assert page.all_text().count(text[:199]) >= 4  # a summary cuts what is longer


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=40))
@settings(max_examples=20, deadline=None)
def test_any_text_leaves_the_page_as_it_is(text: str) -> None:
    page = Page(pages.index_html(a_class(name=f"R{text}", said=text)))
    assert page.skeleton() == BENIGN


def test_broken_characters_of_file_names_are_shown_escaped(tmp_path: Path) -> None:
    render.write(render.files(a_class(name="R\udcff", said="\udcff\x00")), tmp_path)
    assert "R\\udcff" in (tmp_path / "index.html").read_text(encoding="utf-8")
    ids = [each["student_id"] for each in json.loads((tmp_path / "leaderboard.json").read_text())["students"]]
    assert "R\udcff" in ids


def test_the_same_leaderboard_gives_the_same_bytes_and_touches_nothing(board: Leaderboard, tmp_path: Path) -> None:
    render.write(render.files(board), tmp_path)
    first = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.rglob("*.*")}
    render.write(render.files(a_class()), tmp_path)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.rglob("*.*")} == first
    assert {path.relative_to(tmp_path).as_posix() for path in first} == set(render.files(board))


def test_a_site_that_cannot_be_written_is_the_surroundings_fault(board: Leaderboard, tmp_path: Path) -> None:
    (tmp_path / "site").write_text("a file is in the way")
    with pytest.raises(EnvironmentProblem, match="cannot be written"):
        render.write(render.files(board), tmp_path / "site")


def test_an_empty_course_has_a_page() -> None:
    text = Page(pages.index_html(leaderboard(the_rubric(), course(), {}, {}))).all_text()
    assert "Griffin-Lim" in text


def test_a_value_far_off_does_not_squeeze_the_others() -> None:
    board = leaderboard(
        the_rubric(), course(*(result(f"R{n}", scores(v, 0.1, 1)) for n, v in enumerate((1.2, 1.3, 1.5, 200)))), {}, {}
    )
    bars = [
        (str(each["class"]).split(), float(str(each["style"]).partition("--v:")[2].partition("%")[0]))
        for each in attributes_of(Page(pages.index_html(board)), "i")
        if str(each.get("class")).startswith("bar")
    ]
    first_of_row = bars[::3]
    assert first_of_row[-1] == (["bar", "c0", "behind", "over", "w"], 100.0)
    assert min(length for _, length in first_of_row) > 20


def test_rendering_needs_no_torch() -> None:
    code = (
        "import sys, grader.site.build, grader.site.terminal; print({'torch', 'librosa', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_and_marks_have_enough_contrast(scheme: int) -> None:
    style = (Path(render.__file__).parent / "assets/site.css").read_text(encoding="utf-8")
    pairs = re.findall(r"--([a-z-]+): light-dark\((#\w{6}), (#\w{6})\)", style)
    colours = {name: both[scheme] for name, *both in pairs}
    for ground in ("bg", "surface", "sunk"):
        for text in ("ink", "muted", "accent", "error", "warning"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
        for mark in ("bar", "between", "behind", "second", "strong-line", "focus"):
            assert contrast(colours[mark], colours[ground]) >= 3, (mark, ground)


def test_templates_are_compiled_once_and_a_damaged_cache_changes_nothing(tmp_path: Path) -> None:
    script = (
        "import jinja2, sys\n"
        "from grader.site import pages\n"
        "from tests.site.conftest import a_class\n"
        "compiled = []\n"
        "real = jinja2.Environment.compile\n"
        "jinja2.Environment.compile = lambda *all, **named: compiled.append(1) or real(*all, **named)\n"
        "sys.stdout.reconfigure(encoding='utf-8')\n"
        "text = pages.index_html(a_class())\n"
        "print(len(compiled), text)\n"
    )
    env = {**os.environ, "GRADER_CACHE": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}

    def render_anew() -> tuple[int, str]:
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=env, check=True)
        count, _, text = done.stdout.decode().partition(" ")
        return int(count), text

    first, again = render_anew(), render_anew()
    assert first[0] > 0
    assert again == (0, first[1])
    for path in (tmp_path / "templates").iterdir():
        path.write_bytes(path.read_bytes()[:40])
    assert render_anew()[1] == first[1]
