"""Decoding and resizing, shared by training, probing and the export: no train/serve skew."""

import tensorflow as tf

from pcl_tf.data.headers import known_and_not_large

_SCAN = 65536  # an EXIF segment is at most this long, and stands at the start of a JPEG


def _find(data, pattern):
    """Offset just behind the first occurrence of a byte pattern in uint8 [L], or -1."""
    length = tf.size(data) - len(pattern) + 1
    hit = tf.ones([tf.maximum(length, 0)], tf.bool)
    for i, byte in enumerate(pattern):
        hit &= data[i : i + tf.maximum(length, 0)] == byte
    where = tf.where(hit)[:, 0]
    return tf.cond(tf.size(where) > 0, lambda: tf.cast(where[0], tf.int32) + len(pattern), lambda: -1)


def exif_orientation(data):
    """The EXIF orientation tag of a JPEG: scalar string -> int32 1..8 (1 if there is none)."""
    head = tf.strings.substr(data, 0, tf.minimum(tf.strings.length(data), _SCAN))
    raw = tf.io.decode_raw(head, tf.uint8)
    start = _find(raw, b"Exif\x00\x00")

    def read():
        exif = raw[start:]
        little = _find(exif, b"\x12\x01\x03\x00\x01\x00\x00\x00")
        big = _find(exif, b"\x01\x12\x00\x03\x00\x00\x00\x01\x00")
        at = tf.maximum(little, big)
        return tf.cond((at >= 0) & (at < tf.size(exif)), lambda: tf.cast(exif[tf.maximum(at, 0)], tf.int32), lambda: 1)

    value = tf.cond(start >= 0, read, lambda: 1)
    return tf.where((value >= 1) & (value <= 8), value, 1)


def upright(image, orientation):
    """Turns [H, W, C] as its EXIF orientation (int32 scalar) asks."""
    image = tf.cond(orientation >= 5, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    # After the transposition of 5..8 what is left are mirrors, in this table of (up-down, left-right).
    flip_rows = tf.reduce_any(orientation == tf.constant([3, 4, 7, 8]))
    flip_columns = tf.reduce_any(orientation == tf.constant([2, 3, 6, 7]))
    image = tf.cond(flip_rows, lambda: image[::-1], lambda: image)
    return tf.cond(flip_columns, lambda: image[:, ::-1], lambda: image)


def decode_upright(data):
    """Decodes any JPEG, PNG, BMP, GIF (first frame) or still WebP.

    Grayscale is repeated, alpha dropped, CMYK converted, 16 bits cut to 8, EXIF orientation applied.

    Args:
      data: scalar string, the encoded bytes.

    Returns:
      uint8 [H, W, 3].

    Raises:
      tf.errors.InvalidArgumentError: the bytes are not a whole image of these kinds, or declare more pixels than
        ``headers.MAX_PIXELS``, which is found out before they are decoded.
    """
    data = known_and_not_large(data)
    image = tf.io.decode_image(data, channels=3, dtype=tf.uint8, expand_animations=False)
    image.set_shape([None, None, 3])
    return upright(image, exif_orientation(data))


def decode_image(data, size):
    """``decode_upright``, then the central square (so that faces keep their proportions) antialiased to a size.

    Args:
      data: scalar string, the encoded bytes.
      size: side of the result in pixels.

    Returns:
      uint8 [size, size, 3].

    Raises:
      tf.errors.InvalidArgumentError: as ``decode_upright``.
    """
    image = decode_upright(data)
    shape = tf.shape(image)
    side = tf.minimum(shape[0], shape[1])
    top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
    return resize(image[top : top + side, left : left + side], size)


def resize(image, size):
    """Antialiased bilinear resize: uint8 [..., H, W, 3] -> uint8 [..., size, size, 3]."""
    resized = tf.image.resize(image, [size, size], antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(resized), 0.0, 255.0), tf.uint8)


def centre(image, share=1.0):
    """The central square: uint8 [H, W, 3] -> uint8 [S, S, 3], S = share of the shorter side."""
    height, width = image.shape[:2]
    side = max(1, round(share * min(height, width)))
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]
