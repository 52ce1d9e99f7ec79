"""Pictures read back: what is where, on whose scale, and that nothing else is in the file."""

import io

import numpy as np
import pytest
from PIL import Image

from grader.audio.mel import COURSE
from grader.site.media import pictures
from grader.site.media.pictures import DIFFERENCE_DB, RANGE_DB, Scale
from tests.making import tone

FRAMES = 86


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), dtype=float)


def test_a_tone_is_a_bright_line_at_its_frequency_for_as_long_as_it_sounds() -> None:
    audio = np.concatenate([np.zeros(11008, np.float32), tone(0.5, 2756.25)])
    drawn = pictures.spectra(audio, FRAMES, COURSE)
    assert drawn.linear.shape == (pictures.LINEAR_ROWS, FRAMES)
    assert drawn.mel.shape == (80, FRAMES)
    picture = pixels(pictures.draw(drawn.linear, pictures.scale(drawn.linear))).sum(axis=2)
    assert picture.shape == (256, FRAMES)
    assert abs(int(picture[:, 60].argmax()) - (255 - 64)) <= 1  # a quarter of the way up to 11 025 Hz
    assert picture[:, 10].max() < 0.2 * picture[:, 60].max()


def test_long_clips_keep_to_so_many_columns_and_short_ones_are_padded() -> None:
    long = pictures.spectra(tone(11), 947, COURSE)
    assert long.mel.shape == (80, pictures.MOST_COLUMNS)
    short = pictures.spectra(tone(0.1), FRAMES, COURSE)
    assert short.mel.shape == (80, FRAMES)
    assert short.mel[:, 40].max() == short.mel.min()
    assert pictures.spectra(np.zeros(0, np.float32), 1, COURSE).mel.shape == (80, 1)


def test_the_scale_is_the_references_and_the_same_level_has_the_same_colour() -> None:
    levels = np.full((80, 40), -20, np.float32)
    levels[:, 20:] = 10.2
    scale = pictures.scale(levels)
    assert (scale.low_db, scale.high_db) == (11 - RANGE_DB, 11)
    loud, quiet = (pixels(pictures.draw(levels + shift, scale)).mean(axis=(0, 2)) for shift in (0, -30))
    assert loud[30] > loud[5] > quiet[5]
    assert quiet[30] == pytest.approx(loud[5], abs=4)  # −19.8 dB here, −20 dB there


def test_the_difference_is_blue_where_energy_lacks_red_where_it_is_too_much_and_pale_where_equal() -> None:
    reference = np.zeros((80, 90), np.float32)
    prediction = reference.copy()
    prediction[:, :30] -= DIFFERENCE_DB
    prediction[:, 60:] += DIFFERENCE_DB
    drawn = pixels(pictures.draw_difference(prediction, reference, Scale(-60, 15)))
    red, _, blue = drawn[40, 10]
    assert blue > red + 30
    assert drawn[40, 45].min() > 220
    red, _, blue = drawn[40, 80]
    assert red > blue + 30


def test_noise_floors_below_the_scale_do_not_differ() -> None:
    reference, prediction = (np.full((80, 40), level, np.float32) for level in (-70, -100))
    assert pixels(pictures.draw_difference(prediction, reference, Scale(-60, 15))).min() > 220


def test_a_file_holds_nothing_but_the_picture() -> None:
    drawn = pictures.spectra(tone(1), FRAMES, COURSE)
    content = pictures.draw(drawn.mel, pictures.scale(drawn.mel))
    assert content[8:16] == b"WEBPVP8 "  # the simple form: no metadata fits in
    assert not Image.open(io.BytesIO(content)).getexif()
    assert content == pictures.draw(drawn.mel, pictures.scale(drawn.mel))
