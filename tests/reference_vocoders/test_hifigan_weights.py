"""The shipped HiFi-GAN: whole, small, what its card says; it sings from mels alone, as fast as it is plain."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

torch = pytest.importorskip("torch")

from grader.audio.mel import mel_spectrogram  # noqa: E402
from grader.errors import CourseError  # noqa: E402
from reference_vocoders.hifigan import SHIPPED, evaluate, render  # noqa: E402
from reference_vocoders.hifigan.checkpoint import load_generator  # noqa: E402
from reference_vocoders.hifigan.configuration import PRESETS  # noqa: E402
from tests.benchmarks.bench_hifigan import Plain  # noqa: E402
from tests.shared import SHARED, needs_shared  # noqa: E402
from tests.test_scoring import sung  # noqa: E402

CARD = SHIPPED.with_name("README.md").read_text(encoding="utf-8")


def test_the_weights_are_those_of_the_card_and_small() -> None:
    content = SHIPPED.read_bytes()
    assert len(content) < 4_000_000
    assert hashlib.sha256(content).hexdigest() in CARD
    assert "CC BY-NC-SA 4.0" in SHIPPED.with_name("LICENSE").read_text(encoding="utf-8")
    generator, config = load_generator(SHIPPED)
    assert config.front_end.kind == "course"
    assert config.generator == PRESETS["v2"].generator
    assert all(torch.isfinite(value).all() for value in generator.state_dict().values())


def test_a_mel_becomes_exactly_its_frames_of_audio_the_same_every_time() -> None:
    mel = mel_spectrogram(sung(1))
    audio = render.vocoder()(mel)
    assert audio.shape == (256 * mel.shape[1],)
    assert audio.dtype == np.float32
    assert np.abs(audio).max() < 1
    assert np.array_equal(audio, render.vocoder()(mel))
    for wrong in (mel[:79], mel[:, :0], np.where(mel > 1, np.nan, mel), -mel):
        with pytest.raises(ValueError, match=r"expected (\(80, frames\)|linear power)"):
            render.vocoder()(wrong)


def test_channels_stored_last_and_no_weight_norm_change_nothing() -> None:
    generator, _ = load_generator(SHIPPED)
    mel = torch.from_numpy(np.random.default_rng(0).normal(-1, 0.5, (2, 80, 40)).astype(np.float32))
    with torch.inference_mode():
        ours, plain = generator(mel), Plain(generator)(mel)
    assert float((ours - plain).abs().max()) < 1e-5 * float(plain.abs().max()) + 1e-6


def test_the_module_renders_a_folder_of_mels(tmp_path: Path) -> None:
    (tmp_path / "mels").mkdir()
    np.save(tmp_path / "mels" / "001.npy", mel_spectrogram(sung(1)))
    arguments = ["--mels", str(tmp_path / "mels"), "--out", str(tmp_path / "out")]
    assert CliRunner().invoke(render.main, arguments).exit_code == 0
    assert sf.info(tmp_path / "out" / "001.wav").frames == 256 * 32
    failed = CliRunner().invoke(render.main, [*arguments, "--weights", str(tmp_path / "none.pt")])
    assert (failed.exit_code, "no such checkpoint" in failed.stderr) == (2, True)


def test_vocoders_are_compared_on_recordings(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        sf.write(tmp_path / f"{number}.wav", np.tile(sung(number), 4), 22050)
    (tmp_path / "list.csv").write_text("file,split\n1.wav,test\n2.wav,test\n3.wav,train\n")
    arguments = ["--data", str(tmp_path), "--list", str(tmp_path / "list.csv"), "--split", "test"]
    done = CliRunner().invoke(evaluate.main, [*arguments, "--capacity", "tiny", "--json", str(tmp_path / "out.json")])
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "out.json").read_text())
    assert list(record) == ["Griffin-Lim, pseudo-inverse", "Griffin-Lim", f"HiFi-GAN {SHIPPED.stem}"]
    for name, scores in record.items():
        assert name in done.stdout
        assert [clip["name"] for clip in scores["clips"]] == ["1.wav", "2.wav"]
        assert 0 < scores["m_stft"] < 4
    with pytest.raises(CourseError, match="1 recordings found"):
        evaluate.find([tmp_path], tmp_path / "list.csv", "train")


@needs_shared
def test_a_sung_line_it_was_never_trained_on() -> None:
    from grader.metrics.m_stft import m_stft
    from grader.metrics.pitch import PitchTracker

    assert SHARED is not None
    audio, _ = sf.read(SHARED / "singing/m4singer/ground_truth/003.flac", dtype="float32")
    audio = audio[: len(audio) // 256 * 256]
    made = render.vocoder()(mel_spectrogram(audio))
    tracker = PitchTracker("tiny")
    assert m_stft(made, audio) < 1.2
    assert tracker.log2_f0(tracker.prepare(audio), made).semitones < 0.35  # type: ignore[operator]


def test_the_card_gives_the_commands_and_the_scores() -> None:
    for part in ("python -m reference_vocoders.hifigan.train", "--from", "M4Singer", "held-out", "log2-F0"):
        assert part in CARD
    assert re.search(r"\| HiFi-GAN.*\| \*{0,2}\d\.\d+", CARD)
