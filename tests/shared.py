"""Where real singing and golden values are, when they lie beside the repository; else tests skip."""

from pathlib import Path

import pytest

_FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data"
SHARED: Path | None = _FOLDER if _FOLDER.is_dir() else None
needs_shared = pytest.mark.skipif(SHARED is None, reason="the shared singing data is not here")
