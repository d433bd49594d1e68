"""L_face, Eq. 6: NT-Xent over 2N views, with negative interpolation from the Gram matrix."""

import tensorflow as tf

from pcl_tf.losses.cosine import as_float32
from pcl_tf.losses.gather import gather_rows, replica_id
from pcl_tf.losses.info_nce import cross_entropy
from pcl_tf.losses.negatives import mixed_cosine, mixing_draw
from pcl_tf.losses.shapes import agree


def nt_xent(
    z1: tf.Tensor, z2: tf.Tensor, *, temperature: float = 0.07, mixing_seed: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """NT-Xent (Eq. 6): each of 2N views finds the other view of its image among all other views.

    L = 1/(2N) sum_i -log(exp(cos(z_i, z_pos(i)) / tau) / sum_(j != i) exp(cos(z_i, z_j) / tau))

    Inside a replica of a ``tf.distribute`` strategy the views of every replica are negatives (N is the global batch),
    and the result is the mean over this replica's anchors: its mean over replicas is the loss of the global batch.

    Args:
      z1, z2: [n, D], two views of n images, any float dtype; computed in float32. Not normalised beforehand.
      temperature: tau, above 0.
      mixing_seed: int32 [2], the same on every replica, of negative interpolation [66]: each negative is mixed with
        another before it is normalised, m z_a + (1 - m) z_b with m ~ Beta(1.6, 1.6). None: negatives are as they are.

    Returns:
      (float32 scalar >= 0, log(2N - 1) where all similarities are equal;
       logits, float32 [2n, 2N - 1], the similarity over tau of each anchor with its positive, then with its negatives).

    Example:
      >>> z = tf.eye(4)
      >>> round(float(nt_xent(z, z, temperature=0.5)[0]), 4)
      0.5944

    Reference:
      PCL (Liu et al., CVPR 2023), Eq. 6; Chen et al., ICML 2020 (SimCLR), Eq. 1.

    Differs from the paper in:
      nothing; interpolation is what the paper's text and its released code do, one permutation for all anchors.

    Raises:
      ValueError: shapes that do not agree.
    """
    agree(z1=(z1, "ND"), z2=(z2, "ND"))
    n = tf.shape(z1)[0]
    z = tf.concat([gather_rows(z1), gather_rows(z2)], axis=0)  # [2N, D]
    rows = tf.shape(z)[0]
    own = replica_id() * n + tf.range(n)
    anchors = tf.concat([own, rows // 2 + own], axis=0)
    mix = permutation = None
    if mixing_seed is not None:
        mix, permutation = mixing_draw(rows, rows - 2, mixing_seed)
        mix = tf.gather(mix, anchors)
    logits = face_logits(z, temperature=temperature, mix=mix, permutation=permutation, anchors=anchors)
    return cross_entropy(logits), logits


def _rescaled(z: tf.Tensor) -> tf.Tensor:
    # One common factor for all: cosines of mixtures are unchanged, squares cannot overflow.
    z = as_float32(z)
    return z / tf.stop_gradient(tf.maximum(tf.reduce_max(tf.abs(z)), 1e-6))


def negative_indices(rows: int | tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
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


def face_logits(
    z: tf.Tensor,
    *,
    temperature: float = 0.07,
    mix: tf.Tensor | None = None,
    permutation: tf.Tensor | None = None,
    anchors: tf.Tensor | None = None,
) -> tf.Tensor:
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
            dot_a=tf.gather(mine, a, batch_dims=1),
            dot_b=tf.gather(mine, b, batch_dims=1),
            square_a=tf.gather(squares, a),
            square_b=tf.gather(squares, b),
            cross=tf.gather_nd(gram, tf.stack([a, b], axis=-1)),
        )
    return tf.concat([positive[:, None], negative], axis=1) / temperature
