"""The curriculum of FAb-Net: of the images of a step only those count whose loss lies between two quantiles."""

import tensorflow as tf

from pcl_tf.losses.gather import gather_rows, own_rows, replicas
from pcl_tf.losses.shapes import agree


def kept_mean(losses: tf.Tensor, low: float | tf.Tensor = 0.0, high: float | tf.Tensor = 1.0) -> tf.Tensor:
    """Mean of the losses between two quantiles: sorted, the first ``low`` and all from ``high`` on are left out.

    Inside a replica of a ``tf.distribute`` strategy the losses of all replicas are sorted together, and the mean over
    replicas of the result is that of the global batch.

    Args:
      losses: float32 [n], a loss of each image.
      low, high: shares of the images, 0 <= low < high <= 1; one image at least is kept.

    Returns:
      float32 scalar.

    Example:
      >>> float(kept_mean(tf.constant([9.0, 1.0, 5.0, 3.0]), 0.25, 0.75))
      4.0

    Reference:
      FAb-Net (Wiles, Koepke, Zisserman, BMVC 2018), section 3.3.

    Raises:
      ValueError: losses is no vector.
    """
    agree(losses=(losses, "N"))
    n = tf.shape(losses)[0]
    every = gather_rows(tf.stop_gradient(losses))
    count = tf.cast(tf.shape(every)[0], tf.float32)
    rank = own_rows(tf.cast(tf.argsort(tf.argsort(every, stable=True)), tf.float32), n)
    first, last = (tf.floor(count * share + 1e-3) for share in (low, high))  # .1 and its multiples are rounded
    last = tf.maximum(last, first + 1.0)
    keep = tf.cast((rank >= first) & (rank < last), tf.float32)
    return tf.reduce_sum(losses * keep) * (replicas() / (last - first))  # a product: what is NaN stays so
