"""L_pose, Eq. 5: same image = positive, its own pose-augmented copies = negatives."""

import tensorflow as tf

from pcl_tf.losses.cosine import unit
from pcl_tf.losses.face_contrast import first_is_right
from pcl_tf.losses.negatives import mixed_cosine

POSE_NEGATIVES = ("own_flip", "official_layout")


def official_layout(negatives, images):
    """Regroups negatives as the released code does by mistake.

    There the rows are laid out copy-major but read image-major: with 10 images
    and 100 flips only 10 of an anchor's 100 negatives are its own image.

    Args:
      negatives: [P * M, D], image-major.
      images: P.

    Returns:
      [P * M, D] such that rows p*M .. p*M + M - 1 are those anchor p is held against.
    """
    dim = negatives.shape[-1]
    by_image = tf.reshape(negatives, [images, -1, dim])
    return tf.reshape(tf.transpose(by_image, [1, 0, 2]), [-1, dim])


def pose_logits(z, negatives, temperature=0.07, mix=None, permutation=None):
    """Similarities of both views of each image with each other and with its M negatives.

    Args:
      z: [2P, D], [view 1 of all images, view 2 of all].
      negatives: [P * M, D], image-major.
      temperature: tau.
      mix: float32 [P, M] or None; negative m of image p becomes mix * n_m +
        (1 - mix) * n_permutation[m], shared by both anchors of the image.
      permutation: int32 [M], with mix.

    Returns:
      float32 [2P, M + 1], the positive first.
    """
    views = tf.reshape(unit(z), [2, -1, z.shape[-1]])  # [2, P, D]
    images = tf.shape(views)[1]
    # Mixing happens before normalisation, so the negatives keep their lengths; one common factor
    # per image leaves every cosine unchanged and keeps squares finite.
    n = tf.reshape(tf.cast(negatives, tf.float32), [images, -1, z.shape[-1]])  # [P, M, D]
    n = tf.clip_by_value(n, -1e30, 1e30)
    n = n / tf.stop_gradient(tf.maximum(tf.reduce_max(tf.abs(n), axis=[1, 2], keepdims=True), 1e-6))
    squares = tf.reduce_sum(tf.square(n), axis=-1)  # [P, M]
    dots = tf.einsum("vpd,pmd->vpm", views, n)  # [2, P, M]
    if mix is None:
        cosine = dots * tf.math.rsqrt(tf.maximum(squares, 1e-12))
    else:
        cosine = mixed_cosine(
            mix,
            dots,
            tf.gather(dots, permutation, axis=2),
            squares,
            tf.gather(squares, permutation, axis=1),
            tf.reduce_sum(n * tf.gather(n, permutation, axis=1), axis=-1),
        )
    positive = tf.reduce_sum(views[0] * views[1], axis=-1)  # [P]
    positive = tf.broadcast_to(positive[None, :, None], tf.stack([2, images, 1]))
    logits = tf.concat([positive, cosine], axis=2) / temperature
    return tf.reshape(logits, [-1, tf.shape(logits)[2]])


def with_positive(logits):
    """The released code: cross-entropy, the positive counts in the denominator too. [A, K] -> scalar >= 0."""
    return first_is_right(logits)[0]


def negatives_alone(logits):
    """Eq. 5 as printed: the denominator sums the negatives alone. [A, K], the positive first -> scalar of any sign.

    The pull on the positive never weakens: its gradient is -1 / A whatever its similarity, where cross-entropy's
    vanishes as soon as the positive outweighs the negatives. The mean over anchors, not the sum of both directions.
    """
    return tf.reduce_mean(tf.reduce_logsumexp(logits[:, 1:], axis=1) - logits[:, 0])


POSE_DENOMINATORS = {"with_positive": with_positive, "negatives": negatives_alone}
