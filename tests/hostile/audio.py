"""The table “Audio” of the hazards, line by line."""

import struct
from pathlib import Path

import numpy as np

from tests.hostile.corpus import (
    CLIPS,
    SAMPLES,
    STUDENT,
    Corpus,
    clip_audio,
    clips,
    course_clips,
    make_course,
    pcm,
    riff,
    with_clip,
    write_zip,
)
from tests.making import tone, wav_bytes

audio = Corpus()
SOUND = tone(0.2, 333)

# Dialects that are accepted


@audio("wav-format", status=0)
def bits_24(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(SOUND, subtype="PCM_24"))


@audio("wav-format", status=0)
def bits_32(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(SOUND, subtype="PCM_32"))


@audio("wav-format", status=0)
def bits_8(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(SOUND, subtype="PCM_U8"))


@audio("wav-format", status=0)
def float_32(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(SOUND, subtype="FLOAT"))


@audio("wav-format", status=0)
def float_64(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(SOUND, subtype="DOUBLE"))


@audio("wav-format", status=0)
def extensible(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(SOUND, format="WAVEX"))


@audio("wav-format", status=0)
def rf64(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(SOUND, format="RF64"))


@audio(None, status=0)
def other_chunks_around_the_sound(folder: Path) -> Path:
    listed = b"LIST" + struct.pack("<I", 26) + b"INFOISFT\x0e\0\0\0Lavf58.76.100\0"
    return with_clip(folder, riff(pcm(), before=listed) + listed)


# Other formats under the name of a WAV


@audio("wav-other-format")
def mp3(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(SOUND, format="MP3", subtype="MPEG_LAYER_III"))


@audio("wav-other-format")
def flac(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(SOUND, format="FLAC"))


@audio("wav-other-format")
def ogg_vorbis(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(SOUND, format="OGG", subtype="VORBIS"))


@audio("wav-other-format")
def aiff(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(SOUND, format="AIFF"))


@audio("wav-other-format")
def big_endian_rifx(folder: Path) -> Path:
    return with_clip(folder, b"RIFX" + riff(pcm())[4:])


@audio("wav-other-format")
def numpy_array(folder: Path) -> Path:
    return with_clip(folder, b"\x93NUMPY\x01\0" + bytes(500))


@audio("wav-other-format")
def just_text(folder: Path) -> Path:
    return with_clip(folder, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")


@audio("wav-encoding")
def mu_law(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(SOUND, subtype="ULAW"))


@audio("wav-encoding")
def a_law(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(SOUND, subtype="ALAW"))


@audio("wav-encoding")
def adpcm(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(SOUND, subtype="IMA_ADPCM"))


@audio("wav-encoding")
def mp3_in_a_wav(folder: Path) -> Path:
    return with_clip(folder, riff(bytes(4000), tag=0x55))


@audio("wav-empty")
def empty(folder: Path) -> Path:
    return with_clip(folder, b"")


# Headers that say something else


@audio("wav-streamed", status=0)
def streamed_header(folder: Path) -> Path:
    return with_clip(folder, riff(pcm(), data_size=0xFFFFFFFF, riff_size=0xFFFFFFFF))


@audio("wav-size-zero")
def sizes_zero(folder: Path) -> Path:
    return with_clip(folder, riff(pcm(), data_size=0, riff_size=0))


@audio("wav-size-zero")
def only_the_data_size_zero(folder: Path) -> Path:
    return with_clip(folder, riff(pcm(), data_size=0))


@audio("wav-size-small")
def a_size_that_was_never_updated(folder: Path) -> Path:
    return with_clip(folder, riff(pcm(tone(1, 200)), data_size=800))


@audio("wav-truncated")
def truncated_clip(folder: Path) -> Path:
    return with_clip(folder, riff(pcm())[:-1000])


@audio("wav-truncated")
def rf64_that_claims_a_terabyte(folder: Path) -> Path:
    sizes = b"ds64" + struct.pack("<IQQQI", 28, 1 << 40, 1 << 40, 1 << 39, 0)
    return with_clip(folder, riff(pcm(), magic=b"RF64", before=sizes, data_size=0xFFFFFFFF))


@audio("wav-broken-header")
def cut_off_in_the_header(folder: Path) -> Path:
    return with_clip(folder, riff(pcm())[:30])


@audio("wav-broken-header")
def no_format_chunk(folder: Path) -> Path:
    return with_clip(folder, b"RIFF\x10\0\0\0WAVEdata\x04\0\0\0abcd")


@audio("wav-broken-header")
def a_hundred_thousand_chunks(folder: Path) -> Path:
    return with_clip(folder, riff(pcm(), before=b"junk\0\0\0\0" * 100_000))


@audio("wav-broken-header")
def a_chunk_of_four_gigabytes(folder: Path) -> Path:
    return with_clip(folder, b"RIFF\x10\0\0\0WAVEfmt \xff\xff\xff\xff" + bytes(100))


@audio("wav-no-samples")
def a_header_and_nothing_else(folder: Path) -> Path:
    return with_clip(folder, riff(b""))


# Samples that are no sound


@audio("wav-not-finite")
def nan(folder: Path) -> Path:
    sound = SOUND.copy()
    sound[100:120] = np.nan
    return with_clip(folder, wav_bytes(sound, subtype="FLOAT"))


@audio("wav-not-finite")
def infinite(folder: Path) -> Path:
    sound = SOUND.copy()
    sound[7] = -np.inf
    return with_clip(folder, wav_bytes(sound, subtype="DOUBLE"))


@audio("wav-not-finite")
def nothing_but_nan(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(np.full(SAMPLES, np.nan, np.float32), subtype="FLOAT"))


@audio("wav-clipped", status=0)
def beyond_full_scale(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(8 * SOUND, subtype="FLOAT"))


@audio("wav-clipped", status=0)
def clipped_to_16_bit(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(np.clip(8 * SOUND, -1, 1)))


@audio("wav-clipped", status=0)
def samples_near_the_largest_float(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(np.full(SAMPLES, 3e38, np.float32) * np.sign(SOUND), subtype="FLOAT"))


# Rates and channels


@audio("wav-channels")
def stereo(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(np.stack([SOUND, SOUND], axis=1)))


@audio("wav-sample-rate")
def rate_16000(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(SOUND, 16000))


@audio("wav-sample-rate")
def rate_24000(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(SOUND, 24000))


@audio("wav-sample-rate")
def rate_44100(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(SOUND, 44100))


@audio("wav-sample-rate")
def rate_48000(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(SOUND, 48000))


@audio("wav-sample-rate")
def rate_zero(folder: Path) -> Path:
    return with_clip(folder, riff(pcm(), rate=0))


@audio("wav-sample-rate")
def rate_four_billion(folder: Path) -> Path:
    return with_clip(folder, riff(pcm(), rate=4_000_000_000))


@audio("wav-encoding")
def channels_65535(folder: Path) -> Path:
    return with_clip(folder, riff(pcm(), channels=65535))


@audio("wav-channels")
def channels_1000(folder: Path) -> Path:
    return with_clip(folder, riff(pcm(), channels=1000))


@audio("wav-encoding")
def channels_zero(folder: Path) -> Path:
    return with_clip(folder, riff(pcm(), channels=0))


@audio("wav-encoding")
def bits_zero(folder: Path) -> Path:
    return with_clip(folder, riff(pcm(), bits=0))


# Levels


@audio("wav-silent")
def all_silent(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(np.zeros(SAMPLES, np.float32)))


@audio("wav-silent")
def silent_half_a_minute(folder: Path) -> Path:
    """Packs 1000 : 1, and is no bomb."""
    return with_clip(folder, wav_bytes(np.zeros(22050 * 29, np.float32)))


@audio("wav-constant")
def constant(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(np.full(SAMPLES, 0.25, np.float32)))


@audio("wav-quiet", status=0)
def a_hundred_times_too_quiet(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(SOUND / 100))


# Lengths and contents


@audio("wav-too-long")
def longer_than_any_mel(folder: Path) -> Path:
    return with_clip(folder, wav_bytes(tone(31, 333)))


@audio("wav-too-long")
def twenty_minutes_in_8_bit(folder: Path) -> Path:
    """27 MB, with enough noise to pass the ratio."""
    block = np.tile(np.arange(256, dtype=np.uint8), 100).tobytes()
    noise = np.random.default_rng(0).integers(0, 256, 250_000, dtype=np.uint8).tobytes()
    return with_clip(folder, riff((block * 40 + noise) * 21, bits=8))


@audio("clip-length", course=True)
def shorter_than_its_mel(folder: Path) -> Path:
    return write_zip(make_course(folder), entries=course_clips({3: clip_audio(3)[:-1100]}))


@audio("clip-length", course=True)
def longer_than_its_mel(folder: Path) -> Path:
    return write_zip(make_course(folder), entries=course_clips({3: clip_audio(3, 4352 + 1100)}))


@audio("clip-length-near", status=0, course=True)
def a_little_shorter_than_its_mel(folder: Path) -> Path:
    return write_zip(make_course(folder), entries=course_clips({3: clip_audio(3)[:-256]}))


@audio(None, status=0, course=True)
def exactly_as_long_as_its_mel(folder: Path) -> Path:
    return write_zip(make_course(folder), entries=course_clips())


@audio("clip-of-another-mel", course=True)
def two_clips_swapped(folder: Path) -> Path:
    return write_zip(make_course(folder), entries=course_clips({3: clip_audio(7), 7: clip_audio(3)}))


@audio("clip-of-another-mel", course=True)
def another_clips_content_louder(folder: Path) -> Path:
    return write_zip(make_course(folder), entries=course_clips({3: 2 * clip_audio(7)}))


@audio("clip-quieter-than-mel", status=0, course=True)
def quieter_than_its_mel(folder: Path) -> Path:
    return write_zip(make_course(folder), entries=course_clips({3: clip_audio(3) / 50}))


@audio("clip-same-audio")
def the_same_audio_under_two_numbers(folder: Path) -> Path:
    return with_clip(folder, CLIPS[f"{STUDENT}/007.wav"])


@audio("clip-same-audio")
def the_same_audio_in_another_dialect(folder: Path) -> Path:
    return write_zip(
        folder, entries=clips(c003=wav_bytes(pcm() / 32768), c004=wav_bytes(pcm() / 32768, subtype="FLOAT"))
    )
