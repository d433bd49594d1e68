"""The door that holds huge images back reads the same sizes as Pillow, and refuses before anything is decoded."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pcl_tf.data.headers import MAX_PIXELS, declared_pixels
from pcl_tf.data.images import decode_image
from tests.helpers.images import HUGE, KINDS, bmp, extended_webp, jpeg, lossless_webp, lossy_webp, png


@pytest.mark.parametrize("kind", HUGE)
def test_huge_images_are_refused_from_their_header(kind):
    with pytest.raises(tf.errors.InvalidArgumentError, match="declares more than 67108864 pixels"):
        decode_image(tf.constant(HUGE[kind]), 40)


@pytest.mark.parametrize("kind", KINDS)
def test_declared_pixels_are_pillows(kind):
    data = KINDS[kind][0]
    image = Image.open(io.BytesIO(data))
    frames = getattr(image, "n_frames", 1)
    assert declared_pixels(tf.constant(data)) == image.width * image.height * frames


@pytest.mark.parametrize("make", [png, jpeg, bmp, lossy_webp, lossless_webp, extended_webp])
def test_sides_that_are_not_equal(make):
    assert declared_pixels(tf.constant(make(300, 5000))) == 300 * 5000


def test_the_largest_allowed_passes_and_one_more_does_not():
    side = int(MAX_PIXELS**0.5)
    assert declared_pixels(tf.constant(png(side, side))) == MAX_PIXELS
    for data in (png(side, side), png(side, side + 1)):
        with pytest.raises(tf.errors.InvalidArgumentError) as refused:
            decode_image(tf.constant(data), 40)
        assert ("declares more" in str(refused.value)) == (data == png(side, side + 1))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"BM",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"RIFF\0\0\0\0WAVE",
        b"\x89PNG",
        b"GIF89a",
        b"GIF89a\0\0\0\0\xff",
        b"x" * 1000,
    ],
)
def test_headers_cut_short_declare_nothing(data):
    assert declared_pixels(tf.constant(data)) <= 0
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode_image(tf.constant(data), 40)


def test_random_bytes_behind_each_magic_never_hang_or_crash():
    random = np.random.default_rng(0)
    for magic in (b"GIF89a", b"\x89PNG\r\n\x1a\n", b"BM", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBPVP8X"):
        for length in (1, 10, 100, 1000):
            with pytest.raises(tf.errors.InvalidArgumentError):
                decode_image(tf.constant(magic + random.bytes(length)), 40)
