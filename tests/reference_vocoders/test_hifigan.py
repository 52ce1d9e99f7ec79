"""HiFi-GAN: the paper's networks, both front ends, checkpoints that cannot run code, training that resumes exactly."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

torch = pytest.importorskip("torch")

from grader.audio.mel import mel_spectrogram  # noqa: E402
from grader.errors import CourseError, GraderError  # noqa: E402
from reference_vocoders.hifigan import checkpoint, data, front_end, train  # noqa: E402
from reference_vocoders.hifigan.configuration import PRESETS, Configuration, FrontEndConfig, TrainingConfig  # noqa: E402
from reference_vocoders.hifigan.discriminators import Discriminators  # noqa: E402
from reference_vocoders.hifigan.generator import Generator  # noqa: E402
from reference_vocoders.hifigan.validation import Validator, render  # noqa: E402
from tests.shared import SHARED, needs_shared  # noqa: E402

TINY = Configuration(
    "tiny",
    dataclasses.replace(
        PRESETS["v2"].generator, initial_channels=16, resblock_kernels=(3,), resblock_dilations=((1,),)
    ),
    training=TrainingConfig(
        steps=8,
        batch=2,
        segment_frames=32,
        adversarial_from=2,
        discriminator_width=1 / 32,
        pitch_weight=1.0,
        validate_every=4,
        checkpoint_every=2,
    ),
)


def tone(seconds: float, hz: float) -> np.ndarray:
    time = np.arange(int(22050 * seconds)) / 22050
    return (0.3 * np.sin(2 * np.pi * hz * time + np.sin(2 * np.pi * 5 * time))).astype(np.float32)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    for singer, hz in (("alto", 330.0), ("tenor", 147.0)):
        (folder / singer).mkdir(parents=True)
        for number in range(2):
            sf.write(folder / singer / f"{number}.wav", tone(1.0, hz * (1 + number / 8)), 22050)
    sf.write(folder / "alto" / "high.flac", np.repeat(tone(1.0, 220.0), 2), 44100)
    return folder


def clips(folder: Path, cache: Path) -> tuple[list[data.Clip], list[data.Clip]]:
    train_paths, held_out = data.split(folder, valid=["tenor"])
    return data.prepare(train_paths, cache), data.prepare(held_out, cache)


def trained(folder: Path, out: Path, steps: int) -> list[dict[str, float]]:
    """The losses of a training in ``out`` up to ``steps``, taken up from where it is."""
    out.mkdir(exist_ok=True)
    seen, held_out = clips(folder, out / "audio")
    trainer = train.Trainer(TINY, torch.device("cpu"))
    if (out / "last.pt").exists():
        trainer.resume(out / "last.pt")
    segments = data.Segments(seen, TINY.training.segment_frames, TINY.training.seed)
    losses = []
    while trainer.step < steps:
        losses.append(trainer.train_step(torch.from_numpy(segments.batch(trainer.step, 2))))
    checkpoint.write_tensors(out / "last.pt", trainer.state())
    assert held_out
    return losses


@pytest.mark.parametrize(("name", "millions"), [("v1", 13.92), ("v2", 0.92), ("v3", 1.46)])
def test_generators_have_the_papers_size(name: str, millions: float) -> None:
    generator = Generator(PRESETS[name].generator).fold_weight_norm()
    assert sum(parameter.numel() for parameter in generator.parameters()) / 1e6 == pytest.approx(millions, abs=0.01)


def test_discriminators_have_the_papers_size() -> None:
    sizes = [sum(p.numel() for p in part.parameters()) for part in (Discriminators().periods, Discriminators().scales)]
    assert [size / 1e6 for size in sizes] == pytest.approx([41.1, 29.6], abs=0.2)


@pytest.mark.parametrize("name", ["v2", "v3"])
def test_every_frame_becomes_256_samples_and_folding_changes_nothing(name: str) -> None:
    torch.manual_seed(0)
    generator = Generator(PRESETS[name].generator).eval()
    mel = torch.randn(1, 80, 9)
    with torch.inference_mode():
        before = generator(mel)
        after = generator.fold_weight_norm()(mel)
    assert before.shape == (1, 1, 256 * 9)
    assert torch.allclose(before, after, atol=1e-6)


def test_the_course_front_end_sees_the_course_mel() -> None:
    audio = tone(0.7, 196.0)
    config = FrontEndConfig()
    seen = front_end.see(front_end.padded(torch.from_numpy(audio)[None], config), config)[0]
    expected = front_end.normalise(torch.from_numpy(mel_spectrogram(audio)), config)
    assert seen.shape == (80, len(audio) // 256)
    assert torch.allclose(seen, expected, atol=1e-3)


@needs_shared
def test_the_official_checkpoint_sings() -> None:
    from grader.metrics.m_stft import m_stft

    assert SHARED is not None
    generator, config = checkpoint.load_generator(SHARED / "models/hifigan_lj_v2/generator_v2")
    assert config.front_end.kind == "official"
    audio, _ = sf.read(SHARED / "singing/m4singer/ground_truth/003.flac", dtype="float32")
    assert m_stft(render(generator, config, audio), audio) == pytest.approx(1.177, abs=0.005)


def test_a_resumed_training_is_the_unbroken_one(recordings: Path, tmp_path: Path) -> None:
    whole = trained(recordings, tmp_path / "whole", 6)
    first = trained(recordings, tmp_path / "broken", 3)
    assert first == whole[:3]
    assert trained(recordings, tmp_path / "broken", 6) == whole[3:]


def test_training_lowers_its_losses_and_keeps_what_it_validated(recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    seen, held_out = clips(recordings, out / "audio")
    run = train.Run(train.Trainer(TINY, torch.device("cpu")), data.Segments(seen, 32, 1), Validator(held_out), out)
    losses: list[dict[str, float]] = []
    entries = list(run.go(lambda _, parts: losses.append(parts)))
    assert losses[-1]["stft"] < losses[0]["stft"]
    assert {"mel", "stft", "pitch", "adversarial", "feature", "discriminator"} == set(losses[-1])
    assert [entry["step"] for entry in entries] == [4, 8]
    assert all(math.isfinite(entry[key]) for entry in entries for key in ("m_stft", "log2_f0", "fd_logmel"))
    assert (out / "valid" / "00.png").read_bytes().startswith(b"\x89PNG")
    best, config = checkpoint.load_generator(out / "best.safetensors")
    assert config == TINY
    half, _ = checkpoint.load_generator(out / "last.safetensors")
    full, _ = checkpoint.load_generator(out / "last.pt")
    assert render(best, config, tone(0.5, 200)).shape == (256 * (11025 // 256),)
    assert render(half, config, tone(0.5, 200)) == pytest.approx(render(full, config, tone(0.5, 200)), abs=1e-2)


def test_a_training_starts_from_given_weights(recordings: Path, tmp_path: Path) -> None:
    trained(recordings, tmp_path / "first", 2)
    generator, _ = checkpoint.load_generator(tmp_path / "first" / "last.pt")
    trainer = train.Trainer(TINY, torch.device("cpu"))
    checkpoint.write_safetensors(tmp_path / "w.safetensors", generator, TINY, {})
    assert trainer.start_from(tmp_path / "w.safetensors", []) is None
    audio = tone(0.5, 200)
    assert render(trainer.generator, TINY, audio) == pytest.approx(render(generator, TINY, audio), abs=1e-2)


def test_segments_depend_on_seed_and_step_alone(recordings: Path, tmp_path: Path) -> None:
    seen, _ = clips(recordings, tmp_path / "cache")
    one, two = data.Segments(seen, 32, 1), data.Segments(seen, 32, 1)
    one.batch(0, 4)
    assert np.array_equal(one.batch(7, 4), two.batch(7, 4))
    assert not np.array_equal(one.batch(8, 4), two.batch(7, 4))
    assert one.batch(7, 4).shape == (4, 32 * 256 + 768)


def test_a_split_needs_both_parts_and_a_list_existing_files(recordings: Path, tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="5 recordings to train on, 0 to validate with"):
        data.split(recordings)
    listing = tmp_path / "list.csv"
    listing.write_text("file,split\nalto/0.wav,train\ntenor/1.wav,valid\ntenor/0.wav,test\n")
    seen, held_out = data.split(recordings, listed=listing)
    assert [path.name for path in seen + held_out] == ["0.wav", "1.wav"]
    listing.write_text("file,split\nalto/9.wav,train\ntenor/1.wav,valid\n")
    with pytest.raises(CourseError, match=r"alto/9\.wav"):
        data.split(recordings, listed=listing)


class Payload:
    """Touches a file when unpickled by a reader that trusts."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_malicious_checkpoint_runs_no_code(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    torch.save({"generator": Payload(mark)}, tmp_path / "generator")
    with pytest.raises(GraderError, match="nothing in it was run"):
        checkpoint.load_generator(tmp_path / "generator")
    assert not mark.exists()


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04" + bytes(100), bytes(8) + b"{}"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(GraderError, match="not usable as a HiFi-GAN checkpoint"):
        checkpoint.load_generator(tmp_path / name)


def test_a_foreign_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "generator"
    torch.save({"generator": {"weight": torch.zeros(3)}}, path)
    with pytest.raises(GraderError, match=r"no config\.json beside it"):
        checkpoint.load_generator(path)
    record = json.loads(json.dumps(TINY.as_json()))
    torch.save({"generator": {"weight": torch.zeros(3)}, "configuration": json.dumps(record)}, path)
    with pytest.raises(GraderError, match="do not fit the configuration"):
        checkpoint.load_generator(path)
    del record["generator"]
    torch.save({"generator": {}, "configuration": json.dumps(record)}, path)
    with pytest.raises(GraderError, match="not a configuration"):
        checkpoint.load_generator(path)


def test_a_wrong_setting_names_what_is_allowed() -> None:
    with pytest.raises(GraderError, match="no such number") as caught:
        train._changed(TINY, ("learning=1",))
    assert "learning_rate" in caught.value.help
    assert train._changed(TINY, ("steps=5", "learning_rate=1e-4")).training.steps == 5
