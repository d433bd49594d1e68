"""Dynamic Weight Average [37], which balances L_face and L_pose in Eq. 7."""

import tensorflow as tf


def dwa_weights(previous: tf.Tensor, before: tf.Tensor, *, temperature: float = 2.0) -> tf.Tensor:
    """Dynamic Weight Average, the alphas of Eq. 7: weights from the relative descent over the last two epochs.

    w = K softmax(r / T) with r_k = L_k(t-1) / L_k(t-2) of K losses, so the weights sum to K. A loss that falls slowly
    gains weight.

    Args:
      previous: float [K], epoch means of the unweighted losses of epoch t-1.
      before: float [K], the same of epoch t-2.
      temperature: T, above 0; the larger, the more equal the weights.

    Returns:
      float32 [K].

    Example:
      >>> print(dwa_weights([2.0, 1.0], [2.0, 2.0]).numpy().round(4))
      [1.1244 0.8756]

    Reference:
      PCL (Liu et al., CVPR 2023), Eq. 7; Liu, Johns, Davison, CVPR 2019 ([37] there), Eq. 7.

    Differs from the paper in:
      nothing; T = 2 is the released code's and that of Liu, Johns and Davison.
    """
    ratio = tf.cast(previous, tf.float32) / tf.maximum(tf.cast(before, tf.float32), 1e-12)
    return tf.cast(tf.size(ratio), tf.float32) * tf.nn.softmax(ratio / temperature)
