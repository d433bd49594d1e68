"""One image of a source to one face, or the reason why not."""

import numpy as np
import tensorflow as tf

from pcl_tf.data.images import decode_image, resize


def decoder(size):
    """Makes ``decode(item)``, callable from several threads.

    Args:
      size: side of the faces in pixels.

    Returns:
      function of (name, encoded bytes | uint8 [H, W, 3] | exception) to
      (name, uint8 [size, size, 3] or None, None or what was wrong in one line).
    """
    decode = tf.function(lambda data: decode_image(data, size), input_signature=[tf.TensorSpec([], tf.string)])

    def one(item):
        name, data = item
        try:
            if isinstance(data, Exception):
                raise data
            face = resize(data[None], size)[0] if isinstance(data, np.ndarray) else decode(data)
            return name, face.numpy(), None
        except (tf.errors.OpError, OSError, ValueError, RuntimeError, NotImplementedError) as error:
            return name, None, str(error).split("\n")[0][:200]

    return one
