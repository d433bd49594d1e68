"""The first frame of a GIF, wherever it stands on its screen and whatever it leaves out, is the picture Pillow shows."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pcl_tf.data.images import decode_upright

PALETTE = bytes(v for i in range(256) for v in (i, 255 - i, i * 7 % 256))
OTHER = PALETTE[::-1]


def frame(size, at, *, clear=None, local=False, interlaced=False):
    """Blocks of one frame: colours 1 to 250, each row another."""
    width, height = size
    image = Image.frombytes("P", size, bytes(i * 3 % 250 + 1 for i in range(width * height)))
    image.putpalette(PALETTE)
    held = io.BytesIO()
    image.save(held, "GIF", optimize=False, interlace=int(interlaced))
    data = held.getvalue()
    start = data.index(b"\x2c" + struct.pack("<HHHH", 0, 0, width, height), 13 + 768)
    flags = data[start + 9] & 0x40 | (0x87 if local else 0)
    control = b"" if clear is None else b"\x21\xf9\x04" + bytes([1, 0, 0, clear, 0])
    box = b"\x2c" + struct.pack("<HHHHB", *at, *size, flags)
    return control + box + (OTHER if local else b"") + data[start + 10 : -1]


def gif(screen, *frames, background=0):
    return b"GIF89a" + struct.pack("<HHBBB", *screen, 0xF7, background, 0) + PALETTE + b"".join(frames) + b"\x3b"


decode = tf.function(decode_upright, input_signature=[tf.TensorSpec([], tf.string)])  # as exports do
COMMENT = b"\x21\xfe\x05hello\x00"
LOOP = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
FILES = {
    "fills its screen": gif((10, 8), frame((10, 8), (0, 0))),
    "smaller": gif((30, 20), frame((10, 8), (5, 6))),
    "smaller, another background": gif((30, 20), frame((10, 8), (5, 6)), background=7),
    "smaller, own palette": gif((30, 20), frame((10, 8), (5, 6), local=True)),
    "smaller, see-through": gif((30, 20), frame((10, 8), (5, 6), clear=7)),
    "smaller, see-through, own palette": gif((30, 20), frame((10, 8), (5, 6), clear=7, local=True)),
    "smaller, interlaced": gif((30, 20), frame((10, 8), (5, 6), interlaced=True)),
    "see-through": gif((10, 8), frame((10, 8), (0, 0), clear=4)),
    "larger": gif((10, 8), frame((14, 12), (0, 0))),
    "beyond its screen": gif((10, 8), frame((10, 8), (4, 4))),
    "a larger frame follows": gif((30, 20), frame((10, 8), (5, 6)), frame((30, 20), (0, 0), clear=9)),
    "behind other blocks": gif((30, 20), COMMENT, LOOP, frame((10, 8), (5, 6), clear=2), COMMENT),
}


@pytest.mark.parametrize("name", FILES)
def test_pixels_are_pillows(name):
    wanted = np.asarray(Image.open(io.BytesIO(FILES[name])).convert("RGB"))
    np.testing.assert_array_equal(decode(FILES[name]), wanted)


@pytest.mark.parametrize(
    "data",
    [
        gif((10, 8)),
        gif((10, 8), COMMENT),
        FILES["smaller"][:-60],
        FILES["smaller"][: 13 + 768 + 12],
        FILES["smaller"][:9],
        b"GIF89a",
        gif((10, 8), b"junk", frame((10, 8), (0, 0))),
    ],
)
def test_without_a_whole_frame_it_is_refused(data):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(data)
