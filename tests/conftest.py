"""For every test: no weights, neither downloaded nor out of the cache of whoever runs it, and no other language."""

import tempfile
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _weights_of_nobody() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADER_VGGISH_URL", "")
        patch.setenv("GRADER_CACHE", folder)
        patch.setenv("TORCH_HOME", folder)
        patch.setenv("LC_ALL", "C.UTF-8")
        yield
