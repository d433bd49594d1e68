"""Images of a source to faces, or the reasons why not."""

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor

import numpy as np
import tensorflow as tf

from pcl_tf.data.images import decode_image, resize
from pcl_tf.data.sources import Item

Decoded = tuple[str, "np.ndarray | None", "str | None"]

_GROUP = 16  # images a call decodes: what a call costs beside them is a half of the time of small ones
_ERRORS = (tf.errors.OpError, OSError, ValueError, RuntimeError)


def reason(error: Exception) -> str:
    """What an exception says, TensorFlow's too, in one line of at most 200 characters."""
    text = str(error)
    asserted = re.search(r"assertion failed: \[([^\]]*)\]", text)
    if asserted:
        return asserted[1][:200]
    # TensorFlow wraps what an operation said into where it stands.
    text = re.sub(r"(?s)^Graph execution error:.*?\n\n(?=[^\n]*\n\t)|^\{\{[^}]*\}\} ", "", text)
    return (text.strip() or type(error).__name__).split("\n")[0][:200]


def left_out(bad: Sequence[tuple[str, str | None]], count: int) -> str:
    """A line on images that cannot be read: list of (name, reason) of count images; '' for none."""
    if not bad:
        return ""
    named = ", ".join(f"{name} ({why})" for name, why in bad[:5]) + (
        f" and {len(bad) - 5} more" if len(bad) > 5 else ""
    )
    return f"{len(bad)} of {count} images cannot be read and are left out: {named}."


@functools.lru_cache
def _one(size: int) -> Callable[[tf.Tensor], tf.Tensor]:
    traced = tf.function(lambda data: decode_image(data, size), input_signature=[tf.TensorSpec([], tf.string)])
    return traced.get_concrete_function()


@functools.lru_cache
def _many(size: int) -> Callable[[tf.Tensor], tf.Tensor]:
    def decode(data: tf.Tensor) -> tf.Tensor:
        face = tf.TensorSpec([size, size, 3], tf.uint8)
        with tf.device("CPU:0"):  # one after the other: the callers are many, and a photograph may be large
            return tf.map_fn(lambda x: decode_image(x, size), data, fn_output_signature=face, parallel_iterations=1)

    traced = tf.function(decode, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    return traced.get_concrete_function()


def decoder(size: int) -> Callable[[Item], Decoded]:
    """Makes ``decode(item)``, callable from several threads.

    Args:
      size: side of the faces in pixels.

    Returns:
      function of (name, encoded bytes | uint8 [H, W, 3] | exception) to
      (name, uint8 [size, size, 3] or None, None or what was wrong in one line).
    """
    decode = _one(size)

    def one(item: Item) -> Decoded:
        name, data = item
        try:
            if isinstance(data, Exception):
                raise data
            face = resize(data[None], size)[0] if isinstance(data, np.ndarray) else decode(tf.constant(data))
            return name, face.numpy(), None
        except _ERRORS as error:
            return name, None, reason(error)

    return one


def decode_all(items: Sequence[Item], size: int, pool: Executor) -> Iterator[Decoded]:
    """What ``decoder`` makes of each item, in order, decoded in groups by the threads of a pool: twice as fast."""
    alone, together = decoder(size), _many(size)  # traced here, once, and not by each thread

    def group(start: int) -> list[Decoded]:
        some = items[start : start + _GROUP]
        encoded = [data for _, data in some if isinstance(data, bytes)]
        try:
            faces = iter(together(tf.constant(encoded, tf.string, [len(encoded)])).numpy())
        except _ERRORS:  # of one of them; each alone says of which
            return [alone(item) for item in some]
        return [(item[0], next(faces), None) if isinstance(item[1], bytes) else alone(item) for item in some]

    for group_of_faces in pool.map(group, range(0, len(items), _GROUP)):
        yield from group_of_faces
