"""What the README says is so."""

import re
from collections.abc import Iterator

from click import Group

from grader.cli import main
from tests.readme import README, up_to_date

TEXT = README.read_text(encoding="utf-8")


def test_help_texts_are_what_the_commands_print() -> None:
    assert up_to_date(TEXT) == TEXT, "run: python -m tests.readme"


def test_every_command_is_shown() -> None:
    assert isinstance(main, Group)
    shown = set(re.findall(r"<!-- help: grader ([a-z -]+) -->", TEXT))
    assert shown == set(commands(main))


def commands(group: Group) -> Iterator[str]:
    """The names of all commands, those in a group behind its name."""
    for name, command in group.commands.items():
        if isinstance(command, Group):
            yield from (f"{name} {each}" for each in commands(command))
        else:
            yield name


def test_every_picture_and_file_named_is_there() -> None:
    named = re.findall(r"\]\((?!https?:|#)([^)]+)\)", TEXT)
    assert named
    assert [path for path in named if not (README.parent / path).exists()] == []
