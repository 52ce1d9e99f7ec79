"""Bytes by their hash: found where they lie, asked for where not, and never other bytes than those."""

from pathlib import Path

import pytest

from grader.findings import Whose
from grader.progress import Lines
from grader.workers import Content, Failure, Job, Pool
from grader.workers.content import Changed, Lacking, Shelf
from grader.workers.crew import Worker
from grader.workers.jobs import Bench, Order
from grader.workers.pool import _give


def of_file(path: Path, data: bytes) -> Content:
    path.write_bytes(data)
    return Content(Content.of(data).sha256, path)


def test_content_is_read_from_where_it_lies_and_travels_without_bytes(tmp_path: Path) -> None:
    held, filed = Content.of(b"held"), of_file(tmp_path / "a.wav", b"filed")
    assert (held.read(), filed.read()) == (b"held", b"filed")
    assert held.named() == Content(held.sha256)
    assert held.named().data is None
    with pytest.raises(Changed, match="not here"):
        held.named().read()
    filed.path.write_bytes(b"other")  # type: ignore[union-attr]
    with pytest.raises(Changed, match=r"a\.wav was changed"):
        filed.read()


def test_a_shelf_says_what_it_lacks_and_keeps_what_it_was_given(tmp_path: Path) -> None:
    shelf = Shelf()
    held, filed = Content.of(b"held"), of_file(tmp_path / "a.wav", b"filed")
    wanted = (held.named(), filed)
    assert shelf.fetch(wanted, {}) == Lacking((held.sha256,))
    for given in ({held.sha256: b"held"}, {}):
        found = shelf.fetch(wanted, given)
        assert not isinstance(found, Lacking)
        assert [content.read() for content in found] == [b"held", b"filed"]


def test_bytes_that_were_damaged_on_the_way_are_not_used() -> None:
    held = Content.of(b"held")
    assert Shelf().fetch((held.named(),), {held.sha256: b"hold"}) == Lacking((held.sha256,))


def test_what_was_unused_for_longest_goes_first() -> None:
    shelf = Shelf(most_bytes=25)
    first, second, third = (Content.of(bytes([n]) * 10) for n in range(3))
    shelf.fetch((), {first.sha256: first.read(), second.sha256: second.read()})
    shelf.fetch((first.named(),), {})
    shelf.fetch((), {third.sha256: third.read()})
    assert shelf.fetch((second.named(),), {}) == Lacking((second.sha256,))
    assert not isinstance(shelf.fetch((first.named(), third.named()), {}), Lacking)


def test_files_are_placed_where_a_worker_has_none(tmp_path: Path) -> None:
    shelf = Shelf()
    here, elsewhere = of_file(tmp_path / "here", b"here"), Content(Content.of(b"far").sha256, tmp_path / "nowhere")
    assert shelf.places((here, elsewhere), {}) == Lacking((elsewhere.sha256,))
    places = shelf.places((here, elsewhere), {elsewhere.sha256: b"far"})
    assert not isinstance(places, Lacking)
    assert places[here.sha256] == here.path
    assert places[elsewhere.sha256].read_bytes() == b"far"
    shelf.close()
    assert not places[elsewhere.sha256].exists()


def lengths(argument: str, *inputs: Content) -> list[int]:
    return [len(argument), *(len(content.read()) for content in inputs)]


def make_lengths():  # type: ignore[no-untyped-def]
    return lengths


@pytest.mark.parametrize("processes", [1, 2])
def test_inputs_reach_the_function_and_what_changed_fails_alone(tmp_path: Path, processes: int) -> None:
    held, filed, gone = Content.of(b"held"), of_file(tmp_path / "a", b"file"), of_file(tmp_path / "b", b"gone")
    gone.path.write_bytes(b"other")  # type: ignore[union-attr]
    jobs = [Job("good", "xx", inputs=(held, filed)), Job("changed", "x", inputs=(gone,)), Job("good", "", inputs=())]
    said: list[str] = []
    with Pool(make_lengths, processes) as pool:
        results = {job.argument: result for job, result in pool.run(jobs, Lines(said.append))}
    assert results["xx"] == [2, 4, 4]
    assert results[""] == [0]
    assert results["x"] == Failure("b was changed while it was being scored", Whose.ENVIRONMENT)


class Recorder(Worker):
    """A worker that does each order at once, with a shelf of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(lengths)
        self.said: list[object] = []
        self.given: list[set[str]] = []

    def give(self, order: Order) -> None:
        self.given.append(set(order.given))
        inputs = tuple(Content(content.sha256, None) for content in order.inputs)  # it sees none of our files
        self.said.append(self.bench.do(Order(order.argument, inputs, order.given)))


def test_a_worker_elsewhere_asks_once_and_is_then_sent_what_it_lacks(tmp_path: Path) -> None:
    worker = Recorder()
    reference, clips = Content.of(b"reference"), [of_file(tmp_path / str(n), b"clip %d" % n) for n in range(3)]
    first = Job("", "", inputs=(clips[0], reference))
    assert _give(worker, first) is None
    (lacking,) = worker.said
    assert lacking == Lacking((clips[0].sha256,))
    assert _give(worker, first, (clips[0].sha256,)) is None
    for clip in clips[1:]:
        assert _give(worker, Job("", "", inputs=(clip, reference))) is None
    assert worker.said[1:] == [[0, 6, 9]] * 3
    assert worker.given == [{reference.sha256}, *({clip.sha256} for clip in clips)]


def test_a_worker_whose_bytes_never_arrive_whole_costs_that_job_only() -> None:
    worker, job = Recorder(), Job("", "", inputs=(Content.of(b"x"),))
    asked = (job.inputs[0].sha256,)
    assert _give(worker, job, asked) is None
    failure = _give(worker, job, asked)
    assert isinstance(failure, Failure)
    assert failure.whose is Whose.ENVIRONMENT
