"""Whatever stands in a WAV's header, a clip is either measured or refused with a reason."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader import rubric
from grader.audio.riff import BadHeader, read_header
from grader.checks import check
from grader.findings import Severity
from tests.making import RATE_HZ, tone, wav_bytes

RUBRIC = rubric.load()
TWO_CLIPS = RUBRIC.model_copy(update={"clips": RUBRIC.clips.model_copy(update={"count": 2})})
DIALECTS = [("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("WAVEX", "PCM_16"), ("RF64", "PCM_16")]


@pytest.mark.parametrize(("format", "subtype"), [*DIALECTS, ("WAV", "PCM_U8"), ("WAV", "PCM_32"), ("WAV", "DOUBLE")])
def test_headers_say_what_libsndfile_says(tmp_path: Path, format: str, subtype: str) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(tone(), subtype=subtype, format=format))
    header, facts = read_header(path), sf.info(path)
    assert (header.sample_rate_hz, header.channels, header.frames) == (RATE_HZ, facts.channels, facts.frames)
    assert header.claimed_frames == facts.frames
    assert header.linear
    assert header.rf64 == (format == "RF64")
    assert header.extensible == (format != "WAV")
    assert header.leftover_bytes == 0


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    dialect=st.sampled_from(DIALECTS),
    changes=st.lists(st.tuples(st.integers(0, 110), st.binary(min_size=1, max_size=4)), max_size=4),
    cut=st.one_of(st.none(), st.integers(0, 400)),
    behind=st.one_of(st.just(b""), st.binary(max_size=60)),
)
def test_no_clip_is_left_out_without_a_reason(
    tmp_path: Path, dialect: tuple[str, str], changes: list[tuple[int, bytes]], cut: int | None, behind: bytes
) -> None:
    data = bytearray(wav_bytes(tone(0.05), subtype=dialect[1], format=dialect[0]))
    for at, new in changes:
        data[at : at + len(new)] = new
    folder = tmp_path / "r12345678"
    folder.mkdir(exist_ok=True)
    (folder / "001.wav").write_bytes(wav_bytes(tone(0.05, 500)))
    (folder / "002.wav").write_bytes(bytes(data[:cut]) + behind)
    report = check(folder, TWO_CLIPS, unpack_to=tmp_path / "unpacked")
    assert not report.broke
    refused = any(finding.severity is Severity.ERROR for finding in report.findings)
    assert refused == (report.submission is None)
    if report.submission:
        clip = report.submission.clips["002.wav"]
        assert clip.samples == len(sf.read(clip.path)[0])


def test_a_long_tail_that_is_no_chunk_is_sound_left_out(tmp_path: Path) -> None:
    sound = np.round(tone(2) * 32767).astype("<i2").tobytes()
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(tone(1)) + sound)
    assert read_header(path).leftover_bytes == len(sound)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"RIFX\0\0\0\0WAVE", b"RIFF\0\0\0\0AVI "])
def test_what_is_no_wav(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(data)
    with pytest.raises(BadHeader):
        read_header(tmp_path / "a.wav")
