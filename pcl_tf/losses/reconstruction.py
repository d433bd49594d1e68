"""L_dis, Eq. 2: the face and its mirror image from every combination of features."""

import tensorflow as tf

COMBINATIONS = ("face+pose", "face+pose'", "face'+pose", "face'+pose'")  # ' of the pose-augmented copy


def combine(face: tf.Tensor, pose: tf.Tensor, augmented_face: tf.Tensor, augmented_pose: tf.Tensor) -> tf.Tensor:
    """Sums features as Eq. 1 pairs them.

    Args:
      face, pose: F_f and F_p of s, each [N, D].
      augmented_face, augmented_pose: the same of the pose-varied s-hat, each [N, D].

    Returns:
      [4N, D] in the order of ``COMBINATIONS``.
    """
    return tf.concat(
        [face + pose, face + augmented_pose, augmented_face + pose, augmented_face + augmented_pose], axis=0
    )


def reconstruction(decoded: tf.Tensor, image: tf.Tensor, augmented: tf.Tensor) -> tf.Tensor:
    """L_dis (Eq. 2): the face and its pose-varied copy, each decoded from every combination that has its pose.

    L = |D(F_f + F_p) - s| + |D(F_f + F_p') - s'| + |D(F_f' + F_p) - s| + |D(F_f' + F_p') - s'|, ' of the varied copy

    Args:
      decoded: [4N, H, W, 3] in the order of ``COMBINATIONS``, what D makes of ``combine``; computed in float32.
      image, augmented: s and s', [N, H, W, 3].

    Returns:
      float32 scalar >= 0.

    Example:
      >>> s = tf.zeros([1, 2, 2, 3])
      >>> float(reconstruction(tf.concat([s, s, s, s + 1.0], axis=0), s, s))
      1.0

    Reference:
      PCL (Liu et al., CVPR 2023), Eq. 2.

    Differs from the paper in:
      the l1 norms, which are means over images and values as in the released code, not sums.
    """
    targets = tf.cast(tf.concat([image, augmented, image, augmented], axis=0), tf.float32)
    return 4.0 * tf.reduce_mean(tf.abs(tf.cast(decoded, tf.float32) - targets))
