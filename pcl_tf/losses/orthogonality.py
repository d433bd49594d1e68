"""L_orth, Eq. 3, in the paper's form and in the released code's."""

import tensorflow as tf

from pcl_tf.losses.cosine import as_float32, unit


def per_sample(face, pose):
    """Eq. 3 of the paper: mean over samples of the squared cosine of F_f and F_p.

    The features are L2-normalised first; without it the loss is least for
    features that vanish.

    Args:
      face, pose: [N, D].

    Returns:
      float32 scalar in [0, 1].
    """
    cosine = tf.reduce_sum(unit(face) * unit(pose), axis=-1)  # [N]
    return tf.reduce_mean(tf.square(cosine))


def centred_unit(x):
    """Centres [N, D] over the batch and divides rows by their detached norm + 1e-6 (released code)."""
    x = as_float32(x)
    x = x - tf.reduce_mean(x, axis=0, keepdims=True)
    return x / (tf.stop_gradient(tf.norm(x, axis=-1, keepdims=True)) + 1e-6)


def cross_correlation(face, pose):
    """The released code: mean square of the D x D cross product of centred features.

    Almost blind (at N=256, D=2048 independent features score 6.1e-5, identical
    ones 6.9e-5). sum((A^T B)^2) = sum((A A^T) * (B B^T)), so only [N, N] is made.

    Args:
      face, pose: [N, D], the global batch.

    Returns:
      float32 scalar.
    """
    a, b = centred_unit(face), centred_unit(pose)
    gram = tf.matmul(a, a, transpose_b=True) * tf.matmul(b, b, transpose_b=True)  # [N, N]
    return tf.reduce_sum(gram) / tf.cast(tf.square(tf.shape(a)[1]), tf.float32)


ORTHOGONALITY = {"per_sample": per_sample, "cross_correlation": cross_correlation}
