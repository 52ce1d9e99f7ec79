"""Every clip is a WAV file as the handout asks, and there is sound in it.

Headers are read by :mod:`grader.audio.riff` before libsndfile sees the file; only clips of the right rate, channels and
length are decoded, so no header can make the grader allocate. Levels are in dBFS (0 dB: full scale, by RMS).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

from grader.audio import Audio
from grader.audio.riff import BadHeader, Header, read_header
from grader.checks.graph import Checked, Rules
from grader.checks.layout import Layout
from grader.checks.say import WRITE_WAV, error, note, place, warning
from grader.findings import Finding
from grader.intake import sniff
from grader.intake.archive import StoredFile
from grader.intake.names import printable
from grader.rubric import Clips, Rubric

rule = Rules("audio")

_SILENT_DBFS = -80.0
_CLIPPED_SHARE = 0.001
_LEFTOVER_BYTES = (10_000, 1_000_000)
_FULL_SCALE = 1 - 2**-15


@dataclass(frozen=True)
class Measured:
    """What decoding a clip showed. sha256: of the file; audio_sha256: of its samples, whatever the encoding.

    rms_dbfs: without the mean (DC). full_scale: share of samples at or beyond ±1; not_finite: how many are NaN or Inf.
    """

    file: StoredFile
    sha256: str
    audio_sha256: str
    samples: int
    peak: float
    rms_dbfs: float
    full_scale: float
    not_finite: int


def load(path: Path) -> Audio:
    """A mono clip's samples, float32 of shape (samples,)."""
    audio: Audio = sf.read(path, dtype="float32", always_2d=True)[0][:, 0]
    return audio


def _fix(file: StoredFile, rubric: Rubric) -> dict[str, object]:
    return {"clip": printable(file.parts[-1]), "rate": rubric.clips.sample_rate_hz}


def _place(layout: Layout, source: Path, name: str) -> str:
    return place(source, layout.chosen[name].name)


@rule()
def headers(layout: Layout, source: Path, rubric: Rubric) -> Checked[dict[str, Header]]:
    """Every clip is a real WAV file with plain samples (PCM or float)."""
    found = {}
    for name, file in layout.chosen.items():
        where, fix = _place(layout, source, name), _fix(file, rubric)
        if file.size == 0:
            yield error("wav-empty", where, "The file is empty (0 bytes).", WRITE_WAV, **fix)
            continue
        try:
            header = read_header(file.path)
        except BadHeader as reason:
            kind = sniff.kind(sniff.head(file.path))
            if kind == "WAV":
                yield error(
                    "wav-broken-header",
                    where,
                    "Its WAV header is broken: {reason}.",
                    WRITE_WAV,
                    reason=str(reason),
                    **fix,
                )
            else:
                what = (
                    "This file is {kind}, not WAV; another name does not convert it."
                    if kind
                    else ("This is no WAV file, nor any sound format that is known.")
                )
                yield error("wav-other-format", where, what, WRITE_WAV, kind=kind, **fix)
            continue
        if not header.linear:
            yield error(
                "wav-encoding",
                where,
                "Its samples are {encoding}; 16-bit PCM is expected.",
                WRITE_WAV,
                encoding=header.encoding,
                **fix,
            )
            continue
        found[name] = header
    return found


@rule()
def whole(headers: dict[str, Header], layout: Layout, source: Path, rubric: Rubric) -> Checked[None]:
    """Every clip holds as much sound as its header says."""
    for name, header in headers.items():
        where = _place(layout, source, name)
        present = header.present_bytes // header.frame_bytes
        facts = {**_fix(layout.chosen[name], rubric), "claimed": header.claimed_frames, "present": present}
        if header.claimed_frames is None:
            yield note(
                "wav-streamed",
                where,
                "Its header leaves the length open, as streaming programs do; the file's own length counts.",
            )
        elif header.claimed_frames == 0 and present:
            yield error(
                "wav-size-zero",
                where,
                "Its header says 0 samples, yet there are {present}: it was never finished (not closed).",
                "Close the file after writing it. " + WRITE_WAV,
                **facts,
            )
        elif header.claimed_frames > present:
            yield error(
                "wav-truncated",
                where,
                "Its header says {claimed} samples, but only {present} are there: it is cut off.",
                WRITE_WAV,
                **facts,
            )
        elif header.leftover_bytes > _most_leftover(header):
            yield error(
                "wav-size-small",
                where,
                "Its header says {claimed} samples, but there is more behind them: it was never finished (not closed).",
                "Close the file after writing it. " + WRITE_WAV,
                **facts,
            )


@rule()
def sample_rate(headers: dict[str, Header], layout: Layout, source: Path, rubric: Rubric) -> Checked[None]:
    """Every clip has the sample rate the handout asks for."""
    for name, header in headers.items():
        if header.sample_rate_hz != rubric.clips.sample_rate_hz:
            yield error(
                "wav-sample-rate",
                _place(layout, source, name),
                "Its sample rate is {found} Hz; {rate} Hz is expected.",
                "If the audio was made at {rate} Hz, only the number given when writing is wrong; else resample it. "
                + WRITE_WAV,
                found=header.sample_rate_hz,
                **_fix(layout.chosen[name], rubric),
            )


@rule()
def channels(headers: dict[str, Header], layout: Layout, source: Path, rubric: Rubric) -> Checked[None]:
    """Every clip has as many channels as the handout asks for."""
    for name, header in headers.items():
        if header.channels != rubric.clips.channels:
            yield error(
                "wav-channels",
                _place(layout, source, name),
                "It has {found} channels; {expected} is expected.",
                "Keep one channel, or the mean of both. " + WRITE_WAV,
                found=header.channels,
                expected=rubric.clips.channels,
                **_fix(layout.chosen[name], rubric),
            )


@rule()
def duration(headers: dict[str, Header], layout: Layout, source: Path, rubric: Rubric) -> Checked[None]:
    """No clip is longer than the longest the handout speaks of, and none is empty."""
    for name, header in headers.items():
        seconds = header.frames / rubric.clips.sample_rate_hz
        facts = {"seconds": f"{seconds:.1f}", "most": f"{rubric.clips.max_seconds:g}", "hop": rubric.mel.hop_length}
        if header.frames > rubric.clips.max_seconds * rubric.clips.sample_rate_hz:
            yield error(
                "wav-too-long",
                _place(layout, source, name),
                "It lasts {seconds} s; no mel is longer than {most} s.",
                "Make each clip as long as its mel: {hop} samples for each frame.",
                **facts,
            )
        elif header.frames == 0 and not header.present_bytes // header.frame_bytes:
            yield error(
                "wav-no-samples",
                _place(layout, source, name),
                "There is a header, but no sound.",
                WRITE_WAV,
                **_fix(layout.chosen[name], rubric),
            )


@rule()
def sample_format(headers: dict[str, Header], layout: Layout, source: Path) -> Checked[None]:
    """Every clip is 16-bit PCM."""
    for name, header in headers.items():
        dialect = "RF64, " if header.rf64 else "EXTENSIBLE, " if header.extensible else ""
        found = dialect + header.encoding
        if found != "16-bit PCM":
            yield note(
                "wav-format",
                _place(layout, source, name),
                "It is {found}; that is taken, though 16-bit PCM is usual.",
                found=found,
            )


def _as_asked(header: Header, clips: Clips) -> bool:
    return (
        header.sample_rate_hz == clips.sample_rate_hz
        and header.channels == clips.channels
        and 0 < header.frames <= clips.max_seconds * clips.sample_rate_hz
        and header.leftover_bytes <= _most_leftover(header)
    )


def _most_leftover(header: Header) -> int:
    """Bytes behind the sound that may be a careless program's; more of them are sound the header leaves out."""
    return min(max(header.claimed_bytes or 0, _LEFTOVER_BYTES[0]), _LEFTOVER_BYTES[1])


@rule()
def decoded(
    headers: dict[str, Header], layout: Layout, source: Path, rubric: Rubric
) -> Checked[Mapping[str, Measured]]:
    """Every clip can be decoded."""
    measured = {}
    for name, header in headers.items():
        if not _as_asked(header, rubric.clips):
            continue
        file = layout.chosen[name]
        try:
            audio = load(file.path)
            reason = "" if len(audio) == header.frames else f"{len(audio)} of {header.frames} samples come out"
        except (sf.LibsndfileError, OSError, RuntimeError) as trouble:
            reason = printable(str(trouble), 120)
        if reason:
            yield error(
                "wav-unreadable",
                _place(layout, source, name),
                "It cannot be decoded: {reason}.",
                WRITE_WAV,
                reason=reason,
                **_fix(file, rubric),
            )
        else:
            measured[name] = measure(file, audio)
    return measured


def measure(file: StoredFile, audio: Audio) -> Measured:
    """Levels and hashes of a clip of shape (samples,), at least one sample."""
    finite = np.isfinite(audio)
    not_finite = int(audio.size - np.count_nonzero(finite))
    known = audio if not not_finite else audio[finite]
    magnitude = np.abs(known)
    rms = float(known.std(dtype=np.float64)) if known.size else 0.0
    with file.path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return Measured(
        file=file,
        sha256=sha256,
        audio_sha256=hashlib.sha256(audio.tobytes()).hexdigest(),
        samples=len(audio),
        peak=float(magnitude.max(initial=0.0)),
        rms_dbfs=float(20 * np.log10(max(rms, 1e-10))),
        full_scale=float(np.count_nonzero(magnitude >= _FULL_SCALE) / audio.size),
        not_finite=not_finite,
    )


@rule()
def finite(decoded: Mapping[str, Measured], source: Path) -> Checked[None]:
    """Every sample is a number."""
    for clip in decoded.values():
        if clip.not_finite:
            yield error(
                "wav-not-finite",
                place(source, clip.file.name),
                "{count} of {samples} samples are NaN or infinite.",
                "Look for a division by zero or an overflow (half precision?) in the model; before writing, "
                "np.isfinite(audio).all() must hold.",
                count=clip.not_finite,
                samples=clip.samples,
            )


@rule()
def not_clipped(decoded: Mapping[str, Measured], source: Path) -> Checked[None]:
    """No clip is louder than full scale."""
    for clip in decoded.values():
        if clip.peak > 1 + 1e-6 or clip.full_scale > _CLIPPED_SHARE:
            beyond = f", up to {clip.peak:.3g}" if clip.peak > 1 + 1e-6 else ""
            yield note(
                "wav-clipped",
                place(source, clip.file.name),
                "{percent} % of its samples are at full scale or beyond it{beyond}.",
                "Check the level of the output; nothing should reach ±1.",
                percent=f"{100 * clip.full_scale:.2f}",
                beyond=beyond,
            )


@rule()
def sounding(decoded: Mapping[str, Measured], source: Path, rubric: Rubric) -> Checked[None]:
    """Every clip can be heard."""
    for clip in decoded.values():
        if clip.not_finite:
            continue
        where = place(source, clip.file.name)
        if clip.rms_dbfs < _SILENT_DBFS:
            constant = clip.peak > 10 ** (_SILENT_DBFS / 20)
            yield error(
                "wav-constant" if constant else "wav-silent",
                where,
                "Every sample has the same value, {peak}: nothing can be heard." if constant else "It is silent.",
                "Look at what the model puts out for this mel, and run it again.",
                peak=f"{clip.peak:.3f}",
            )
        elif clip.rms_dbfs < rubric.clips.quiet_dbfs:
            yield warning(
                "wav-quiet",
                where,
                "It is very quiet: {found} dBFS (RMS); below {least} dBFS something is likely wrong.",
                "Samples are floats in [-1, 1] when written with soundfile; do not divide by 32768 twice.",
                found=f"{clip.rms_dbfs:.0f}",
                least=f"{rubric.clips.quiet_dbfs:g}",
            )


@rule()
def distinct(decoded: Mapping[str, Measured], source: Path) -> Checked[None]:
    """No two clips hold the same audio."""
    yield from _same_audio(decoded, source)


def _same_audio(decoded: Mapping[str, Measured], source: Path) -> Iterator[Finding]:
    by_audio = defaultdict(list)
    for name, clip in decoded.items():
        if clip.rms_dbfs >= _SILENT_DBFS:
            by_audio[clip.audio_sha256].append(name)
    for names in by_audio.values():
        if len(names) > 1:
            yield error(
                "clip-same-audio",
                place(source, decoded[names[-1]].file.name),
                "{names} hold the same audio, to the sample.",
                "Make each clip from its own mel.",
                names=" and ".join(names),
            )
