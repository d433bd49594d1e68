"""The door that holds huge images back reads the same sizes as Pillow, and refuses before anything is decoded."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pcl_tf.data.headers import MAX_PIXELS, declared_pixels
from pcl_tf.data.images import decode_image
from tests.data.test_images import KINDS

SIDE = 20_000


def png(width, height):
    """A PNG of a few bytes that says it is width x height."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


def jpeg(width, height):
    """A JPEG of 8 x 8 pixels whose frame header says width x height."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "gray").save(buffer, "JPEG")
    data = bytearray(buffer.getvalue())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def bmp(width, height):
    """A BMP of two pixels that says it is width x height (a negative height: rows from the top)."""
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 6, 0, 0, 54) + head + b"\0" * 6


def gif(*frames, screen=(4, 4)):
    """A GIF with frames of (width, height), each of a few bytes, behind an extension block and a local palette."""
    data = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x91, 0, 0) + b"\0" * 12
    for width, height in frames:
        data += b"\x21\xf9\x04\0\0\0\0\0"  # graphic control extension
        data += b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0x80) + b"\0" * 6 + b"\x02\x02\x4c\x01\0"
    return data + b"\x3b"


def webp(kind, body):
    """A WebP of one chunk and nothing behind its sizes."""
    return b"RIFF" + struct.pack("<I", 4 + 8 + len(body)) + b"WEBP" + kind + struct.pack("<I", len(body)) + body


def lossy_webp(width, height):
    return webp(b"VP8 ", b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height) + b"\0" * 20)


def lossless_webp(width, height):
    return webp(b"VP8L", b"\x2f" + struct.pack("<I", width - 1 | height - 1 << 14) + b"\0" * 20)


def extended_webp(width, height):
    sides = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return webp(b"VP8X", b"\0" * 4 + sides) + b"\0" * 20


HUGE = {
    "webp": lossy_webp(16_000, 16_000),
    "lossless webp": lossless_webp(16_000, 16_000),
    "extended webp": extended_webp(2**24, 2**24),
    "png": png(SIDE, SIDE),
    "jpeg": jpeg(SIDE, SIDE),
    "bmp": bmp(SIDE, SIDE),
    "bmp from the top": bmp(SIDE, -SIDE),
    "gif screen": gif((1, 1), screen=(SIDE, SIDE)),
    "gif frame beyond its screen": gif((SIDE, SIDE)),
    "gif of many frames": gif(*[(8000, 8000)] * 2),
}


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
