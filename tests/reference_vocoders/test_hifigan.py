"""HiFi-GAN: the paper's networks, both front ends, checkpoints that cannot run code, training that resumes exactly."""

import dataclasses
import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

torch = pytest.importorskip("torch")

from grader.audio.mel import mel_spectrogram  # noqa: E402
from grader.errors import CourseError, GraderError  # noqa: E402
from reference_vocoders.hifigan import checkpoint, data, front_end, train, warm_start  # noqa: E402
from reference_vocoders.hifigan.configuration import PRESETS, FrontEndConfig  # noqa: E402
from reference_vocoders.hifigan.discriminators import Discriminators  # noqa: E402
from reference_vocoders.hifigan.generator import Generator  # noqa: E402
from reference_vocoders.hifigan.validation import render  # noqa: E402
from tests.reference_vocoders.tiny_training import TINY, clips, run  # noqa: E402
from tests.shared import SHARED, needs_shared  # noqa: E402


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


def lines(out: Path) -> list[tuple[int, dict[str, float]]]:
    """What a training wrote of its steps so far."""
    path = out / "steps.jsonl"
    whole = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [tuple(json.loads(line)) for line in whole if line.endswith("\n")]


@pytest.mark.slow
def test_a_killed_training_goes_on_with_the_same_losses(recordings: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.reference_vocoders.tiny_training", str(recordings)]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    subprocess.run([*command, str(whole)], check=True, capture_output=True)
    unbroken = dict(lines(whole))
    assert list(unbroken) == list(range(1, 9))

    with subprocess.Popen([*command, str(broken)], stdout=subprocess.DEVNULL) as killed:
        while len(lines(broken)) < 3:
            assert killed.poll() is None
            time.sleep(0.001)
        killed.kill()
    assert killed.returncode == -signal.SIGKILL
    before = lines(broken)
    subprocess.run([*command, str(broken)], check=True, capture_output=True)
    after = lines(broken)[len(before) :]
    assert after[0][0] == len(before) // 2 * 2 + 1  # a checkpoint lies behind every second step
    assert after[-1][0] == 8
    assert all(losses == unbroken[step] for step, losses in before + after)
    ended, _ = checkpoint.load_generator(broken / "last.pt")
    expected, _ = checkpoint.load_generator(whole / "last.pt")
    assert all(torch.equal(value, expected.state_dict()[key]) for key, value in ended.state_dict().items())


def test_training_lowers_its_losses_and_keeps_what_it_validated(recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    losses: list[dict[str, float]] = []
    entries = list(run(recordings, out).go(lambda _, parts: losses.append(parts)))
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


def test_a_training_starts_from_given_weights(tmp_path: Path) -> None:
    torch.manual_seed(1)
    generator = Generator(TINY.generator).fold_weight_norm().eval().requires_grad_(False)
    trainer = train.Trainer(TINY, torch.device("cpu"))
    checkpoint.write_safetensors(tmp_path / "w.safetensors", generator, TINY, {})
    assert trainer.start_from(tmp_path / "w.safetensors", []) is None
    audio = tone(0.5, 200)
    assert render(trainer.generator, TINY, audio) == pytest.approx(render(generator, TINY, audio), abs=1e-3)
    assert render(trainer.averaged(), TINY, audio) == pytest.approx(render(generator, TINY, audio), abs=1e-3)


def noise(seconds: float, seed: int) -> np.ndarray:
    """Noise whose level and colour change all the time, so that every band moves."""
    rng = np.random.default_rng(seed)
    samples = int(22050 * seconds)
    level = np.interp(np.arange(samples), np.arange(0, samples + 1000, 1000), rng.uniform(-3, 0, samples // 1000 + 2))
    white = rng.normal(0, 0.2, samples) * 10**level
    colour = np.convolve(white, rng.normal(0, 1, 8), "same") / 3
    return np.clip(white + colour, -1, 1).astype(np.float32)


def hearing(config: FrontEndConfig, audio: np.ndarray) -> torch.Tensor:
    return front_end.see(front_end.padded(torch.from_numpy(audio)[None], config), config)


def test_what_another_front_end_sees_is_fitted_and_folded_into_the_first_convolution(tmp_path: Path) -> None:
    for number in range(6):
        sf.write(tmp_path / f"{number}.wav", noise(2, number), 22050)
    recorded = data.prepare(sorted(tmp_path.glob("*.wav")), tmp_path / "cache")
    course, official = FrontEndConfig(), FrontEndConfig(kind="official")
    affine = warm_start.fit(recorded, course, official)
    assert 0 < affine.unexplained < 0.05
    unseen = noise(2, 99)
    expected, heard = hearing(official, unseen), affine(hearing(course, unseen))
    assert (heard - expected)[..., 3:-3].abs().mean() < 0.15 < expected.std()

    torch.manual_seed(0)
    generator = Generator(PRESETS["v2"].generator).fold_weight_norm().eval()
    folded = Generator(PRESETS["v2"].generator).fold_weight_norm().eval()
    folded.load_state_dict(warm_start.fold(generator.plain_state(), affine))
    seen = hearing(course, unseen)
    with torch.inference_mode():
        first, second = generator.conv_pre(affine(seen)[:, :, None]), folded.conv_pre(seen[:, :, None])
        whole, again = generator(affine(seen))[..., 30 * 256 : -30 * 256], folded(seen)[..., 30 * 256 : -30 * 256]
    assert torch.allclose(first[..., 3:-3], second[..., 3:-3], rtol=1e-4, atol=1e-5 * float(first.abs().max()))
    assert torch.allclose(whole, again, rtol=1e-3, atol=1e-5)


def test_a_training_may_start_from_weights_that_hear_another_mel(recordings: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    generator = Generator(TINY.generator).fold_weight_norm()
    elsewhere = dataclasses.replace(TINY, front_end=FrontEndConfig(kind="official"))
    checkpoint.write_safetensors(tmp_path / "official.safetensors", generator, elsewhere, {})
    seen, _ = clips(recordings, tmp_path / "cache")
    one, two = (train.Trainer(TINY, torch.device("cpu")) for _ in range(2))
    missed = one.start_from(tmp_path / "official.safetensors", seen)
    assert missed == two.start_from(tmp_path / "official.safetensors", seen)
    assert 0 < (missed or 0) < 0.5
    assert all(torch.equal(one.average[key], value) for key, value in two.average.items())
    assert not torch.allclose(one.average["conv_pre.weight"], generator.conv_pre.weight, atol=1e-3)
    with pytest.raises(GraderError, match="made with another generator"):
        train.Trainer(PRESETS["v3"], torch.device("cpu")).start_from(tmp_path / "official.safetensors", seen)


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
