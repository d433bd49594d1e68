"""Numbers in the bytes of a file."""

import tensorflow as tf


def number(raw, at, width, big=False):
    """Unsigned integer of ``width`` bytes at an offset of uint8 [L], little-endian or big: int64."""
    powers = [256**i for i in range(width)]
    return tf.reduce_sum(tf.cast(raw[at : at + width], tf.int64) * (powers[::-1] if big else powers))
