"""L_pose, Eq. 5: same image = positive, its own pose-augmented copies = negatives."""

import tensorflow as tf

from pcl_tf.losses.cosine import unit
from pcl_tf.losses.gather import own_rows, replicas
from pcl_tf.losses.info_nce import cross_entropy
from pcl_tf.losses.negatives import mixed_cosine, mixing_draw
from pcl_tf.losses.shapes import agree


def pose_info_nce(
    z1: tf.Tensor,
    z2: tf.Tensor,
    negatives: tf.Tensor,
    *,
    temperature: float = 0.07,
    mixing_seed: tf.Tensor | None = None,
    denominator: str = "with_positive",
) -> tuple[tf.Tensor, tf.Tensor]:
    """L_pose (Eq. 5): two views of an image against pose-augmented copies of the same image.

    L = 1/(2P) sum over p and both directions of -log(exp(cos(z1_p, z2_p) / tau) / sum_m exp(cos(z1_p, n_pm) / tau)),
    with the positive in the denominator too, unless ``denominator`` is 'negatives'

    Inside a replica of a ``tf.distribute`` strategy only the draws of interpolation depend on the other replicas.

    Args:
      z1, z2: [P, D], two views of P images, any float dtype; computed in float32. Not normalised beforehand.
      negatives: [P, M, D], M pose-augmented copies of each image.
      temperature: tau, above 0.
      mixing_seed: int32 [2], the same on every replica, of negative interpolation among an image's own negatives (see
        ``nt_xent``). None: negatives are as they are.
      denominator: 'with_positive' (released code) or 'negatives' (Eq. 5 as printed).

    Returns:
      (float32 scalar, >= 0 with the positive in the denominator;
       logits, float32 [2P, 1 + M], the similarity over tau of each view with the other, then with its negatives).

    Example:
      >>> z = tf.constant([[1.0, 0.0]])
      >>> round(float(pose_info_nce(z, z, -z[:, None], temperature=1.0)[0]), 4)
      0.1269

    Reference:
      PCL (Liu et al., CVPR 2023), Eq. 5.

    Differs from the paper in:
      the denominator, which has the positive as in the released code, and the mean of both directions, not their sum.
      denominator='negatives' is the equation as printed, but for the mean.

    Raises:
      KeyError: no such denominator.
      ValueError: shapes that do not agree.
    """
    agree(z1=(z1, "PD"), z2=(z2, "PD"), negatives=(negatives, "PMD"))
    images, count = (tf.shape(negatives)[i] if n is None else n for i, n in enumerate(negatives.shape[:2]))
    mix = permutation = None
    if mixing_seed is not None:
        mix, permutation = mixing_draw(images * replicas(), count, mixing_seed)
        mix = own_rows(mix, images)
    z = tf.concat([z1, z2], axis=0)
    # The length is z's: rows gathered across replicas have lost theirs.
    rows = tf.reshape(negatives, [-1, _length(z)])
    logits = pose_logits(z, rows, temperature=temperature, mix=mix, permutation=permutation)
    return POSE_DENOMINATORS[denominator](logits), logits


def _length(z: tf.Tensor) -> int | tf.Tensor:
    return tf.shape(z)[-1] if z.shape[-1] is None else z.shape[-1]


def official_layout(negatives: tf.Tensor, images: int) -> tf.Tensor:
    """Regroups negatives as the released code does by mistake.

    There the rows are laid out copy-major but read image-major: with 10 images
    and 100 flips only 10 of an anchor's 100 negatives are its own image.

    Args:
      negatives: [P * M, D], image-major.
      images: P.

    Returns:
      [P * M, D] such that rows p*M .. p*M + M - 1 are those anchor p is held against.
    """
    dim = _length(negatives)
    by_image = tf.reshape(negatives, [images, -1, dim])
    return tf.reshape(tf.transpose(by_image, [1, 0, 2]), [-1, dim])


def pose_logits(
    z: tf.Tensor,
    negatives: tf.Tensor,
    *,
    temperature: float = 0.07,
    mix: tf.Tensor | None = None,
    permutation: tf.Tensor | None = None,
) -> tf.Tensor:
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
    views = tf.reshape(unit(z), [2, -1, _length(z)])  # [2, P, D]
    images = tf.shape(views)[1]
    # Mixing happens before normalisation, so the negatives keep their lengths; one common factor
    # per image leaves every cosine unchanged and keeps squares finite.
    n = tf.reshape(tf.cast(negatives, tf.float32), [images, -1, _length(z)])  # [P, M, D]
    n = tf.clip_by_value(n, -1e30, 1e30)
    n = n / tf.stop_gradient(tf.maximum(tf.reduce_max(tf.abs(n), axis=[1, 2], keepdims=True), 1e-6))
    squares = tf.reduce_sum(tf.square(n), axis=-1)  # [P, M]
    dots = tf.einsum("vpd,pmd->vpm", views, n)  # [2, P, M]
    if mix is None:
        cosine = dots * tf.math.rsqrt(tf.maximum(squares, 1e-12))
    else:
        cosine = mixed_cosine(
            mix,
            dot_a=dots,
            dot_b=tf.gather(dots, permutation, axis=2),
            square_a=squares,
            square_b=tf.gather(squares, permutation, axis=1),
            cross=tf.reduce_sum(n * tf.gather(n, permutation, axis=1), axis=-1),
        )
    positive = tf.reduce_sum(views[0] * views[1], axis=-1)  # [P]
    positive = tf.broadcast_to(positive[None, :, None], tf.stack([2, images, 1]))
    logits = tf.concat([positive, cosine], axis=2) / temperature
    return tf.reshape(logits, [-1, tf.shape(logits)[2]])


def negatives_alone(logits: tf.Tensor) -> tf.Tensor:
    """Eq. 5 as printed: the denominator sums the negatives alone. [A, K], the positive first -> scalar of any sign.

    The pull on the positive never weakens: its gradient is -1 / A whatever its similarity, where cross-entropy's
    vanishes as soon as the positive outweighs the negatives. The mean over anchors, not the sum of both directions.
    """
    return tf.reduce_mean(tf.reduce_logsumexp(logits[:, 1:], axis=1) - logits[:, 0])


# What the denominator of Eq. 5 sums: cross-entropy with the positive (released code), or the negatives alone.
POSE_DENOMINATORS = {"with_positive": cross_entropy, "negatives": negatives_alone}
