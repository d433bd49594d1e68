"""Numbers in the bytes of a file."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import tensorflow as tf


def number(raw: tf.Tensor, at: int | tf.Tensor, width: int, *, big: bool = False) -> tf.Tensor:
    """Unsigned integer of ``width`` bytes at an offset of uint8 [L], little-endian or big: int64."""
    powers = [256**i for i in range(width)]
    return tf.reduce_sum(tf.cast(raw[at : at + width], tf.int64) * (powers[::-1] if big else powers))


def numbers(raw: tf.Tensor, at: int | tf.Tensor, fields: Sequence[tuple[int, int]]) -> list[tf.Tensor]:
    """Several unsigned little-endian integers at an offset of uint8 [L]: a list of int64.

    One window is read for all, for the walk over a file reads some at every turn.

    Args:
      raw: uint8 [L], long enough.
      at: offset, int64.
      fields: ((place behind the offset, bytes), ..).
    """
    end = max(place + width for place, width in fields)
    powers = [[256 ** (i - place) if place <= i < place + width else 0 for place, width in fields] for i in range(end)]
    window = tf.cast(raw[at : at + end], tf.int64)
    return tf.unstack(tf.reduce_sum(window[:, None] * tf.constant(powers, tf.int64), 0))


def provided(*conditions: tuple[tf.Tensor, str]) -> AbstractContextManager[Any]:
    """Context of what is made only where conditions hold: of pairs (bool scalar, what is wrong otherwise).

    Where one does not, tf.errors.InvalidArgumentError says what: at once, or when the graph runs.
    """
    checks = [tf.debugging.Assert(fine, [wrong]) for fine, wrong in conditions]
    return tf.control_dependencies([check for check in checks if check is not None])  # outside of graphs it is None
