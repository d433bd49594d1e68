"""Which way up a picture was taken: its EXIF or XMP orientation, as Pillow's ``ImageOps.exif_transpose`` reads it."""

import tensorflow as tf

from pcl_tf.data.metadata import exif_and_xmp
from pcl_tf.data.raw import number, provided

_TAG = 0x0112
# Bytes of a value of TIFF type 0, 1, ..; 0 is no type.
_SIZES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8)
_INTEGERS = (3, 4, 6, 8, 9, 13)
_FRACTIONS = (5, 10, 11, 12, 16)
# Without one of these no file says how it was held, and the walk over its parts is spared.
_SIGNS = r"\C*(?:Exif\x00\x00|ns\.adobe\.com/xap|eXIf|Raw profile type exif|XML:com\.adobe\.xmp|EXIF|XMP )\C*"
_XMP = r'^\C*?tiff:Orientation(?:="|>)([0-9])\C*$'


def _of_exif(raw: tf.Tensor) -> tf.Tensor:
    """Orientation in a TIFF block, uint8 [L]: int32; 0 where it says none, -1 where it cannot be told."""
    size = tf.size(raw, tf.int64)
    raw = tf.concat([raw, tf.zeros([16], tf.uint8)], 0)
    magic = number(raw, 0, 4, big=True)
    little = tf.reduce_any(magic == [0x49492A00, 0x4949002A])
    big = tf.reduce_any(magic == [0x4D4D002A, 0x4D4D2A00])
    long = tf.reduce_any(magic == [0x49492B00, 0x4D4D002B])  # BigTIFF

    def entries() -> tf.Tensor:
        first = tf.where(little, number(raw, 4, 4), number(raw, 4, 4, big=True))
        return tf.cond(first + 2 <= size, lambda: _of_entries(raw, size, first, little=little), lambda: 0)

    return tf.case([(little | big, entries), (long, lambda: -1)], lambda: 0)


def _of_entries(raw: tf.Tensor, size: tf.Tensor, first: tf.Tensor, *, little: tf.Tensor) -> tf.Tensor:
    """The same of the directory that begins at ``first``. A thumbnail's stands behind it and is not read."""

    def field(column: int, width: int) -> tf.Tensor:
        powers = tf.constant([256**i for i in range(width)], tf.int64)
        return tf.reduce_sum(rows[:, column : column + width] * tf.where(little, powers, powers[::-1]), 1)

    count = tf.where(little, number(raw, first, 2), number(raw, first, 2, big=True))
    count = tf.minimum(count, (size - first - 2) // 12)
    rows = tf.reshape(tf.cast(raw[first + 2 : first + 2 + 12 * count], tf.int64), [-1, 12])
    kind = field(2, 2)
    each = tf.gather(tf.constant(_SIZES, tf.int64), tf.where(kind < len(_SIZES), kind, 0))
    length = each * field(4, 4)
    # Behind a value that lies outside of the block Pillow reads no more.
    fine = tf.cumsum(tf.cast((length > 4) & (field(8, 4) + length > size), tf.int32)) == 0
    hits = tf.where(fine & (field(0, 2) == _TAG) & (length > 0))[:, 0]

    def read() -> tf.Tensor:
        at = hits[-1]
        value = tf.case(
            [(each[at] == 1, lambda: field(8, 1)[at]), (each[at] == 2, lambda: field(8, 2)[at])],
            lambda: field(8, 4)[at],
        )
        integer = tf.reduce_any(kind[at] == tf.constant(_INTEGERS, tf.int64))
        untold = tf.reduce_any(kind[at] == tf.constant(_FRACTIONS, tf.int64)) | integer & (length[at] > 4)
        value = tf.cast(tf.where(integer & (value >= 1) & (value <= 8), value, 1), tf.int32)
        return tf.where(untold, -1, value)

    return tf.cond(tf.size(hits) > 0, read, lambda: 0)


def _of_xmp(text: tf.Tensor) -> tf.Tensor:
    def read() -> tf.Tensor:
        value = tf.strings.to_number(tf.strings.regex_replace(text, _XMP, r"\1"), tf.int32)
        return tf.where((value >= 1) & (value <= 8), value, 1)

    return tf.cond(tf.strings.regex_full_match(text, _XMP), read, lambda: 1)


def orientation(data: tf.Tensor) -> tf.Tensor:
    """The orientation of a JPEG, PNG or WebP: scalar string, its bytes -> int32 1..8; 1 if there is none.

    It is the EXIF tag of the picture itself, else that of XMP.

    Raises:
      tf.errors.InvalidArgumentError: there is a tag and it is no plain number, or the file has too many parts.
    """

    def read() -> tf.Tensor:
        exif, xmp = exif_and_xmp(data)
        value = _of_exif(exif)
        with provided((value >= 0, "the orientation is written in a way that cannot be read")):
            return tf.cond(value > 0, lambda: value, lambda: _of_xmp(xmp))

    return tf.cond(tf.strings.regex_full_match(data, _SIGNS), read, lambda: 1)


def upright(image: tf.Tensor, turn: tf.Tensor) -> tf.Tensor:
    """Turns [H, W, C] as its orientation (int32 scalar) asks."""
    image = tf.cond(turn >= 5, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    # After the transposition of 5..8 what is left are mirrors, in this table of (up-down, left-right).
    flip_rows = tf.reduce_any(turn == tf.constant([3, 4, 7, 8]))
    flip_columns = tf.reduce_any(turn == tf.constant([2, 3, 6, 7]))
    image = tf.cond(flip_rows, lambda: tf.reverse(image, [0]), lambda: image)
    return tf.cond(flip_columns, lambda: tf.reverse(image, [1]), lambda: image)
