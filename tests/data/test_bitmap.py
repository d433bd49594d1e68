"""BMP files of every depth decode to the same pixels as in Pillow, or are refused with a reason."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pcl_tf.data.decoding import decoder
from pcl_tf.data.images import decode_upright

DECODE = tf.function(decode_upright, input_signature=[tf.TensorSpec([], tf.string)])
RANDOM = np.random.default_rng(0)
RED_FIRST, RED_LAST, RED_TOP = (0xFF0000, 0xFF00, 0xFF), (0xFF, 0xFF00, 0xFF0000), (0xFF000000, 0xFF0000, 0xFF00)
FIVES, FIVE_SIX_FIVE = (0x7C00, 0x3E0, 0x1F), (0xF800, 0x7E0, 0x1F)


def bmp(bits, colours=0, masks=(), header=40, top_down=False, gap=0, compression=None, said=0):
    """A BMP of 9 x 6 random pixels, its palette random too; ``said``: number of colours in the header."""
    stride = (9 * bits + 31) // 32 * 4
    pixels = RANDOM.integers(0, 256, [6, stride], np.uint8)
    if bits == 8 and 0 < colours < 256:
        pixels %= colours
    compression = (3 if masks else 0) if compression is None else compression
    head = struct.pack("<IiiHHIIiiII", header, 9, -6 if top_down else 6, 1, bits, compression, 0, 0, 0, said, 0)
    if header == 12:
        head = struct.pack("<IHHHH", 12, 9, 6, 1, bits)
    of_masks = struct.pack(f"<{len(masks)}I", *masks)
    head += of_masks if header == 40 else of_masks.ljust(header - len(head), b"\0")
    palette = RANDOM.integers(0, 256, [colours, 3 if header == 12 else 4], np.uint8).tobytes()
    start = 14 + len(head) + len(palette) + gap
    return (
        b"BM" + struct.pack("<IHHI", start + pixels.size, 0, 0, start) + head + palette + b"\0" * gap + pixels.tobytes()
    )


FILES = {
    **{
        f"{bits} bits, header {h}": dict(bits=bits, colours=2**bits, header=h)
        for bits in (1, 4, 8)
        for h in (12, 40, 64, 124)
    },
    "palette of four": dict(bits=8, colours=4, said=4),
    "palette of two in four bits": dict(bits=4, colours=16, said=16, gap=3),
    "from the top": dict(bits=8, colours=256, top_down=True),
    "a gap before the pixels": dict(bits=4, colours=16, gap=7),
    "16 bits": dict(bits=16),
    "565": dict(bits=16, masks=FIVE_SIX_FIVE),
    "555 by masks, header 56": dict(bits=16, masks=FIVES, header=56),
    "24 bits": dict(bits=24, top_down=True),
    "24 bits of OS/2": dict(bits=24, header=12),
    "32 bits": dict(bits=32),
    **{
        f"32 bits, {masks[0]:x} is red, header {h}": dict(bits=32, masks=masks, header=h, top_down=h == 108)
        for masks in (RED_FIRST, RED_TOP)
        for h in (40, 52, 56, 108)
    },
    "RGBA": dict(bits=32, masks=(*RED_LAST, 0xFF000000), header=124),
    "BGRA": dict(bits=32, masks=(*RED_FIRST, 0xFF000000), header=56),
}


@pytest.mark.parametrize("name", FILES)
def test_pixels_are_pillows(name):
    data = bmp(**FILES[name])
    wanted = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(DECODE(data).numpy(), wanted)


def test_a_palette_that_the_offset_forgets():
    data = bytearray(bmp(8, 256))
    data[10:14] = struct.pack("<I", 54)
    np.testing.assert_array_equal(DECODE(bytes(data)), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (bmp(8, 256, compression=1), "run-length coded"),
        (bmp(4, 16, compression=2), "run-length coded"),
        (bmp(24, compression=5), "run-length coded, or compressed otherwise"),
        (bmp(16, masks=(0xF00, 0xF0, 0xF)), "its bit masks"),
        (bmp(2, 4), "its bits a pixel"),
        (bmp(24)[:-1], "it is cut short"),
        (b"BM" + b"\0" * 60, "its header"),
    ],
)
def test_what_cannot_be_decoded_is_refused_with_a_reason(data, why):
    name, face, said = decoder(16)(("x.bmp", data))
    assert face is None and said.startswith("a BMP that cannot be decoded: ") and why in said
