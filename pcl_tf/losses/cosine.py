"""Dot products and cosines that stay finite for every finite or huge input."""

import tensorflow as tf

from pcl_tf.losses.gather import gather_rows
from pcl_tf.losses.shapes import agree

# Below this squared norm a vector counts as this short: the gradient of a zero vector is zero, not NaN.
TINY = 1e-12


def as_float32(x: tf.Tensor) -> tf.Tensor:
    """Casts tensors and arrays to float32; infinities a half-precision tensor overflowed to become the largest half."""
    limit = 65504.0
    return tf.cast(x, tf.float32) if x.dtype != tf.float16 else tf.clip_by_value(tf.cast(x, tf.float32), -limit, limit)


def unit(x: tf.Tensor) -> tf.Tensor:
    """Rows of x divided by their L2 norm: float32 [..., D] -> float32 [..., D]."""
    x = as_float32(x)
    # Divide by the largest entry first: the squares of 1e30 would overflow.
    scale = tf.stop_gradient(tf.maximum(tf.reduce_max(tf.abs(x), -1, keepdims=True), 1e-6))
    return tf.math.l2_normalize(x / scale, axis=-1, epsilon=TINY)


def mean_abs_cosine(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Mean over rows of |cos(a_i, b_i)|, for logs.

    Args:
      a, b: [N, D], any float dtype; computed in float32.

    Returns:
      float32 scalar in [0, 1].

    Example:
      >>> round(float(mean_abs_cosine(tf.constant([[2.0, 0.0]]), tf.constant([[1.0, 1.0]]))), 4)
      0.7071

    Raises:
      ValueError: shapes that do not agree.
    """
    agree(a=(a, "ND"), b=(b, "ND"))
    return tf.reduce_mean(tf.abs(tf.reduce_sum(unit(a) * unit(b), axis=-1)))


def spread(z: tf.Tensor) -> tf.Tensor:
    """How far embeddings are from having collapsed: mean standard deviation of their unit vectors' entries times sqrt(D).

    Args:
      z: [N, D], any float dtype; computed in float32, over the rows of all replicas. No gradient.

    Returns:
      float32 scalar: 1 for embeddings spread evenly over the sphere, 0 where all are one.

    Example:
      >>> round(float(spread(tf.constant([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))), 4)
      1.0

    Raises:
      ValueError: z is no matrix.
    """
    agree(z=(z, "ND"))
    z = gather_rows(unit(tf.stop_gradient(z)))
    return tf.reduce_mean(tf.math.reduce_std(z, axis=0)) * tf.sqrt(tf.cast(tf.shape(z)[1], tf.float32))
