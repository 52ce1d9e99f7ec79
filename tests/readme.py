"""The help texts in README.md, kept true: ``python -m tests.readme`` writes them, ``test_readme.py`` compares them."""

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"
_BLOCK = re.compile(r"(<!-- help: (?P<command>[a-z -]+) -->\n```\n).*?(```\n)", re.DOTALL)


def help_of(command: str) -> str:
    """What ``grader … --help`` prints, 90 columns wide."""
    arguments = [sys.executable, "-m", *command.split(), "--help"]
    shown = subprocess.run(
        arguments, check=True, capture_output=True, text=True, env={**os.environ, "COLUMNS": "90", "NO_COLOR": "1"}
    )
    return shown.stdout.replace("python -m grader", "grader")


def up_to_date(text: str) -> str:
    """README.md with every help block as the commands print it now."""
    return _BLOCK.sub(lambda block: block[1] + help_of(block["command"]) + block[3], text)


if __name__ == "__main__":
    README.write_text(up_to_date(README.read_text(encoding="utf-8")), encoding="utf-8")
