"""How many pixels an image file declares, read from its header before anything is decoded."""

import tensorflow as tf

from pcl_tf.data.bitmap import sides
from pcl_tf.data.raw import number

MAX_PIXELS = 2**26  # 8192 x 8192; decoded, 200 MB


def _jpeg(data):
    return tf.reduce_prod(tf.cast(tf.image.extract_jpeg_shape(data)[:2], tf.int64))


def _png(data):
    shape = tf.io.decode_raw(tf.strings.substr(data, 16, 8), tf.int32, little_endian=False)
    return tf.reduce_prod(tf.cast(shape, tf.int64))


def _bmp(data):
    return tf.abs(tf.reduce_prod(tf.stack(sides(tf.io.decode_raw(data, tf.uint8)))))


def _webp(data):
    # TensorFlow decodes animated ones in four channels alone; they count as unknown.
    raw = tf.io.decode_raw(data, tf.uint8)

    def lossy():
        return (number(raw, 26, 2) % 2**14) * (number(raw, 28, 2) % 2**14)

    def lossless():
        bits = number(raw, 21, 4)
        return (bits % 2**14 + 1) * (bits // 2**14 % 2**14 + 1)

    def extended():
        animated = number(raw, 20, 1) // 2 % 2 == 1
        return tf.where(animated, _unknown(), (number(raw, 24, 3) + 1) * (number(raw, 27, 3) + 1))

    kind = tf.strings.substr(data, 12, 4)
    return tf.case([(kind == b"VP8 ", lossy), (kind == b"VP8L", lossless), (kind == b"VP8X", extended)], _unknown)


def _unknown():
    return tf.constant(-1, tf.int64)


def _gif(data):
    # The decoder unpacks every frame, whatever is asked of it, and a frame may be larger than the screen: walk the
    # blocks and add up. Each turn passes an introducer or one sub-block; what is malformed ends the walk and is left
    # to the decoder.
    raw = tf.io.decode_raw(data, tf.uint8)

    def table(flags):
        return tf.where(flags >= 128, 3 * 2 ** (flags % 8 + 1), 0)

    def turn(at, inside, frames):
        kind = number(raw, at, 1)
        is_frame = kind == 0x2C
        area = number(raw, at + 5, 2) * number(raw, at + 7, 2)
        after = tf.where(is_frame, at + 11 + table(number(raw, at + 9, 1)), at + 2)
        block = is_frame | (kind == 0x21)
        end = tf.size(raw, tf.int64)
        return (
            tf.where(inside, at + 1 + kind, tf.where(block, after, end)),
            tf.where(inside, kind > 0, block),
            frames + tf.where(is_frame & ~inside, area, 0),
        )

    screen = number(raw, 6, 2) * number(raw, 8, 2)
    start = (13 + table(number(raw, 10, 1)), tf.constant(False), tf.constant(0, tf.int64))
    frames = tf.while_loop(lambda at, *_: at + 12 < tf.size(raw, tf.int64), turn, start, parallel_iterations=1)[2]
    return tf.maximum(screen, frames)


def declared_pixels(data):
    """Pixels that decoding a JPEG, PNG, BMP, GIF (all frames) or still WebP will unpack.

    Args:
      data: scalar string, the encoded bytes.

    Returns:
      int64 scalar; -1 for bytes of no such image.

    Raises:
      tf.errors.InvalidArgumentError: the header is that of a JPEG but cannot be read.
    """
    padded = data + tf.constant(b"\x00" * 32)  # a header cut short reads as zeros

    def starts(magic):
        return tf.strings.substr(padded, 0, len(magic)) == magic

    kinds = {b"\xff\xd8\xff": lambda: _jpeg(data), b"\x89PNG": lambda: _png(padded), b"BM": lambda: _bmp(padded)}
    kinds |= {b"GIF8": lambda: _gif(padded), b"RIFF": lambda: _webp(padded)}
    return tf.case([(starts(magic), read) for magic, read in kinds.items()], _unknown)


def known_and_not_large(data):
    """Passes encoded bytes on if they begin as an image of a known kind that declares at most MAX_PIXELS.

    Raises:
      tf.errors.InvalidArgumentError: they do not.
    """
    pixels = declared_pixels(data)
    kind = tf.debugging.Assert(pixels >= 0, ["the bytes are no JPEG, PNG, GIF, BMP or still WebP"])
    size = tf.debugging.Assert(pixels <= MAX_PIXELS, [f"the image declares more than {MAX_PIXELS} pixels"])
    with tf.control_dependencies([check for check in (kind, size) if check is not None]):
        return tf.identity(data)
