"""The EXIF block and the XMP text of an image file, found by walking over the parts of its container."""

from collections.abc import Callable, Iterable

import tensorflow as tf

from pcl_tf.data.raw import number, provided

PARTS = 2**16  # of one file; each costs a turn of a loop
_ZIPPED = 2**16  # bytes of compressed text: unpacked, at most 70 MB
_EXIF = b"Exif\x00\x00"
_NONE = (b"", b"")


def _begins(text: tf.Tensor, prefix: bytes) -> tf.Tensor:
    return tf.strings.substr(text, 0, len(prefix)) == prefix


def _rest(text: tf.Tensor, start: int | tf.Tensor) -> tf.Tensor:
    """Text from a byte on; nothing where it ends before."""
    length = tf.strings.length(text)
    return tf.strings.substr(text, tf.minimum(tf.cast(start, tf.int32), length), length)


def _bytes(text: tf.Tensor) -> tf.Tensor:
    return tf.io.decode_raw(text, tf.uint8)


def _without_prefix(exif: tf.Tensor) -> tf.Tensor:
    """uint8 [L]: a TIFF block, without 'Exif' before it, which some programs write twice."""
    for _ in range(2):
        head = tf.reduce_all(tf.concat([exif, tf.zeros([6], tf.uint8)], 0)[:6] == list(_EXIF))
        exif = tf.cond(head, lambda exif=exif: exif[6:], lambda exif=exif: exif)
    return exif


def _walk(
    turn: Callable[..., tuple[tf.Tensor, ...]], start: int, size: tf.Tensor, *, values: Iterable[tf.Tensor]
) -> list[tf.Tensor]:
    """Runs ``turn(at, *values)`` from an offset until it is at or behind ``size``; returns the values."""
    loop = tf.while_loop(
        lambda at, *_: at < size,
        turn,
        (tf.constant(start, tf.int64), *values),
        parallel_iterations=1,
        maximum_iterations=PARTS,
    )
    with provided((loop[0] >= size, f"the file is in more than {PARTS} parts")):
        return [tf.identity(value) for value in loop[1:]]


def _jpeg(data: tf.Tensor, raw: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    xap = b"http://ns.adobe.com/xap/1.0/\x00"

    def turn(at: tf.Tensor, exif: tf.Tensor, xmp: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        marker = number(raw, at + 1, 1)
        is_marker = (number(raw, at, 1) == 255) & (marker < 255)
        alone = (marker < 0xC0) | (marker == 0xC8) | (marker // 16 == 0xD) & (marker < 0xDA) | (marker >= 0xF0)
        is_segment = is_marker & ~(alone & (marker != 0xFE))
        length = tf.where(is_segment, number(raw, at + 2, 2, big=True), 0)
        body = tf.cond(
            is_segment & (marker == 0xE1),
            lambda: tf.strings.substr(data, at + 4, tf.maximum(length - 2, 0)),
            lambda: tf.constant(b""),
        )
        exif = tf.where(_begins(body, _EXIF), exif + _rest(body, len(_EXIF)), exif)  # the second goes on with the first
        xmp = tf.where(_begins(body, xap), _rest(body, len(xap)), xmp)
        after = tf.where(is_segment, at + 2 + length, tf.where(is_marker, at + 2, at + 1))
        return tf.where(is_segment & (marker == 0xDA), size, after), exif, xmp

    exif, xmp = _walk(turn, 2, size, values=map(tf.constant, _NONE))
    return _bytes(exif), xmp


def _webp(data: tf.Tensor, raw: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    features = tf.where(tf.strings.substr(data, 12, 4) == b"VP8X", number(raw, 20, 1), 0)

    def turn(at: tf.Tensor, exif: tf.Tensor, xmp: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        kind, length = tf.strings.substr(data, at, 4), number(raw, at + 4, 4)
        body = tf.strings.substr(data, at + 8, length)
        exif = tf.where((kind == b"EXIF") & (exif == b"") & (features // 8 % 2 == 1), body, exif)
        xmp = tf.where((kind == b"XMP ") & (xmp == b"") & (features // 4 % 2 == 1), body, xmp)
        return at + 8 + length + length % 2, exif, xmp

    exif, xmp = _walk(turn, 12, size, values=map(tf.constant, _NONE))
    return _bytes(exif), xmp


def _unzip(text: tf.Tensor) -> tf.Tensor:
    with provided((tf.strings.length(text) <= _ZIPPED, "its compressed EXIF or XMP data are too large")):
        return tf.io.decode_compressed(tf.identity(text), "ZLIB")


def _international(text: tf.Tensor) -> tf.Tensor:
    """What stands behind the keyword of an iTXt chunk -> its text."""
    zipped = tf.strings.substr(text, 0, 1) != b"\x00"
    text = _rest(text, 2)
    ends = tf.where(_bytes(text) == 0)[:, 0]  # of the language and of the translated keyword
    text = tf.cond(tf.size(ends) > 1, lambda: _rest(text, ends[1] + 1), lambda: tf.constant(b""))
    return tf.cond(zipped, lambda: _unzip(text), lambda: text)


def _profile(text: tf.Tensor) -> tf.Tensor:
    """ImageMagick's 'Raw profile type exif', lines of hexadecimal digits behind three others -> a TIFF block."""
    digits = _bytes(tf.strings.reduce_join(tf.strings.split(text, b"\n")[3:]))
    digits = tf.cast(tf.boolean_mask(digits, digits > 32), tf.int32)
    value = tf.where(digits >= 97, digits - 87, tf.where(digits >= 65, digits - 55, digits - 48))
    pairs = tf.reshape(value[: tf.size(value) // 2 * 2], [-1, 2])
    return tf.cast(pairs[:, 0] * 16 + pairs[:, 1], tf.uint8)


def _png(data: tf.Tensor, raw: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    keys = b"Raw profile type exif\x00", b"XML:com.adobe.xmp\x00"

    def turn(at: tf.Tensor, exif: tf.Tensor, profile: tf.Tensor, xmp: tf.Tensor) -> tuple[tf.Tensor, ...]:
        length, kind = number(raw, at, 4, big=True), tf.strings.substr(data, at + 4, 4)

        def read() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            body = tf.strings.substr(data, at + 8, length)
            ours = [_begins(body, key) for key in keys]

            def text() -> tf.Tensor:
                rest = _rest(body, tf.where(ours[0], len(keys[0]), len(keys[1])))
                return tf.case(
                    [
                        (kind == b"tEXt", lambda: rest),
                        (kind == b"zTXt", lambda: _unzip(_rest(rest, 1))),
                    ],
                    lambda: _international(rest),
                )

            said = tf.cond((ours[0] | ours[1]) & (kind != b"eXIf"), text, lambda: tf.constant(b""))
            return (
                tf.where(kind == b"eXIf", body, exif),
                tf.where(ours[0], said, profile),
                tf.where(ours[1], said, xmp),
            )

        ours = tf.reduce_any(kind == [b"eXIf", b"tEXt", b"zTXt", b"iTXt"])
        values = tf.cond(ours, read, lambda: (exif, profile, xmp))
        return at + 12 + length, *values

    exif, profile, xmp = _walk(turn, 8, size, values=map(tf.constant, (b"", b"", b"")))
    return tf.cond((exif == b"") & (profile != b""), lambda: _profile(profile), lambda: _bytes(exif)), xmp


def exif_and_xmp(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """What a JPEG, PNG or WebP says of itself.

    Args:
      data: scalar string, the encoded bytes.

    Returns:
      (uint8 [L], scalar string): the EXIF block, beginning with its TIFF header, and the XMP text; each may be empty.

    Raises:
      tf.errors.InvalidArgumentError: it is in more than PARTS parts, or such data are compressed and too large.
      tf.errors.DataLossError: such data are compressed and damaged.
    """
    padded = data + tf.constant(b"\x00" * 32)  # a header cut short reads as zeros
    raw, size = _bytes(padded), tf.strings.length(data)
    size = tf.cast(size, tf.int64)
    kinds = {b"\xff\xd8\xff": _jpeg, b"\x89PNG": _png, b"RIFF": _webp}
    cases = [(_begins(data, magic), lambda read=read: read(padded, raw, size)) for magic, read in kinds.items()]
    exif, xmp = tf.case(cases, lambda: (tf.zeros([0], tf.uint8), tf.constant(b"")))
    return _without_prefix(exif), xmp
