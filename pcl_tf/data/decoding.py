"""One image of a source to one face, or the reason why not."""

import functools
import re
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from pcl_tf.data.images import decode_image, resize
from pcl_tf.data.sources import Item


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
def _traced(size: int) -> Callable[[tf.Tensor], tf.Tensor]:
    return tf.function(lambda data: decode_image(data, size), input_signature=[tf.TensorSpec([], tf.string)])


def decoder(size: int) -> Callable[[Item], tuple[str, np.ndarray | None, str | None]]:
    """Makes ``decode(item)``, callable from several threads.

    Args:
      size: side of the faces in pixels.

    Returns:
      function of (name, encoded bytes | uint8 [H, W, 3] | exception) to
      (name, uint8 [size, size, 3] or None, None or what was wrong in one line).
    """
    decode = _traced(size)

    def one(item: Item) -> tuple[str, np.ndarray | None, str | None]:
        name, data = item
        try:
            if isinstance(data, Exception):
                raise data
            face = resize(data[None], size)[0] if isinstance(data, np.ndarray) else decode(data)
            return name, face.numpy(), None
        except (tf.errors.OpError, OSError, ValueError, RuntimeError) as error:
            return name, None, reason(error)

    return one
