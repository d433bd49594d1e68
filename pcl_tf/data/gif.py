"""GIF: where its frames stand, and the first of them on the whole screen, as Pillow shows it.

``tf.io.decode_gif`` makes no more of a picture than its largest frame, and black of what is see-through.
"""

import dataclasses

import tensorflow as tf

from pcl_tf.data.raw import number, numbers, provided

_HEAD = 13  # bytes before the palette of the file
_DESCRIPTOR = 10  # bytes of a frame before its palette
_NONE = -1
# Of a block's first bytes: its kind, the kind of an extension, a frame's sides and flags, a control's flags and colour.
_FIELDS = ((0, 1), (0, 3), (5, 2), (7, 2), (9, 1), (3, 1), (6, 1))


@dataclasses.dataclass(frozen=True)
class Layout:
    """What a walk over the blocks of a GIF finds; int64 scalars.

    Attributes:
      pixels: of all frames, or of the screen if that is more.
      first: place of the first frame's descriptor; -1 where there is none.
      end: place behind the first frame.
      clear: the colour that the first frame does not draw; -1 where it draws all.
      box: (left, top, width, height) of the first frame; zeros where there is none.
      canvas: int64 [2], (height, width) of the screen, or as much more as the first frame needs.
    """

    pixels: tf.Tensor
    first: tf.Tensor
    end: tf.Tensor
    clear: tf.Tensor
    box: list[tf.Tensor]
    canvas: tf.Tensor


def _palette(flags: tf.Tensor) -> tf.Tensor:
    """Bytes of the palette that these flags announce."""
    return tf.where(flags >= 128, 3 * 2 ** (flags % 8 + 1), 0)


def layout(raw: tf.Tensor) -> Layout:
    """Walks over the blocks of a GIF, uint8 [L] with a dozen zeros behind it: ``Layout``.

    Each turn passes the head of a block or one of its parts; what is malformed ends the walk and is left to the decoder.
    """
    size = tf.size(raw, tf.int64)

    def turn(
        at: tf.Tensor, inside: tf.Tensor, frames: tf.Tensor, first: tf.Tensor, end: tf.Tensor, clear: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        kind, begins, width, height, flags, drawn, colour = numbers(raw, at, _FIELDS)
        frame, block = kind == 0x2C, (kind == 0x2C) | (kind == 0x21)
        behind = at + tf.where(frame, _DESCRIPTOR + 1 + _palette(flags), 2)
        after = tf.where(inside, at + 1 + kind, tf.where(block, behind, size))
        unseen = first == _NONE
        draws = ~inside & frame
        ends = inside & (kind == 0) & ~unseen & (end == _NONE)
        control = ~inside & (begins == 0x04F921) & (drawn % 2 == 1)
        return (
            after,
            tf.where(inside, kind > 0, block),
            frames + tf.where(draws, width * height, 0),
            tf.where(draws & unseen, at, first),
            tf.where(ends, after, end),
            tf.where(control & unseen, colour, clear),
        )

    none = tf.constant(_NONE, tf.int64)
    start = (_HEAD + _palette(number(raw, 10, 1)), tf.constant(False), tf.constant(0, tf.int64), none, none, none)
    _, _, frames, first, end, clear = tf.while_loop(lambda at, *_: at + 12 < size, turn, start, parallel_iterations=1)
    stands = tf.stack(numbers(raw, tf.maximum(first, 0), ((1, 2), (3, 2), (5, 2), (7, 2))))
    left, top, width, height = box = tf.unstack(tf.where(first != _NONE, stands, 0))
    wide, high = numbers(raw, 6, ((0, 2), (2, 2)))
    canvas = tf.stack([tf.maximum(high, top + height), tf.maximum(wide, left + width)])
    pixels = tf.maximum(tf.reduce_prod(canvas), frames)
    return Layout(pixels, first, tf.where(end == _NONE, size, end), clear, box, canvas)


def decode_gif(data: tf.Tensor) -> tf.Tensor:
    """Decodes the first frame of a GIF, on the whole screen.

    What the frame does not cover has the first colour of its palette, or the one that stands for see-through; see-through
    pixels have that colour too, for alpha is dropped everywhere.

    Args:
      data: scalar string, the encoded bytes.

    Returns:
      uint8 [H, W, 3].

    Raises:
      tf.errors.InvalidArgumentError: it is cut short, or has no frame.
    """
    raw = tf.io.decode_raw(data + tf.constant(b"\0" * 16), tf.uint8)
    found = layout(raw)
    with provided((found.first != _NONE, "a GIF without a picture in it")):
        first = tf.identity(found.first)
    left, top, width, height = found.box

    # A file of this frame alone, in the corner, that draws every pixel.
    own, shared = _palette(number(raw, first + 9, 1)), _palette(number(raw, 10, 1))
    rest = tf.strings.substr(data, first + 5, found.end - first - 5)
    alone = [tf.strings.substr(data, tf.constant(0, tf.int64), _HEAD + shared), b"\x2c\0\0\0\0", rest, b"\x3b"]
    frame = tf.io.decode_gif(tf.strings.join(alone))[0]

    palette = tf.where(own > 0, first + _DESCRIPTOR, _HEAD)
    at = palette + 3 * tf.maximum(found.clear, 0)
    around = [[top, found.canvas[0] - top - height], [left, found.canvas[1] - left - width], [0, 0]]
    drawn = tf.pad(tf.ones_like(frame, tf.bool), around)
    return tf.where(drawn, tf.pad(frame, around), raw[at : at + 3])
