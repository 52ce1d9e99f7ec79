"""Every line of the table of real requirements files: what it becomes, and what is said about it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.rerun.requirements import Repaired, Rules, repair

RULES = Rules(
    constraints=("torch==2.13.0",), allowed_urls=("https://git.example/course/", "git+https://git.example/lib")
)


def repaired(text: str | bytes) -> Repaired:
    return repair(text.encode() if isinstance(text, str) else text, RULES)


def kinds(result: Repaired) -> list[str]:
    return [entry.kind for entry in result.repairs]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("numpy==1.26.4\n".encode("utf-16"), "UTF-16"),
        (b"\xfe\xff" + "numpy==1.26.4\n".encode("utf-16-be"), "UTF-16 (big endian)"),
        ("numpy==1.26.4\n".encode("utf-8-sig"), "UTF-8 with a byte order mark"),
        ("numpy==1.26.4\n".encode("utf-16-le"), "UTF-16 without a byte order mark"),
        ("numpy==1.26.4\n".encode("utf-16-be"), "UTF-16 without a byte order mark"),
        ("# 需要的套件\nnumpy==1.26.4\n".encode("cp950"), "Big5 (CP950)"),
    ],
)
def test_encodings_are_found_and_named(data: bytes, name: str) -> None:
    result = repaired(data)
    assert result.lines == ("numpy==1.26.4",)
    assert [(entry.kind, entry.before) for entry in result.repairs] == [("encoding", name)]


@pytest.mark.parametrize(
    ("line", "expected", "kind"),
    [
        ("numpy @ file:///croot/numpy_and_numpy_base_1682953417311/work", ["numpy"], "local-file"),
        ("numpy @ file:///tmp/numpy-1.26.4-cp311-cp311-linux_x86_64.whl#sha256=0", ["numpy==1.26.4"], "local-file"),
        ("numpy=1.23=py310_0", ["numpy==1.23"], "conda-pin"),
        ("numpy=1.23", ["numpy==1.23"], "conda-pin"),
        ("torch==1.13.1+cu117", ["torch==2.13.0"], "held-to-course"),
        ("torch", ["torch==2.13.0"], "held-to-course"),
        ("torch>=2", ["torch==2.13.0"], "held-to-course"),
        ("torchaudio==0.13.0+cu117", ["torchaudio"], "held-to-course"),
        ("nvidia-cublas-cu11==11.10.3.66", [], "cuda-runtime"),
        ("triton==2.0.0", [], "cuda-runtime"),
        ("jax==0.4.1+cuda", ["jax==0.4.1"], "local-version"),
        ("pkg-resources==0.0.0", [], "not-a-package"),
        ("pkg_resources==0.0.0", [], "not-a-package"),
        ("os", [], "not-a-package"),
        ("python==3.10", [], "not-a-package"),
        ("pywin32==306", [], "not-a-package"),
        ("six 1.16", ["six==1.16"], "table"),
        ("six    1.16.0    pyhd3eb1b0_1", ["six==1.16.0"], "table"),
        ("pip install numpy scipy", ["numpy", "scipy"], "install-command"),
        ("!pip3 install -U numpy", ["numpy"], "install-command"),
        ("python -m pip install numpy==1.26.4", ["numpy==1.26.4"], "install-command"),
        ("sklearn", ["scikit-learn"], "misnamed"),
        ("sklearn>=1.0", ["scikit-learn>=1.0"], "misnamed"),
        ("cv2", ["opencv-python-headless"], "misnamed"),
        ("numpy＝＝1.26.4", ["numpy==1.26.4"], "typing"),
        ('"numpy==1.26.4",', ["numpy==1.26.4"], "typing"),
        ("numpy=>1.26", ["numpy>=1.26"], "typing"),
        ("numpy==1.26.4 --hash=sha256:00", ["numpy==1.26.4"], "hash"),
    ],
)
def test_a_line_is_repaired_and_the_repair_is_shown(line: str, expected: list[str], kind: str) -> None:
    result = repaired(line)
    assert list(result.lines) == expected
    assert kind in kinds(result)
    assert result.refused == ()
    assert f"-{line}" in result.diff()
    assert all(entry.why and entry.line == 1 for entry in result.repairs)


@pytest.mark.parametrize(
    "line",
    [
        "-r ../../etc/passwd",
        "-r../../etc/passwd",
        "--requirement=/etc/passwd",
        "-c constraints.txt",
        "-e .",
        "-e git+https://git.example/course/x#egg=x",
        "-f https://files.example/",
        "--index-url https://index.example/simple",
        "-i https://index.example/simple",
        "--extra-index-url=https://index.example/simple",
        "--trusted-host index.example",
        "git+https://elsewhere.example/a/b",
        "x @ git+https://elsewhere.example/a/b",
        "git+https://git.example/library-of-somebody-else",  # begins like an allowed one, but is another
        "https://git.example/course/../other/x.whl",
        "./wheels/x.whl",
        "/home/me/x.whl",
        "C:\\Users\\me\\x.whl",
        "file:///etc/passwd",
        "my own words, nothing else",
    ],
)
def test_a_line_is_refused_with_a_reason(line: str) -> None:
    result = repaired(line + "\nnumpy\n")
    assert result.lines == ("numpy",)
    assert [entry.line for entry in result.refused] == [1]
    assert result.refused[0].why
    assert result.refused[0].fix
    assert f"-{line}" in result.diff()


def test_addresses_that_the_course_lists_stay() -> None:
    result = repaired("git+https://git.example/lib@v1\nthing @ https://git.example/course/thing-1.0-py3-none-any.whl\n")
    assert result.refused == ()
    assert result.lines == (
        "lib @ git+https://git.example/lib@v1",
        "thing @ https://git.example/course/thing-1.0-py3-none-any.whl",
    )


def test_a_good_file_is_left_alone() -> None:
    text = "# my packages\nnumpy==1.26.4\nscipy>=1.10,<2  # filters\n\ntorch==2.13.0\nlibrosa[matplotlib]\n"
    result = repaired(text)
    assert result.lines == ("numpy==1.26.4", "scipy<2,>=1.10", "torch==2.13.0", "librosa[matplotlib]")
    assert result.repairs == ()
    assert result.diff() == ""


def test_a_printed_pip_list() -> None:
    result = repaired("Package    Version\n---------- -------\nnumpy      1.26.4\nsix        1.16.0\n")
    assert result.lines == ("numpy==1.26.4", "six==1.16.0")
    assert kinds(result) == ["table", "table"]


def test_a_conda_environment_file() -> None:
    text = (
        "name: hw2\nchannels:\n  - pytorch\ndependencies:\n  - python=3.10.9=h7a1cb2a_0\n  - _libgcc_mutex=0.1=main\n"
        "  - numpy=1.23.5=py310hd5efca6_0\n  - pytorch=2.0.1\n  - pip:\n      - librosa==0.10.1\nprefix: /home/me/x\n"
    )
    result = repaired(text)
    assert result.lines == ("numpy==1.23.5", "torch==2.13.0", "librosa==0.10.1")
    assert kinds(result)[0] == "conda-environment"
    assert result.refused == ()


def test_two_pins_of_one_package_are_both_named() -> None:
    result = repaired("numpy==1.23.5\nscipy\nnumpy==1.26.4\n")
    assert result.lines == ("numpy==1.26.4", "scipy")
    (entry,) = result.repairs
    assert entry.kind == "twice"
    assert "numpy==1.23.5 (line 1)" in entry.before
    assert "numpy==1.26.4 (line 3)" in entry.before


def test_two_bounds_of_one_package_are_joined() -> None:
    assert repaired("numpy>=1.20\nnumpy<2\n").lines == ("numpy<2,>=1.20",)


def test_a_package_for_two_pythons_is_not_a_double() -> None:
    text = 'numpy==1.26.4; python_version < "3.12"\nnumpy==2.1.0; python_version >= "3.12"\n'
    assert len(repaired(text).lines) == 2


def test_comments_with_an_address_are_kept_for_the_ta() -> None:
    result = repaired("numpy\n# from https://files.example/w.pth: unpack beside inference.py\n# a remark\n")
    assert result.comments == ("# from https://files.example/w.pth: unpack beside inference.py",)


def test_backslashes_join_lines() -> None:
    result = repaired("numpy==1.26.4 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\nsix\n")
    assert result.lines == ("numpy==1.26.4", "six")


def test_a_huge_file_is_refused_whole() -> None:
    result = repaired(b"numpy\n" * 100_000)
    assert result.lines == ()
    assert "too long" in result.refused[0].why


BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)
)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 199_000,
        "\\\n" * 99_000,
        "a\n" * 99_000,
        "".join(f"numpy>={n}\n" for n in range(15_000)),
        BOMB + "dependencies:\n  - pip: *a29\n",
        "dependencies:\n" + "  - a\n" * 30_000,
        "dependencies:\n" + "[" * 100_000,
    ],
    ids=["long", "backslashes", "many", "bounds", "yaml-bomb", "conda", "nested"],
)
def test_hostile_files_cost_little(text: str) -> None:
    started = time.process_time()
    result = repaired(text)
    assert time.process_time() - started < 2
    assert result.refused or not result.lines


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    result = repair(data, RULES)
    assert all(not line.startswith("-") for line in result.lines)


@given(st.text(max_size=80))
def test_no_text_makes_it_fail_and_repairing_twice_changes_nothing(text: str) -> None:
    once = repaired(text.encode("utf-8", "replace"))
    assert repaired("\n".join(once.lines)).lines == once.lines
