"""L_face, Eq. 6: NT-Xent over 2N views, with negative interpolation from the Gram matrix."""

import tensorflow as tf

from pcl_tf.losses.cosine import as_float32
from pcl_tf.losses.negatives import mixed_cosine


def _rescaled(z):
    # One common factor for all: cosines of mixtures are unchanged, squares cannot overflow.
    z = as_float32(z)
    return z / tf.stop_gradient(tf.maximum(tf.reduce_max(tf.abs(z)), 1e-6))


def negative_indices(rows, anchors):
    """Columns of each anchor's 2N-2 negatives, ascending: all rows but itself and its positive.

    Args:
      rows: 2N, the number of views; row i and row (i + N) mod 2N are a pair.
      anchors: int32 [A], rows of the anchors.

    Returns:
      int32 [A, 2N - 2].
    """
    partner = (anchors + rows // 2) % rows
    first, second = tf.minimum(anchors, partner), tf.maximum(anchors, partner)
    j = tf.range(rows - 2)[None, :]
    j = j + tf.cast(j >= first[:, None], tf.int32)
    return j + tf.cast(j >= second[:, None], tf.int32)


def face_logits(z, temperature=0.07, mix=None, permutation=None, anchors=None):
    """Similarities of each anchor with its positive and its negatives, over temperature.

    Args:
      z: [2N, D], [view 1 of all images, view 2 of all], every replica's.
      temperature: tau.
      mix: float32 [A, 2N - 2] or None for no interpolation: negative j of an
        anchor becomes mix * z[n_j] + (1 - mix) * z[n_permutation[j]].
      permutation: int32 [2N - 2], with mix.
      anchors: int32 [A], rows that are anchors; by default all.

    Returns:
      float32 [A, 2N - 1], the positive first.
    """
    z = _rescaled(z)
    rows = tf.shape(z)[0]
    anchor = tf.range(rows) if anchors is None else anchors
    gram = tf.matmul(z, z, transpose_b=True)  # [2N, 2N]
    squares = tf.reduce_sum(tf.square(z), axis=-1)  # [2N]; the diagonal of gram, but exact
    inverse = tf.math.rsqrt(tf.maximum(squares, 1e-12))
    mine = tf.gather(gram * inverse[:, None], anchor)  # [A, 2N] dots with the unit anchor

    partner = (anchor + rows // 2) % rows
    positive = tf.gather(mine, partner, batch_dims=1) * tf.gather(inverse, partner)  # [A]
    a = negative_indices(rows, anchor)  # [A, 2N - 2]
    if mix is None:
        negative = tf.gather(mine, a, batch_dims=1) * tf.gather(inverse, a)
    else:
        b = tf.gather(a, permutation, axis=1)
        negative = mixed_cosine(
            mix,
            tf.gather(mine, a, batch_dims=1),
            tf.gather(mine, b, batch_dims=1),
            tf.gather(squares, a),
            tf.gather(squares, b),
            tf.gather_nd(gram, tf.stack([a, b], axis=-1)),
        )
    return tf.concat([positive[:, None], negative], axis=1) / temperature


def first_is_right(logits):
    """Cross-entropy of class 0 and its accuracy: float32 [A, K] -> two scalars, means over A.

    The accuracy counts anchors whose positive is strictly the most similar.
    """
    loss = tf.reduce_mean(tf.reduce_logsumexp(logits, axis=1) - logits[:, 0])
    right = logits[:, 0] > tf.reduce_max(logits[:, 1:], axis=1)
    return loss, tf.reduce_mean(tf.cast(right, tf.float32))
