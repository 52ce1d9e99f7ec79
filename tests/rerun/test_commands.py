"""Which command runs: the TA's, the student's, an accepted line of the README, the rubric's default."""

from pathlib import Path

import pytest

from grader.errors import CourseError
from grader.rerun.commands import Override, Source, choose, overrides, proposals

DEFAULT = "python inference.py --input_mels_dir {mels} --output_dir {out}"


@pytest.mark.parametrize(
    ("readme", "expected"),
    [
        (
            "python -m inference --input_mels_dir=test_mels --output_dir=made --checkpoint_file=cp/g_01",
            "python -m inference --input_mels_dir={mels} --output_dir={out} --checkpoint_file=cp/g_01",
        ),
        (
            "Then run `cd bigvgan && python inference_e2e.py --test_dir ../mels --output_dir ../out` and wait.",
            "cd bigvgan && python inference_e2e.py --test_dir {mels} --output_dir {out}",
        ),
        (
            "python3 inference_e2e.py \\\n  --input_mels_dir ft \\\n  --output_dir o \\\n  --checkpoint_file g\n",
            "python3 inference_e2e.py --input_mels_dir {mels} --output_dir {out} --checkpoint_file g",
        ),
        ("$ python synthesize.py ./mels ./out", "python synthesize.py {mels} {out}"),
        ("bash infer.sh -i mels -o out", "bash infer.sh -i {mels} -o {out}"),
        (
            "python generate.py --in_dir a --save_dir 'b c' --ckpt 'd e'",
            "python generate.py --in_dir {mels} --save_dir {out} --ckpt 'd e'",
        ),
        (
            "推論：`python inference.py --mel_dir <mels> --out_dir <out>`",
            "python inference.py --mel_dir {mels} --out_dir {out}",
        ),
        ("python inference.py --input_mels_dir {mels} --output_dir {out}", DEFAULT),
    ],
)
def test_a_readme_line_becomes_a_proposal(readme: str, expected: str) -> None:
    assert list(proposals(readme)) == [expected]


@pytest.mark.parametrize(
    "readme",
    [
        "",
        "pip install -r requirements.txt",
        "python train.py --input_dir data --output_dir cp",
        "python preprocess.py --input_dir data --output_dir mels",
        "We run inference with python and love it.",
        "python inference.py --output_dir out",
        "python inference.py --input_dir 'unfinished --output_dir out",
    ],
)
def test_other_lines_are_no_proposals(readme: str) -> None:
    assert list(proposals(readme)) == []


def test_a_folder_entered_on_its_own_line_stays_entered() -> None:
    readme = "cd hifigan\npython inference.py --mel_dir a --out_dir b\n"
    assert list(proposals(readme)) == ["cd hifigan && python inference.py --mel_dir {mels} --out_dir {out}"]


def test_the_ta_goes_first_then_the_student_then_the_default(tmp_path: Path) -> None:
    readme = "python inference.py --mel_dir a --out_dir b"
    proposed = choose(tmp_path, readme, DEFAULT, None, accept_proposals=False)
    assert (proposed.source, proposed.line, len(proposed.proposals)) == (Source.DEFAULT, DEFAULT, 1)
    accepted = choose(tmp_path, readme, DEFAULT, None, accept_proposals=True)
    assert (accepted.source, accepted.line) == (Source.README, "python inference.py --mel_dir {mels} --out_dir {out}")
    (tmp_path / "grader.toml").write_text('[inference]\ncommand = "python go.py {mels} {out}"\nworkdir = "src"\n')
    own = choose(tmp_path, readme, DEFAULT, None, accept_proposals=True)
    assert (own.source, own.line, own.workdir) == (Source.STUDENT, "python go.py {mels} {out}", "src")
    told = Override(reason="as asked by mail", command="python x.py {mels} {out}", arguments="--cpu")
    ta = choose(tmp_path, readme, DEFAULT, told, accept_proposals=True)
    assert (ta.source, ta.line) == (Source.TA, "python x.py {mels} {out} --cpu")
    argued = choose(
        tmp_path, readme, DEFAULT, Override(reason="no GPU here", arguments="--cpu"), accept_proposals=False
    )
    assert argued.line == "python go.py {mels} {out} --cpu"


def test_a_readme_that_enters_the_projects_own_folder(tmp_path: Path) -> None:
    readme = "cd HW2_r12345678_code\npython inference.py --mel_dir a --out_dir b"
    accepted = choose(tmp_path, readme, DEFAULT, None, accept_proposals=True)
    assert accepted.line == "python inference.py --mel_dir {mels} --out_dir {out}"


def test_a_readme_that_says_what_the_rubric_says_proposes_nothing(tmp_path: Path) -> None:
    readme = "python inference.py --input_mels_dir test_mels --output_dir out"
    chosen = choose(tmp_path, readme, DEFAULT, None, accept_proposals=True)
    assert (chosen.source, chosen.line, chosen.proposals) == (Source.DEFAULT, DEFAULT, ())


def test_folders_are_filled_in_as_single_words(tmp_path: Path) -> None:
    command = choose(tmp_path, "", DEFAULT, None, accept_proposals=False)
    filled = command.filled("/a b/$(x)", "/out", "/code")
    assert filled == "python inference.py --input_mels_dir '/a b/$(x)' --output_dir /out"


@pytest.mark.parametrize("text", ["command = 3", "nothing = 1", "[[[", 'command = "python x.py"', "inference = 3"])
def test_a_bad_grader_toml_is_said_so(text: str, tmp_path: Path) -> None:
    (tmp_path / "grader.toml").write_text(text)
    with pytest.raises(ValueError, match=r"grader\.toml"):
        choose(tmp_path, "", DEFAULT, None, accept_proposals=False)


def test_rerun_yaml(tmp_path: Path) -> None:
    path = tmp_path / "rerun.yaml"
    assert overrides(path) == {}
    path.write_text("r12345678:\n  command: python x.py {mels} {out}\n  python: '3.10'\n  reason: told me so\n")
    assert overrides(path)["R12345678"].python == "3.10"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("r1: {comand: x, reason: abc}", "r1.comand: unknown key; did you mean command"),
        ("r1: {command: x}", "r1.reason"),
        ("r1: {python: '2.7', reason: abc}", "r1.python"),
        ("- a", "no student IDs"),
        ("a: [", "cannot be read"),
    ],
)
def test_a_wrong_rerun_yaml_names_the_key(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "rerun.yaml"
    path.write_text(text)
    with pytest.raises(CourseError, match=words):
        overrides(path)
