"""Decodes JPEG and PNG by TensorFlow's operations, to the pixels of ``images``: in exported models and in tf.data.

The bytes may be a stranger's. Each loop and each allocation has a bound, and no text of a PNG is unpacked here.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import tensorflow as tf

from pcl_tf.data.images import MAX_PIXELS, MAX_WORK, OVERSIZE, SCAN, resize

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"  # as what files of these kinds begin
_MOST_SCANS = 1000
_MOST_SEGMENTS = 250  # of a JPEG with EXIF, before its pixels
_MOST_TEXTS = 16  # of a PNG that libpng unpacks, to at most 8 MB each
_TEXT = 2**22  # what unpacking one of these costs at most, in pixels
_EXIF = b"Exif\x00\x00"
# Places in which Pillow finds an orientation, and no operation here does.
_ELSEWHERE = r'\C*(?:tiff:Orientation(?:="|>)[2-8]|Raw profile type exif|XML:com\.adobe\.xmp\x00\x01)\C*'


def provided(*conditions: tuple[tf.Tensor, str]) -> AbstractContextManager[Any]:
    """Within, operations run only if conditions hold: pairs (bool scalar, what is wrong otherwise).

    Otherwise tf.errors.InvalidArgumentError says what is wrong: at once, or when the graph runs.
    """
    checks = [tf.debugging.Assert(fine, [wrong]) for fine, wrong in conditions]
    return tf.control_dependencies([check for check in checks if check is not None])  # outside of graphs it is None


def _number(data: tf.Tensor, at: int | tf.Tensor, width: int, little: bool | tf.Tensor = False) -> tf.Tensor:
    """Unsigned integer of ``width`` bytes at an offset of a string: int64; 0 where the string ends before."""
    padded = tf.strings.substr(data, tf.minimum(tf.cast(at, tf.int32), tf.strings.length(data)), width)
    return _unsigned(tf.io.decode_raw(padded, tf.uint8, fixed_length=width), little)


def _unsigned(digits: tf.Tensor, little: bool | tf.Tensor) -> tf.Tensor:
    powers = tf.constant([256**i for i in range(digits.shape[-1])], tf.int64)
    return tf.reduce_sum(tf.cast(digits, tf.int64) * tf.where(little, powers, powers[::-1]), -1)


def _begins(data: tf.Tensor, *prefixes: bytes) -> tf.Tensor:
    return tf.reduce_any([tf.strings.substr(data, 0, len(prefix)) == prefix for prefix in prefixes])


def _occurs(data: tf.Tensor, mark: bytes, most: int = 1) -> tf.Tensor:
    """How often a mark occurs in a string, int32; at most ``most`` are counted."""
    return tf.size(tf.strings.split(data, mark, most)) - 1


def _exif_of_jpeg(data: tf.Tensor) -> tf.Tensor:
    """The body of the first EXIF segment before the pixels; '' for none."""

    def goes_on(at: tf.Tensor, exif: tf.Tensor) -> tf.Tensor:
        return (exif == b"") & (tf.strings.substr(data, at, 2) != SCAN)

    def turn(at: tf.Tensor, exif: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        marker, length = _number(data, at, 2), tf.cast(_number(data, at + 2, 2), tf.int32)
        with provided(((marker >= 0xFFC0) & (marker < 0xFFFF) & (length >= 2), "a JPEG whose header cannot be read")):
            body = tf.strings.substr(data, at + 4, length - 2)
        return at + 2 + length, tf.where((marker == 0xFFE1) & _begins(body, _EXIF), body, b"")

    walk = (tf.constant(2), tf.constant(b""))
    at, exif = tf.while_loop(goes_on, turn, walk, parallel_iterations=1, maximum_iterations=_MOST_SEGMENTS)
    with provided((~goes_on(at, exif), f"a JPEG of more than {_MOST_SEGMENTS} segments")):
        return tf.identity(exif)


def _of_exif(block: tf.Tensor) -> tf.Tensor:
    """Orientation in the first directory of a TIFF block, with 'Exif' before it or without: int64; 0 if it has none."""
    block = tf.strings.regex_replace(block, r"^Exif\x00\x00", "")
    little = _begins(block, b"II")
    first, end = _number(block, 4, 4, little), tf.cast(tf.strings.length(block), tf.int64)

    def entries() -> tf.Tensor:
        count = tf.minimum(_number(block, first, 2, little), (end - first - 2) // 12)
        raw = tf.io.decode_raw(tf.strings.substr(block, first + 2, 12 * count), tf.uint8)
        rows = tf.reshape(raw, [-1, 12])
        tag, kind, length, value = (_unsigned(rows[:, a:b], little) for a, b in ((0, 2), (2, 4), (4, 8), (8, 10)))
        plain = (kind == 3) & (length == 1)
        values = tf.boolean_mask(tf.where(plain, value, -1), tag == 0x112)
        with provided((tf.reduce_all(values >= 0), "the orientation is written in a way that cannot be read")):
            return tf.concat([[0], values], 0)[-1]

    readable = _begins(block, b"II*\x00", b"MM\x00*") & (first + 2 <= end)
    return tf.cond(readable, entries, lambda: tf.constant(0, tf.int64))


def _upright(image: tf.Tensor, data: tf.Tensor, block: tf.Tensor) -> tf.Tensor:
    """Turns uint8 [H, W, 3] as a TIFF block asks."""
    turn = _of_exif(block)
    with provided(
        ((turn > 0) | ~tf.strings.regex_full_match(data, _ELSEWHERE), "its orientation is not in plain EXIF")
    ):
        image = tf.cond((turn >= 5) & (turn <= 8), lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    # After the transposition of 5..8 what is left are mirrors.
    for axis, turns in ((0, [3, 4, 7, 8]), (1, [2, 3, 6, 7])):
        mirrored = tf.reduce_any(turn == tf.constant(turns, tf.int64))
        image = tf.cond(mirrored, lambda i=image, a=axis: tf.reverse(i, [a]), lambda i=image: i)
    return image


def _of_jpeg(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """What a JPEG declares, int64: height, width, channels, and how many scans it is in."""
    height, width, channels = tf.unstack(tf.cast(tf.image.extract_jpeg_shape(data), tf.int64))
    return height, width, channels, tf.cast(_occurs(data, SCAN, _MOST_SCANS + 1), tf.int64)


def _of_png(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """What a PNG declares, int64: pixels, and how many texts libpng unpacks."""
    texts = sum(_occurs(data, kind, _MOST_TEXTS + 1) for kind in (b"zTXt", b"iTXt", b"iCCP"))
    return _number(data, 16, 4) * _number(data, 20, 4), tf.cast(texts, tf.int64)


def work(data: tf.Tensor) -> tf.Tensor:
    """How much decoding costs, counted in pixels gone over, without decoding: bytes of an image -> int64 scalar.

    Raises:
      tf.errors.InvalidArgumentError: a JPEG whose header cannot be read.
    """

    def of_jpeg() -> tf.Tensor:
        height, width, _, scans = _of_jpeg(data)
        return height * width * scans

    def of_png() -> tf.Tensor:
        pixels, texts = _of_png(data)
        return pixels + texts * _TEXT

    none = tf.constant(0, tf.int64)
    return tf.case([(_begins(data, _JPEG), of_jpeg), (_begins(data, _PNG), of_png)], lambda: none)


def _jpeg(data: tf.Tensor, size: int) -> tf.Tensor:
    height, width, channels, scans = _of_jpeg(data)
    checks: Sequence[tuple[tf.Tensor, str]] = (
        (height * width <= MAX_PIXELS, f"the image declares more than {MAX_PIXELS} pixels"),
        ((scans <= _MOST_SCANS) & (height * width * scans <= MAX_WORK), "a JPEG of too many scans"),
        # Without the mark the file does not tell whether 0 is white or full.
        ((channels < 4) | (_occurs(data, b"Adobe\x00") > 0), "a CMYK JPEG without the mark of Adobe: save it as RGB"),
    )

    def unpacked(ratio: int) -> tf.Tensor:  # by Pillow's arithmetic, not the coarser one that is usual here
        return tf.io.decode_jpeg(data, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE")

    with provided(*checks):
        times = tf.minimum(height, width) // (OVERSIZE * size)
    image = tf.case([(times >= r, lambda r=r: unpacked(r)) for r in (8, 4, 2)], lambda: unpacked(1))
    exif = tf.cond(_occurs(data, _EXIF) > 0, lambda: _exif_of_jpeg(data), lambda: tf.constant(b""))
    return _upright(image, data, exif)


def _png(data: tf.Tensor) -> tf.Tensor:
    pixels, texts = _of_png(data)
    with provided(
        (pixels <= MAX_PIXELS, f"the image declares more than {MAX_PIXELS} pixels"),
        (texts <= _MOST_TEXTS, f"a PNG of more than {_MOST_TEXTS} texts"),
    ):
        image = tf.io.decode_png(data, channels=3)
    before, block = tf.unstack(tf.strings.split(data + b"eXIf", b"eXIf", 1), 2)
    stated = _number(tf.strings.substr(before, -4, 4), 0, 4)  # the length stands before the name of a chunk
    length = tf.cast(tf.minimum(stated, 2**16), tf.int32)
    return _upright(image, data, tf.strings.substr(block, 0, length))


@tf.autograph.experimental.do_not_convert
def decode_face(data: tf.Tensor, size: int) -> tf.Tensor:
    """What ``images.decoded`` makes of the bytes of a JPEG or PNG: upright, its central square, uint8 [size, size, 3].

    Raises:
      tf.errors.InvalidArgumentError: the bytes are not a whole JPEG or PNG, declare more than MAX_PIXELS or MAX_WORK,
        are split into too many parts, or tell what is up in a way that is not read here.
    """
    with tf.device("CPU:0"):  # small operations on one image after the other, which a GPU would do in turn
        jpeg, png = _begins(data, _JPEG), _begins(data, _PNG)
        with provided((jpeg | png, "no JPEG or PNG; save GIF, BMP and WebP as PNG")):
            data = tf.identity(data)
        image = tf.cond(jpeg, lambda: _jpeg(data, size), lambda: _png(data))
        height, width, _ = tf.unstack(tf.shape(image))
        side = tf.minimum(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        face = resize(image[None, top : top + side, left : left + side], size)[0]
        return tf.ensure_shape(face, [size, size, 3])
