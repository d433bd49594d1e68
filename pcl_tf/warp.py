"""Images read where a flow says: the sampler of FAb-Net, TCAE and FaceCycle."""

import tensorflow as tf


def bilinear(images: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Images read between their pixels, beyond their edges the edges.

    keras.ops.image.affine_transform does the same with an operation that XLA does not know.

    Args:
      images: [N, H, W, C].
      y, x: float32 [N, S, T], where each pixel of the result is read; pixels of the image are at whole numbers.

    Returns:
      [N, S, T, C].
    """
    height, width, channels = images.shape[1:]
    y, x = tf.clip_by_value(y, 0.0, height - 1.0), tf.clip_by_value(x, 0.0, width - 1.0)
    places = (tf.where(tf.math.is_nan(at), 0.0, at) for at in (y, x))  # a NaN is seen in the loss, and no place to read
    top, left = (tf.minimum(tf.cast(at, tf.int32), side - 2) for at, side in zip(places, (height, width), strict=True))
    down, right = y - tf.cast(top, tf.float32), x - tf.cast(left, tf.float32)
    pixels = tf.reshape(images, [-1, height * width, channels])

    def read(i: int, j: int, weight: tf.Tensor) -> tf.Tensor:
        return weight[..., None] * tf.gather(pixels, (top + i) * width + left + j, batch_dims=1)

    return (
        read(0, 0, (1.0 - down) * (1.0 - right))
        + read(0, 1, (1.0 - down) * right)
        + read(1, 0, down * (1.0 - right))
        + read(1, 1, down * right)
    )


def warp(images: tf.Tensor, flow: tf.Tensor) -> tf.Tensor:
    """Images moved by a flow: each pixel of the result is read at its own place plus the flow, bilinearly.

    Torch's grid_sample of the identity grid plus the flow, corners aligned; a place beyond the image is its edge.

    Args:
      images: float32 [N, H, W, C].
      flow: float32 [N, S, T, 2], (x, y) in half sides of the image: 2 leads from its first pixel to its last. 0 is the
        image itself, resized to S x T.

    Returns:
      float32 [N, S, T, C], differentiable in both.
    """
    (height, width), (rows, columns) = images.shape[1:3], flow.shape[1:3]
    y = tf.range(rows, dtype=tf.float32)[:, None] * ((height - 1) / (rows - 1))
    x = tf.range(columns, dtype=tf.float32) * ((width - 1) / (columns - 1))
    return bilinear(images, y + flow[..., 1] * ((height - 1) / 2), x + flow[..., 0] * ((width - 1) / 2))
