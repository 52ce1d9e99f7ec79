"""What the end of a failed run's log says, in words a student can act on."""

from __future__ import annotations

import re

from grader.findings import Finding, Severity, Whose

_SYMPTOMS: tuple[tuple[str, str, str, str, Whose], ...] = (
    (
        r"Found no NVIDIA driver|Torch not compiled with CUDA enabled|No CUDA GPUs are available|CUDA is not available",
        "rerun-needs-gpu",
        "inference insists on a GPU, and this machine has none",
        "choose the device with torch.cuda.is_available() and load with map_location; the TA can rerun it with --gpus",
        Whose.ENVIRONMENT,
    ),
    (
        r"TorchCodec is required|No module named 'torchcodec'|Could not load libtorchcodec",
        "rerun-torchcodec",
        "this version of torchaudio writes and reads files only with TorchCodec",
        "write the wavs with soundfile or scipy.io.wavfile instead",
        Whose.STUDENT,
    ),
    (
        r"mel\(\) takes (?:from )?0 (?:to \d+ )?positional arguments",
        "rerun-librosa-positional",
        "librosa.filters.mel no longer takes its arguments by position",
        "write librosa.filters.mel(sr=…, n_fft=…, n_mels=…, fmin=…, fmax=…), or pin librosa below 0.10",
        Whose.STUDENT,
    ),
    (
        r"Temporary failure in name resolution|Network is unreachable|Name or service not known|Failed to resolve"
        r"|urlopen error|Max retries exceeded|sock\.connect\([^\n]*\n(?:[^\n]*\n)?[^\n]*Permission denied",
        "rerun-network",
        "inference reached for the network, which it does not have",
        "put everything that inference needs into the zip",
        Whose.STUDENT,
    ),
    (
        r"invalid choice: (?P<what>\S+)",
        "rerun-fixed-paths",
        "its command line takes only certain folders, and not {what}",
        "let --input_mels_dir and --output_dir be any folder: remove choices=",
        Whose.STUDENT,
    ),
    (
        r"error: unrecognized arguments: (?P<what>[^\n]{1,200})",
        "rerun-arguments",
        "its command line does not know the arguments {what}",
        "take --input_mels_dir and --output_dir, or hand in a grader.toml with the command",
        Whose.STUDENT,
    ),
    (
        r"can't open file '(?P<what>[^'\n]{1,200})'",
        "rerun-no-script",
        "there is no {what}",
        "put inference.py at the top of the zip, or hand in a grader.toml with the command",
        Whose.STUDENT,
    ),
    (
        r"(?:FileNotFoundError|AssertionError|No such file or directory):[^\n]*'(?P<what>[^'\n]{1,200})'",
        "rerun-file-missing",
        "{what} is not there",
        "put the file into the zip, and let the path be relative to the script",
        Whose.STUDENT,
    ),
    (
        r"(?:Read-only file system|Permission denied): '(?P<what>[^'\n]{1,200})'",
        "rerun-writes-elsewhere",
        "it writes to {what}; only the output folder and /tmp can be written",
        "write nothing but the clips, to --output_dir",
        Whose.STUDENT,
    ),
)


def of_log(log: str) -> Finding | None:
    """The first known symptom in the last part of a log."""
    tail = log[-20_000:]
    for pattern, code, what, fix, whose in _SYMPTOMS:
        if (match := re.search(pattern, tail)) is not None:
            return Finding(code, Severity.ERROR, "inference", what, fix, whose, match.groupdict())
    return None


def last_line(log: str) -> str:
    """The last line that holds something."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
