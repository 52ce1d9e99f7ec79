"""Finding VGGish's weights: named, cached, downloaded from a server on this machine, or not to be had."""

import hashlib
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from grader.errors import EnvironmentProblem
from grader.metrics import vggish_weights
from grader.metrics.vggish_weights import FILE_NAME, WeightsMissing
from grader.progress import Progress

CONTENT = b"weights" * 500_000
HASH = hashlib.sha256(CONTENT).hexdigest()[:8]


class Server(HTTPServer):
    """Serves CONTENT; how it misbehaves is set by the test."""

    asked = 0
    status = 200
    cut_at = len(CONTENT)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: self.server.cut_at])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and no download unless it names a source."""
    monkeypatch.setenv("GRADER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("GRADER_VGGISH_URL", "")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache" / FILE_NAME


def source(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    monkeypatch.setenv("GRADER_VGGISH_URL", f"http://127.0.0.1:{server.server_port}/{FILE_NAME}")


def find(named: str | None = None) -> Path:
    return vggish_weights.find(named, Progress(), hash_starts=HASH)


def test_a_named_file_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine.pth").write_bytes(b"of my own")
    assert find(str(tmp_path / "mine.pth")) == tmp_path / "mine.pth"


def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        EnvironmentProblem, match=r"mine\.pth: no such file, named at metrics\.fad\.weights_file"
    ) as caught:
        find(str(tmp_path / "mine.pth"))
    assert not isinstance(caught.value, WeightsMissing)


def test_a_download_is_whole_and_serves_the_next_time(
    cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    source(monkeypatch, server)
    progress = Progress()
    assert vggish_weights.find(None, progress, hash_starts=HASH) == cache
    assert cache.read_bytes() == CONTENT
    assert (progress.total, progress.done, progress.count()) == (3_500_000, 3_500_000, "4 of 4 MB")
    assert find() == cache
    assert server.asked == 1
    assert list(cache.parent.iterdir()) == [cache]


def test_torch_hubs_copy_serves(tmp_path: Path) -> None:
    path = tmp_path / "torch" / "hub" / "checkpoints" / FILE_NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    assert find() == path


def test_a_damaged_copy_is_downloaded_again(cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    source(monkeypatch, server)
    cache.parent.mkdir()
    cache.write_bytes(CONTENT[:-1])
    find()
    assert cache.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"status": 404}, "HTTP Error 404|Not Found"),
        ({"cut_at": 1_000_000}, "only 1000000 of 3500000 bytes came"),
    ],
)
def test_a_download_that_fails_leaves_nothing_behind(
    cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch, fault: dict[str, int], said: str
) -> None:
    source(monkeypatch, server)
    for name, value in fault.items():
        setattr(server, name, value)
    with pytest.raises(WeightsMissing, match=said):
        find()
    assert [path.name for path in cache.parent.iterdir()] == ["vggish-10086976.unreachable"]


def test_a_download_of_the_wrong_hash_is_refused(cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    source(monkeypatch, server)
    with pytest.raises(WeightsMissing, match=r"sha256 is .*, expected 10086976") as caught:
        vggish_weights.find(None, Progress())
    assert str(cache) in caught.value.help
    assert not cache.exists()


def test_a_failure_is_not_tried_again_at_once_but_later(
    cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    source(monkeypatch, server)
    server.status = 503
    with pytest.raises(WeightsMissing):
        find()
    with pytest.raises(WeightsMissing, match="Service Unavailable") as caught:
        find()
    assert re.search(r"tried again from \d\d:\d\d on", caught.value.help)
    assert server.asked == 1
    server.status = 200
    note = cache.with_suffix(".unreachable")
    then = time.time() - vggish_weights.TRY_AGAIN_S - 1
    os.utime(note, (then, then))
    assert find() == cache


def test_a_failure_noted_in_the_future_does_not_count(
    cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    source(monkeypatch, server)
    cache.parent.mkdir()
    note = cache.with_suffix(".unreachable")
    note.write_text("the clock was wrong")
    os.utime(note, (time.time() + 9999, time.time() + 9999))
    assert find() == cache


def test_downloading_can_be_switched_off() -> None:
    with pytest.raises(WeightsMissing, match="switched off"):
        find()


def test_a_host_that_refuses_is_given_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: refuses
        monkeypatch.setenv("GRADER_VGGISH_URL", f"http://127.0.0.1:{taken.getsockname()[1]}/x")
        start = time.monotonic()
        with pytest.raises(WeightsMissing, match="refused"):
            find()
    assert time.monotonic() - start < 1


def test_a_name_server_that_does_not_answer_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vggish_weights, "REACH_S", 0.2)
    gone, seen = threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        gone.wait(10)
        seen.set()
        raise OSError("too late")

    monkeypatch.setattr(socket, "create_connection", hang)
    monkeypatch.setenv("GRADER_VGGISH_URL", "https://weights.invalid/x")
    start = time.monotonic()
    with pytest.raises(WeightsMissing, match="not reached within"):
        find()
    assert time.monotonic() - start < 2
    gone.set()
    assert seen.wait(5)


def test_a_proxy_is_what_must_be_reached(server: Server, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("GRADER_VGGISH_URL", "http://weights.invalid/vggish.pth")
    assert find() == cache


@pytest.mark.parametrize("address", ["no address", "http://127.0.0.1:notaport/x"])
def test_a_wrong_address_is_a_reason_like_any_other(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("GRADER_VGGISH_URL", address)
    with pytest.raises(WeightsMissing, match="VGGish's weights are not here"):
        find()


def test_a_cache_that_cannot_be_written_is_a_reason_like_any_other(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GRADER_CACHE", str(tmp_path / "file"))
    source(monkeypatch, server)
    with pytest.raises(WeightsMissing, match=r"Not a directory|File exists"):
        find()
