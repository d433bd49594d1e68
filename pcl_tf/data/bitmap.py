"""BMP files with their palettes and bit masks, of which ``tf.io.decode_bmp`` knows nothing."""

import tensorflow as tf

from pcl_tf.data.raw import number, provided

_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # bytes; 12 is that of OS/2 1.x
# (bits, masks of red, green, blue) -> the place of each, in whole bytes, that Pillow takes too.
_BYTES = {
    (24, (0xFF0000, 0xFF00, 0xFF)): (2, 1, 0),
    (32, (0xFF0000, 0xFF00, 0xFF)): (2, 1, 0),
    (32, (0xFF000000, 0xFF0000, 0xFF00)): (3, 2, 1),
    (32, (0xFF000000, 0xFF00, 0xFF)): (3, 1, 0),
    (32, (0xFF, 0xFF00, 0xFF0000)): (0, 1, 2),
    (32, (0, 0, 0)): (2, 1, 0),
}
# Masks of 16 bits -> (shift, largest value) of red, green, blue.
_SIXTEEN = {(0xF800, 0x7E0, 0x1F): ((11, 31), (5, 63), (0, 31)), (0x7C00, 0x3E0, 0x1F): ((10, 31), (5, 31), (0, 31))}


def sides(raw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """(width, height) of a BMP, uint8 [L]; int64, the height negative where the rows begin at the top."""

    def signed(at: int) -> tf.Tensor:
        value = number(raw, at, 4)
        return tf.where(value >= 2**31, value - 2**32, value)

    return tf.cond(
        number(raw, 14, 4) == 12,
        lambda: (number(raw, 18, 2), number(raw, 20, 2)),
        lambda: (signed(18), signed(22)),
    )


def _colours(raw: tf.Tensor, bits: tf.Tensor, header: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """How many colours a palette has, and how many bytes each."""
    said = tf.where(header != 12, number(raw, 46, 4), 0)
    return tf.minimum(tf.where(said == 0, 2**bits, said), 256), tf.where(header == 12, tf.constant(3, tf.int64), 4)


def _palette(raw: tf.Tensor, rows: tf.Tensor, bits: tf.Tensor, *, width: tf.Tensor, header: tf.Tensor) -> tf.Tensor:
    """Indices of 1, 4 or 8 bits, packed in uint8 [H, stride] -> uint8 [H, W, 3]."""
    count, entry = _colours(raw, bits, header)
    table = tf.reshape(raw[14 + header : 14 + header + count * entry], [count, entry])[:, 2::-1]
    table = tf.concat([table, tf.zeros([256 - count, 3], tf.uint8)], 0)
    shifts = tf.range(8 - bits, -1, -bits)
    indices = tf.cast(rows, tf.int64)[:, :, None] // 2**shifts % 2**bits
    return tf.gather(table, tf.reshape(indices, [tf.shape(rows)[0], -1])[:, :width])


def _sixteen(rows: tf.Tensor, width: tf.Tensor, masks: tf.Tensor) -> tf.Tensor:
    pairs = tf.cast(tf.reshape(rows, [tf.shape(rows)[0], -1, 2])[:, :width], tf.int32)
    value = pairs[..., 0] + 256 * pairs[..., 1]
    cases = [
        (
            _are(masks, known),
            lambda parts=parts: tf.stack([value // 2**at % (top + 1) * 255 // top for at, top in parts], -1),
        )
        for known, parts in _SIXTEEN.items()
    ]
    return tf.cast(tf.case(cases, lambda: _refused("its bit masks")), tf.uint8)


def _whole_bytes(rows: tf.Tensor, bits: int, width: tf.Tensor, *, masks: tf.Tensor) -> tf.Tensor:
    pixels = tf.reshape(rows[:, : width * bits // 8], [tf.shape(rows)[0], -1, bits // 8])
    cases = [
        (_are(masks, known), lambda at=at: tf.gather(pixels, at, axis=-1))
        for (of, known), at in _BYTES.items()
        if of == bits
    ]
    return tf.case(cases, lambda: tf.cast(_refused("its bit masks"), tf.uint8))


def _are(masks: tf.Tensor, known: tuple[int, int, int]) -> tf.Tensor:
    return tf.reduce_all(masks == tf.constant(known, tf.int64))


def _refused(what: str) -> tf.Tensor:
    """int32 [0, 0, 3] that is never made: fails with a reason instead."""
    with provided((tf.constant(False), f"a BMP that cannot be decoded: {what}")):
        return tf.zeros([0, 0, 3], tf.int32)


def decode_bmp(data: tf.Tensor) -> tf.Tensor:
    """Decodes a BMP of 1, 4 or 8 bits with its palette, of 16, 24 or 32 bits with its masks, from either end.

    Alpha is dropped, as everywhere. Run-length coded files are refused.

    Args:
      data: scalar string, the encoded bytes.

    Returns:
      uint8 [H, W, 3].

    Raises:
      tf.errors.InvalidArgumentError: it is cut short, or of another kind.
    """
    raw = tf.io.decode_raw(data + tf.constant(b"\x00" * 160), tf.uint8)  # a header cut short reads as zeros
    header, offset = number(raw, 14, 4), number(raw, 10, 4)
    width, height = sides(raw)
    core = header == 12
    bits = tf.where(core, number(raw, 24, 2), number(raw, 28, 2))
    compression = tf.where(core, tf.constant(0, tf.int64), number(raw, 30, 4))
    plain = tf.where(bits == 16, tf.constant((0x7C00, 0x3E0, 0x1F), tf.int64), (0xFF0000, 0xFF00, 0xFF))
    masks = tf.where(compression == 3, tf.stack([number(raw, at, 4) for at in (54, 58, 62)]), plain)
    count, entry = _colours(raw, tf.minimum(bits, 8), header)
    # Some programs forget the palette when they say where the pixels begin.
    offset += tf.where((bits <= 8) & (offset == 14 + header), count * entry, 0)
    rows, stride = tf.abs(height), (width * bits + 31) // 32 * 4
    end = tf.cast(tf.strings.length(data), tf.int64)
    checks = (
        (tf.reduce_any(header == tf.constant(_HEADERS, tf.int64)), "its header"),
        ((compression == 0) | (compression == 3) & (bits > 8), "run-length coded, or compressed otherwise"),
        ((width > 0) & (rows > 0) & (offset + rows * stride <= end), "it is cut short"),
    )
    with provided(*((fine, f"a BMP that cannot be decoded: {what}") for fine, what in checks)):
        pixels = tf.reshape(raw[offset : offset + rows * stride], [rows, stride])
    read = [
        (
            tf.reduce_any(bits == tf.constant((1, 4, 8), tf.int64)),
            lambda: _palette(raw, pixels, bits, width=width, header=header),
        ),
        (bits == 16, lambda: _sixteen(pixels, width, masks)),
        (bits == 24, lambda: _whole_bytes(pixels, 24, width, masks=masks)),
        (bits == 32, lambda: _whole_bytes(pixels, 32, width, masks=masks)),
    ]
    image = tf.case(read, lambda: tf.cast(_refused("its bits a pixel"), tf.uint8))
    image.set_shape([None, None, 3])
    return tf.cond(height < 0, lambda: image, lambda: tf.reverse(image, [0]))
