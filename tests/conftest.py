"""For every test: no download of weights, and no weights that happen to lie in the cache of whoever runs the tests."""

import tempfile
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _weights_of_nobody() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADER_VGGISH_URL", "")
        patch.setenv("GRADER_CACHE", folder)
        patch.setenv("TORCH_HOME", folder)
        yield
