"""What hostile and careless code tries, as programs that are really run against the sandbox.

Used by ``grader doctor``, which says which protections are really on, and by the tests.
"""

from grader.rerun.attacks import escape, exhaust
from grader.rerun.attacks.corpus import ATTACKS, Attack
from grader.rerun.attacks.fire import LIMITS, Fired, fire

__all__ = ["ATTACKS", "LIMITS", "Attack", "Fired", "escape", "exhaust", "fire"]
