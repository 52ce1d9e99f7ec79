"""Which embedding a run uses, what it is called, and the frechet_audio_distance engine behind a stand-in."""

import importlib.machinery
import sys
import types
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from grader import rubric
from grader.errors import EnvironmentProblem, RubricError
from grader.metrics import embedding, logmel, vggish_weights
from grader.metrics.embedding import Source, choose
from grader.metrics.fad_engine import Engine
from grader.metrics.frechet import frechet_distance
from grader.progress import Lines, Progress


@pytest.fixture(autouse=True)
def no_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("GRADER_VGGISH_URL", "")


def fad(**changes: Any) -> rubric.Fad:
    return rubric.load().metrics.fad.model_copy(update=changes)


def test_without_weights_the_fallback_has_another_name_and_says_why() -> None:
    said: list[str] = []
    source = choose(fad(), Lines(said.append))
    assert (source.kind, source.name) == ("logmel", "FD-logmel")
    assert source.reason is not None
    assert source.reason.startswith("VGGish's weights are not here (downloading is switched off")
    assert said[0].startswith("FD-logmel instead of FAD: VGGish's weights are not here")
    assert "metrics.fad.weights_file" in said[1]


def test_without_a_fallback_there_is_no_distance_and_a_reason() -> None:
    source = choose(fad(fallback="none"), Progress())
    assert (source.kind, source.name) == ("none", "FAD")
    assert source.reason is not None


def test_the_rubrics_own_choice_of_logmel_has_no_reason() -> None:
    assert choose(fad(embedding="logmel"), Progress()) == Source("logmel")


def test_a_named_weight_file_is_used_and_its_hash_counts(tmp_path: Path) -> None:
    (tmp_path / "mine.pth").write_bytes(b"weights")
    source = choose(fad(weights_file=str(tmp_path / "mine.pth")), Progress(), sha256=lambda _: "abc")
    assert (source.kind, source.name, source.weights) == ("vggish", "FAD", tmp_path / "mine.pth")
    assert source.settings()["weights_sha256"] == "abc"


def test_settings_do_not_depend_on_why_the_fallback_is_used() -> None:
    assert Source("logmel", reason="no network").settings() == Source("logmel").settings()
    assert Source("logmel").settings() != Source("vggish").settings()


def test_logmel_needs_nothing() -> None:
    assert Source("logmel").load() is logmel.embed


def test_weights_that_are_none_are_the_environments_fault(tmp_path: Path) -> None:
    (tmp_path / "mine.pth").write_bytes(b"weights")
    source = choose(fad(weights_file=str(tmp_path / "mine.pth")), Progress())
    with pytest.raises(EnvironmentProblem, match="cannot be read as PyTorch weights"):
        source.load()


class StandIn:
    """The interface of frechet_audio_distance 0.1.2; embeds 0.1 s pieces by 4 sums, prints instead of raising."""

    made_with: ClassVar[dict[str, object]] = {}

    def __init__(self, **arguments: object) -> None:
        StandIn.made_with = arguments

    def get_embeddings(self, x: list[np.ndarray], sr: int) -> np.ndarray:
        found = []
        try:
            for audio in x:
                if len(audio) < sr // 10:
                    raise RuntimeError("too short")
                found.append(audio[: len(audio) // (sr // 10) * (sr // 10)].reshape(-1, sr // 10)[:, :4])
        except Exception as error:
            print(f"[Frechet Audio Distance] get_embeddings throw an exception: {error}")
        return np.concatenate(found, axis=0)

    def calculate_embd_statistics(self, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return embeddings.mean(axis=0), np.cov(embeddings, rowvar=False)

    def calculate_frechet_distance(self, *gaussians: np.ndarray) -> float:
        return frechet_distance(*gaussians) + 1000


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("frechet_audio_distance")
    module.__spec__ = importlib.machinery.ModuleSpec("frechet_audio_distance", None)
    module.FrechetAudioDistance = StandIn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "frechet_audio_distance", module)


@pytest.mark.usefixtures("engine")
def test_the_engine_embeds_and_compares_as_the_package_does() -> None:
    rng = np.random.default_rng(0)
    embed = Source("frechet_audio_distance").load()
    clips = [embed(rng.normal(size=16000).astype(np.float32), 16000) for _ in range(4)]
    assert StandIn.made_with == {"model_name": "vggish", "use_pca": False, "use_activation": False}
    assert clips[0].shape == (10, 4)
    assert clips[0].dtype == np.float32
    ours = frechet_distance(
        *(
            f(np.concatenate(side))
            for side in (clips[:2], clips[2:])
            for f in (lambda e: e.mean(0), lambda e: np.cov(e.T))
        )
    )
    assert Engine().distance(clips[:2], clips[2:]) == pytest.approx(ours + 1000)


@pytest.mark.usefixtures("engine")
def test_what_the_engine_prints_becomes_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="get_embeddings throw an exception: too short"):
        Engine().embed(np.zeros(10, np.float32), 16000)
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("engine")
def test_an_engine_that_does_not_start_is_the_environments_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise EOFError("EOF when reading a line")

    monkeypatch.setattr(StandIn, "__init__", refuse)
    with pytest.raises(EnvironmentProblem, match="does not start: EOFError") as caught:
        Engine()
    assert "trust_repo=True" in caught.value.help


@pytest.mark.usefixtures("engine")
def test_the_engine_is_chosen_without_importing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "version", {"frechet_audio_distance": "0.1.2", "torch": "2"}.__getitem__)
    source = choose(fad(engine="frechet_audio_distance"), Progress())
    assert source.name == "FAD"
    assert source.settings()["frechet_audio_distance"] == "0.1.2"
    assert source.settings() != Source("logmel").settings()


def test_an_engine_that_is_not_installed_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(EnvironmentProblem, match="not installed") as caught:
        choose(fad(engine="frechet_audio_distance"), Progress())
    assert "pip install 'grader[grading,course]'" in caught.value.help


def test_the_engine_has_no_logmel() -> None:
    with pytest.raises(RubricError, match="no embedding 'logmel'"):
        choose(fad(engine="frechet_audio_distance", embedding="logmel"), Progress())


def test_the_real_engine_gives_our_distance_for_the_same_embeddings() -> None:
    """Its network cannot be had here, but its arithmetic can."""
    package = pytest.importorskip("frechet_audio_distance")
    engine = Engine.__new__(Engine)
    engine._fad = package.FrechetAudioDistance.__new__(package.FrechetAudioDistance)
    rng = np.random.default_rng(0)
    sides = [[rng.normal(shift, 1, (40, 8)).astype(np.float32) for _ in range(5)] for shift in (0, 0.5)]
    ours = frechet_distance(*(part for s in sides for part in (np.concatenate(s).mean(0), np.cov(np.concatenate(s).T))))
    with pytest.warns(DeprecationWarning, match="disp"):
        theirs = engine.distance(*sides)
    assert theirs == pytest.approx(ours, rel=1e-5)


def test_where_weights_are_missing_a_run_asks_once_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def find(*_: object, **__: object) -> Path:
        asked.append(1)
        raise vggish_weights.WeightsMissing("none", help="none")

    monkeypatch.setattr(vggish_weights, "find", find)
    source = choose(fad(), Progress())
    source.load()
    source.settings()
    assert asked == [1]
