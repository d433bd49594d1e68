"""Dynamic Weight Average [37], which balances L_face and L_pose in Eq. 7."""

import tensorflow as tf


def dwa_weights(previous, before, temperature=2.0):
    """Weights from the relative descent of each loss over the last two epochs.

    w = K * softmax(r / T) with r = L(t-1) / L(t-2) and K losses, so the weights
    sum to K. A loss that falls slowly gains weight.

    Args:
      previous: float [K], epoch means of the unweighted losses of epoch t-1.
      before: float [K], the same of epoch t-2.
      temperature: T.

    Returns:
      float32 [K].
    """
    ratio = tf.cast(previous, tf.float32) / tf.maximum(tf.cast(before, tf.float32), 1e-12)
    return tf.cast(tf.size(ratio), tf.float32) * tf.nn.softmax(ratio / temperature)
