"""L_orth, Eq. 3, in the paper's form and in the released code's."""

import tensorflow as tf

from pcl_tf.losses.cosine import as_float32, unit
from pcl_tf.losses.gather import gather_rows
from pcl_tf.losses.shapes import agree


def orthogonality(face: tf.Tensor, pose: tf.Tensor) -> tf.Tensor:
    """L_orth (Eq. 3) of one image set: the two features of an image point in directions of their own.

    L = 1/N sum_i cos(F_f_i, F_p_i)^2; Eq. 3 adds the same of the pose-varied copies.

    Args:
      face, pose: F_f and F_p, [N, D], any float dtype; computed in float32.

    Returns:
      float32 scalar in [0, 1].

    Example:
      >>> face, pose = tf.constant([[1.0, 0.0], [3.0, 3.0]]), tf.constant([[0.0, 5.0], [2.0, 0.0]])
      >>> round(float(orthogonality(face, pose)), 4)
      0.25

    Reference:
      PCL (Liu et al., CVPR 2023), Eq. 3.

    Differs from the paper in:
      the features' lengths, which are divided out: without it the loss is least for features that vanish.

    Raises:
      ValueError: shapes that do not agree.
    """
    agree(face=(face, "ND"), pose=(pose, "ND"))
    cosine = tf.reduce_sum(unit(face) * unit(pose), axis=-1)  # [N]
    return tf.reduce_mean(tf.square(cosine))


def centred_unit(x: tf.Tensor) -> tf.Tensor:
    """Centres [N, D] over the batch and divides rows by their detached norm + 1e-6 (released code)."""
    x = as_float32(x)
    x = x - tf.reduce_mean(x, axis=0, keepdims=True)
    return x / (tf.stop_gradient(tf.norm(x, axis=-1, keepdims=True)) + 1e-6)


def cross_correlation(face: tf.Tensor, pose: tf.Tensor) -> tf.Tensor:
    """The released code's L_orth: mean square of the D x D cross product of centred features.

    L = 1/D^2 sum_de (sum_i A_id B_ie)^2, A and B the features centred over the batch, each row divided by its length

    Almost blind (at N=256, D=2048 independent features score 6.1e-5, identical
    ones 6.9e-5). sum((A^T B)^2) = sum((A A^T) * (B B^T)), so only [N, N] is made.

    Args:
      face, pose: F_f and F_p, [n, D], any float dtype; computed in float32. Inside a replica every replica's rows count.

    Returns:
      float32 scalar >= 0.

    Example:
      >>> x = tf.constant([[1.0, 0.0], [-1.0, 0.0]])
      >>> round(float(cross_correlation(x, x)), 4)
      1.0

    Reference:
      The released code of PCL (Liu et al., CVPR 2023).

    Differs from the paper in:
      Eq. 3, which compares the two features of one image; here every entry of the one with every entry of the other.

    Raises:
      ValueError: shapes that do not agree.
    """
    agree(face=(face, "ND"), pose=(pose, "ND"))
    a, b = centred_unit(gather_rows(face)), centred_unit(gather_rows(pose))
    gram = tf.matmul(a, a, transpose_b=True) * tf.matmul(b, b, transpose_b=True)  # [N, N]
    return tf.reduce_sum(gram) / tf.cast(tf.square(tf.shape(a)[1]), tf.float32)


ORTHOGONALITY = {"per_sample": orthogonality, "cross_correlation": cross_correlation}
