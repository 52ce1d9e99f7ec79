"""Tells of reruns, and the page of all tells."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grader.findings import Finding, Severity, Whose
from grader.progress import Progress
from grader.rerun.evidence import Kind as Verdict
from grader.site.audience import Audience
from grader.store import Store
from grader.tells import alike, page, report, reruns, waveform
from grader.tells.records import Kind, Piece, Sound, Tell, Tells
from tests.grades.making import rerun, the_rubric
from tests.site.reading import Page, attributes_of
from tests.speaking import english_left
from tests.tells.making import RATE_HZ, a_class, voice
from tests.tells.test_waveform import mp3, noisy

HOSTILE = "\"><script>document.title = 'pwned'</script>\u202e<img src=x onerror=alert(1)>"


def test_reruns_that_differ_are_told_and_others_are_not() -> None:
    probe = Finding("rerun-probe", Severity.WARNING, "inference", "does not use the mels", "look", Whose.STUDENT)
    found = {
        "R1": rerun("R1", Verdict.REPRODUCED),
        "R2": rerun("R2", Verdict.DIFFERENT, whose=Whose.STUDENT),
        "R3": rerun("R3", Verdict.COPIED, whose=Whose.STUDENT),
        "R4": rerun("R4", Verdict.FAILED, whose=Whose.STUDENT),
        "R5": rerun("R5", Verdict.NOT_RUN, whose=Whose.ENVIRONMENT),
        "R6": replace(rerun("R6", Verdict.REPRODUCED), findings=(probe,)),
    }
    told = reruns.tells(found)
    assert [tell.students[0] for tell in told] == ["R3", "R2", "R6"]
    assert "does not use the mels" in told[2].sentence
    assert all(tell.innocent for tell in told)


def a_page(folder: Path, text: str = "a clip") -> tuple[Tells, str]:
    """A page with real sounds in it, as they lie beside a site."""
    names = ["001.wav", "002.wav"]
    references = {name: voice(number) for number, name in enumerate(names)}
    students = {
        "R12922001": {name: mp3(audio) for name, audio in references.items()},
        "R12922002": {name: voice(50 + number) for number, name in enumerate(names)},
        "R12922003": {"001.wav": noisy(voice(50)), "002.wav": voice(90)},
    }
    found = a_class(folder / "sounds", students, references)
    with Store(folder / "store") as store:
        tells = waveform.tells(found, RATE_HZ, 5.0, store, 1, Progress())
        tells += alike.tells(found, RATE_HZ, 10.0, store, Progress())
    tells += [
        Tell(
            Kind.FILES,
            ("R1", "R2"),
            f"{text}: 1 equal file",
            "both downloaded it",
            (Piece(text, {"MB": 55.6, text: text}),),
        ),
        Tell(Kind.CODE, tuple(f"R{number}" for number in range(12)), "they share code", "public code", (), 3),
    ]
    told = Tells(tuple(tells), (f"{text} could not be looked into",))
    return told, page.tells_page(told, the_rubric(), folder / "site")


def test_the_page_has_every_tell_with_its_sounds(tmp_path: Path) -> None:
    told, text = a_page(tmp_path)
    assert [tell.kind for tell in told.found] == [Kind.WAVEFORM, Kind.AUDIO, Kind.FILES, Kind.CODE]
    read = Page(text)
    shown = read.all_text()
    for tell in told.found:
        assert tell.sentence in shown
        assert tell.innocent in shown
    sources = [each["src"] for each in attributes_of(read, "audio")]
    assert sources == [
        f"../sounds/{owner}/{name}"
        for owner, name in (
            ("R12922001", "001.wav"),
            ("references", "001.wav"),
            ("R12922001", "002.wav"),
            ("references", "002.wav"),
            ("R12922002", "001.wav"),
            ("R12922003", "001.wav"),
        )
    ]
    assert all((tmp_path / "site" / source).resolve().is_file() for source in sources)
    assert "Tells, never verdicts" in shown


def test_text_of_hand_ins_changes_nothing_but_text(tmp_path: Path) -> None:
    _, harmless = a_page(tmp_path / "a")
    _, hostile = a_page(tmp_path / "b", HOSTILE)
    assert Page(hostile).skeleton() == Page(harmless).skeleton()


def test_sounds_with_strange_names_are_linked(tmp_path: Path) -> None:
    path = tmp_path / "a b" / "陳#1?.wav"
    tell = Tell(Kind.AUDIO, ("R1",), "x", "y", (Piece("001.wav", {}, (Sound("R1", path),)),))
    text = page.tells_page(Tells((tell,)), the_rubric(), tmp_path / "site")
    assert attributes_of(Page(text), "audio")[0]["src"] == "../a%20b/%E9%99%B3%231%3F.wav"


def test_nothing_noticed_is_said(tmp_path: Path) -> None:
    assert "Nothing was noticed" in page.tells_page(Tells(), the_rubric(), tmp_path)
    assert next(iter(report.lines(Tells(), tmp_path))).startswith("0 tells, no verdict")


def test_what_is_printed_and_the_json(tmp_path: Path) -> None:
    told, _ = a_page(tmp_path, HOSTILE)
    text = "\n".join(report.lines(told, tmp_path / "tells.html"))
    assert "R12922001: 2 of 2 clips hold" in text
    assert "\u202e" not in text
    record = told.as_json()
    assert record["tells"][0]["evidence"][0]["listen"][0]["label"] == "R12922001"
    assert {tell["kind"] for tell in record["tells"]} == {"waveform", "same audio", "same files", "same code"}


OWN = "read the log/<b>two</b> words.py"
"""What a student's file may be called."""


def tells_of_every_shape(folder: Path) -> Tells:
    """As the modules put them together, where students' own words are OWN."""
    from grader.tells import code, files

    told, _ = a_page(folder)
    sounds = [tell for tell in told.found if tell.kind in (Kind.WAVEFORM, Kind.AUDIO)]
    scores = a_class(folder / "more", {}, {}, {"griffin_lim": {}})
    pairs = {("R1 (1 of 2)", "R2"): 3, ("R2", "R3"): 2, ("R1 (1 of 2)", "griffin_lim"): 1, ("R3", "griffin_lim"): 1}
    shared = {
        pair: {f"{clip}.wav": (120.0 if clip == 1 else 20.0, 0) for clip in range(4 - count, 4)}
        for pair, count in pairs.items()
    }
    piece = Piece("001.wav: R1 (1 of 2), R2", {"SI-SDR": "equal", "lag samples": 0}, (Sound("R1 (1 of 2)", folder),))
    sounds.append(Tell(Kind.AUDIO, ("R1", "R2"), alike._sentence(shared, 30, scores), alike._INNOCENT, (piece,)))
    file = {"name": OWN, "size": 10**6}
    many = tuple(f"R{number}" for number in range(5))
    for students, hashes in ((("R1", "R2"), ["a"]), (("R1", "R2", "R3"), ["a", "b"]), (many, ["a"])):
        what = {(student, each): file for student in students for each in hashes}
        sounds.append(files._tell(students, hashes, what))
    for others in (("R2",), ("R2", "R3"), many[1:]):
        both = {"first": "R0", "first_file": OWN, "second_file": OWN, "percent": 87.0, "tokens": 400}
        sounds += code._tells([{**both, "second": other, "second_smaller": True} for other in others], 50.0)
    apart = "3 of 30 clips differ from the upload (001.wav, 002.wav, 003.wav)"
    probe = "it fails on short mels that it has not seen ({missing} of {count} clips missing)"
    found = (Finding("rerun-probe", Severity.WARNING, "inference", probe, facts={"missing": 2, "count": 3}),)
    sounds += reruns.tells(
        {
            "R1": rerun("R1", Verdict.DIFFERENT, f"{apart}; two runs agree with each other"),
            "R2": rerun("R2", Verdict.NONDETERMINISTIC, f"{apart}, and two runs differ from each other in 3"),
            "R3": rerun("R3", Verdict.COPIED, f"the code holds the uploaded clips themselves ({OWN})"),
            "R4": replace(rerun("R4", Verdict.REPRODUCED), findings=found),
        }
    )
    notes = (
        "code was not compared: copydetect is not installed (pip install 'grader[tells]')",
        f"{OWN}: of 300 files of code the 200 largest were compared",
        f"{OWN} could not be looked into for code (archive-damaged)",
        f"{OWN} could not be looked into for equal files (archive-damaged)",
    )
    return Tells(tuple(sounds), notes)


def test_all_tells_are_said_in_chinese_but_students_own_words(tmp_path: Path) -> None:
    told = tells_of_every_shape(tmp_path)
    assert {tell.kind for tell in told.found} == set(Kind)
    record = told.as_json()
    read = Page(page.tells_page(told, the_rubric(), tmp_path / "site", Audience(language="zh-TW")))
    shown = read.all_text()
    rubric = the_rubric().title
    assert english_left(re.sub(f"{re.escape(OWN)}|{re.escape(rubric)}|pip install", "", shown)) == ""
    assert shown.count(OWN) == Page(page.tells_page(told, the_rubric(), tmp_path / "site")).all_text().count(OWN)
    for chinese in (
        "2 個片段中有 2 個就是原始錄音的波形",
        "R1（共 2 次中的第 1 次）、R2：30 個片段中有 3 個幾乎相同（其中 1 個相同）；",
        "；另有 1 對。",
        "001.wav: R1（共 2 次中的第 1 次）, R2",
        "R1、R2、R3：繳交了 2 個相同的檔案，共 2.0 MB。",
        "5 位學生：繳交了 1 個相同的檔案",
        f"R0、R2：有相同的程式碼，{OWN} 的 87 %。",
        "另有 1 對檔案。",
        "複製：程式碼裡就放著上傳的片段",
        "已重現：全部 30 個片段：相差不超過 1 LSB。遇到沒看過的短梅爾頻譜就會失敗（3 個片段缺少 2 個）。",
    ):
        assert chinese in shown
    names = {each["data-name"] for each in attributes_of(read, "td") if "data-name" in each}
    assert {"延遲取樣數", "相同 %", "token 數", "等級"} <= names
    assert not {"lag samples", "shared %", "tokens", "tier"} & names
    for english in ("recording", "equal", "identical"):
        assert english not in shown
    assert told.as_json() == record


def test_chromium_plays_the_sounds(tmp_path: Path, browser: Any) -> None:
    from grader.site import pages, render

    _, text = a_page(tmp_path)
    render.write({**pages.assets(), page.NAME: text}, tmp_path / "site")
    said: list[str] = []
    shown = browser.new_page()
    shown.on("console", lambda message: said.append(message.text))
    shown.on("pageerror", lambda error: said.append(str(error)))
    shown.goto((tmp_path / "site" / page.NAME).as_uri())
    shown.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    lengths = shown.evaluate(
        """() => Promise.all([...document.querySelectorAll("audio")].map(each => new Promise((done, failed) => {
            each.onloadedmetadata = () => done(each.duration); each.onerror = () => failed(each.src); each.load();
        })))"""
    )
    assert lengths == [pytest.approx(1.6, abs=0.05)] * 6
    assert said == []
    shown.close()
