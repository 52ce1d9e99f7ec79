"""How an attack is written: a function that becomes a program.

Each is sent into the sandbox as source text, so it imports what it needs itself. Its arguments are the worst case, an
attacker who knows where everything is: a secret file, a port on this machine where something listens, a test mel that
it may read, the grader's process ID, and last the output folder. It prints ``BREACH`` whenever it got something. Its
docstring is what is tried.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Tries = Callable[[str, str, str, str, str], None]
Ends = Literal["wall", "cpu", "memory", "output", "log", "by itself", "any"]


@dataclass(frozen=True)
class Attack:
    """name, what is tried, the program, and how a contained run ends: by a limit, by itself, or any way."""

    name: str
    tries: str
    source: str
    ends: Ends


BEGUN = "the attack begins"
ATTACKS: dict[str, Attack] = {}


def attack(*, ends: Ends) -> Callable[[Tries], Tries]:
    """Put a function into the corpus."""

    def register(function: Tries) -> Tries:
        source = textwrap.dedent(inspect.getsource(function))
        body = source[source.index("def ") :]
        call = f"{function.__name__}(*sys.argv[1:6])"
        header = f"from __future__ import annotations\nimport sys\n\nprint({BEGUN!r}, flush=True)\n"
        program = f"{header}\n\n{body}\n\n{call}\n"
        name = function.__name__.replace("_", "-")
        ATTACKS[name] = Attack(name, inspect.getdoc(function) or "", program, ends)
        return function

    return register
