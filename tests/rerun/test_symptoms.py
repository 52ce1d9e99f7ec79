"""Ends of real logs, and what a student is told."""

import pytest

from grader.findings import Whose
from grader.rerun import symptoms

LOGS = [
    ("  in _lazy_init\nRuntimeError: Found no NVIDIA driver on your system.\n", "rerun-needs-gpu"),
    ("AssertionError: Torch not compiled with CUDA enabled\n", "rerun-needs-gpu"),
    ("ImportError: TorchCodec is required for save_with_torchcodec. Please install torchcodec\n", "rerun-torchcodec"),
    ("TypeError: mel() takes 0 positional arguments but 5 were given\n", "rerun-librosa-positional"),
    ("ConnectionError: HTTPSConnectionPool(host='h', port=443): Max retries exceeded\n", "rerun-network"),
    ("gdown.exceptions: [Errno -3] Temporary failure in name resolution\n", "rerun-network"),
    (
        "inference.py: error: argument --input_mels_dir: invalid choice: '/mels' (choose from 'test_mels')\n",
        "rerun-fixed-paths",
    ),
    ("inference.py: error: unrecognized arguments: --input_mels_dir /mels\n", "rerun-arguments"),
    ("python: can't open file '/code/inference.py': [Errno 2] No such file or directory\n", "rerun-no-script"),
    ("FileNotFoundError: [Errno 2] No such file or directory: 'cp_hifigan/config.json'\n", "rerun-file-missing"),
    ("OSError: [Errno 30] Read-only file system: '/code/generated_files'\n", "rerun-writes-elsewhere"),
]


@pytest.mark.parametrize(("log", "code"), LOGS)
def test_a_known_end_is_named_with_its_fix(log: str, code: str) -> None:
    finding = symptoms.of_log("starting\n" + log)
    assert finding is not None
    assert finding.code == code
    assert finding.fix_text()
    assert finding.whose is (Whose.ENVIRONMENT if code == "rerun-needs-gpu" else Whose.STUDENT)


def test_the_facts_stand_in_the_sentence() -> None:
    finding = symptoms.of_log(LOGS[9][0])
    assert finding is not None
    assert finding.what_text() == "cp_hifigan/config.json is not there"


def test_other_ends_are_left_to_the_last_line() -> None:
    log = "epoch 1\nZeroDivisionError: division by zero\n\n"
    assert symptoms.of_log(log) is None
    assert symptoms.last_line(log) == "ZeroDivisionError: division by zero"
    assert symptoms.last_line("") == ""
