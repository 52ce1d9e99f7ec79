"""Where things are kept that belong to no course and can be had again: weights, compiled templates."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """The user's cache, made by whoever writes into it. ``GRADER_CACHE`` names another."""
    from platformdirs import user_cache_path

    named = os.environ.get("GRADER_CACHE")
    return Path(named).expanduser() if named else user_cache_path("grader")
