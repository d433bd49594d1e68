"""How many pixels an image file declares, read from its header before anything is decoded."""

import tensorflow as tf

from pcl_tf.data.bitmap import sides
from pcl_tf.data.gif import layout
from pcl_tf.data.raw import number, provided

MAX_PIXELS = 2**26  # 8192 x 8192; decoded, 200 MB


def _jpeg(data: tf.Tensor) -> tf.Tensor:
    shape = tf.image.extract_jpeg_shape(data)
    # Of four colours without Adobe's mark the file does not say whether 0 is white or full; Pillow and libjpeg differ.
    told = tf.cond(shape[2] == 4, lambda: tf.strings.regex_full_match(data, r"\C*Adobe\x00\C*"), lambda: True)
    with provided((told, "a CMYK JPEG without the mark of Adobe: save it as RGB")):
        return tf.reduce_prod(tf.cast(shape[:2], tf.int64))


def _png(data: tf.Tensor) -> tf.Tensor:
    shape = tf.io.decode_raw(tf.strings.substr(data, 16, 8), tf.int32, little_endian=False)
    return tf.reduce_prod(tf.cast(shape, tf.int64))


def _bmp(data: tf.Tensor) -> tf.Tensor:
    return tf.abs(tf.reduce_prod(tf.stack(sides(tf.io.decode_raw(data, tf.uint8)))))


def _webp(data: tf.Tensor) -> tf.Tensor:
    # TensorFlow decodes animated ones in four channels alone; they count as unknown.
    raw = tf.io.decode_raw(data, tf.uint8)

    def lossy() -> tf.Tensor:
        return (number(raw, 26, 2) % 2**14) * (number(raw, 28, 2) % 2**14)

    def lossless() -> tf.Tensor:
        bits = number(raw, 21, 4)
        return (bits % 2**14 + 1) * (bits // 2**14 % 2**14 + 1)

    def extended() -> tf.Tensor:
        animated = number(raw, 20, 1) // 2 % 2 == 1
        return tf.where(animated, _unknown(), (number(raw, 24, 3) + 1) * (number(raw, 27, 3) + 1))

    kind = tf.strings.substr(data, 12, 4)
    return tf.case([(kind == b"VP8 ", lossy), (kind == b"VP8L", lossless), (kind == b"VP8X", extended)], _unknown)


def _unknown() -> tf.Tensor:
    return tf.constant(-1, tf.int64)


def _gif(data: tf.Tensor) -> tf.Tensor:
    # All frames count, and one may be larger than the screen: no viewer is asked for more than the file shows.
    return layout(tf.io.decode_raw(data, tf.uint8)).pixels


def declared_pixels(data: tf.Tensor) -> tf.Tensor:
    """Pixels that decoding a JPEG, PNG, BMP, GIF (all frames) or still WebP will unpack.

    Args:
      data: scalar string, the encoded bytes.

    Returns:
      int64 scalar; -1 for bytes of no such image.

    Raises:
      tf.errors.InvalidArgumentError: the header is that of a JPEG but cannot be read, or does not tell its colours.
    """
    padded = data + tf.constant(b"\x00" * 32)  # a header cut short reads as zeros

    def starts(magic: bytes) -> tf.Tensor:
        return tf.strings.substr(padded, 0, len(magic)) == magic

    kinds = {b"\xff\xd8\xff": lambda: _jpeg(data), b"\x89PNG": lambda: _png(padded), b"BM": lambda: _bmp(padded)}
    kinds |= {b"GIF8": lambda: _gif(padded), b"RIFF": lambda: _webp(padded)}
    return tf.case([(starts(magic), read) for magic, read in kinds.items()], _unknown)


def known_and_not_large(data: tf.Tensor) -> tf.Tensor:
    """Passes encoded bytes on if they begin as an image of a known kind that declares at most MAX_PIXELS.

    Raises:
      tf.errors.InvalidArgumentError: they do not.
    """
    pixels = declared_pixels(data)
    with provided(
        (pixels >= 0, "the bytes are no JPEG, PNG, GIF, BMP or still WebP"),
        (pixels <= MAX_PIXELS, f"the image declares more than {MAX_PIXELS} pixels"),
    ):
        return tf.identity(data)
