"""L_dis, Eq. 2: the face and its mirror image from every combination of features."""

import tensorflow as tf

from pcl_tf.losses.shapes import agree

COMBINATIONS = ("face+pose", "face+pose'", "face'+pose", "face'+pose'")  # ' of the pose-augmented copy


def combine(face: tf.Tensor, pose: tf.Tensor, *, augmented_face: tf.Tensor, augmented_pose: tf.Tensor) -> tf.Tensor:
    """Sums features as Eq. 1 pairs them.

    Args:
      face, pose: F_f and F_p of s, each [N, D].
      augmented_face, augmented_pose: the same of the pose-varied s-hat, each [N, D].

    Returns:
      [4N, D] in the order of ``COMBINATIONS``, of their dtype.

    Example:
      >>> f, p = tf.constant([[1.0]]), tf.constant([[0.25]])
      >>> combine(f, p, augmented_face=2.0 * f, augmented_pose=2.0 * p).numpy().ravel().tolist()
      [1.25, 1.5, 2.25, 2.5]

    Reference:
      PCL (Liu et al., CVPR 2023), Eq. 1.

    Differs from the paper in:
      nothing.

    Raises:
      ValueError: shapes that do not agree.
    """
    agree(
        face=(face, "ND"),
        pose=(pose, "ND"),
        augmented_face=(augmented_face, "ND"),
        augmented_pose=(augmented_pose, "ND"),
    )
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

    Raises:
      ValueError: shapes that do not agree.
    """
    agree(image=(image, "NHWC"), augmented=(augmented, "NHWC"), decoded=(decoded[::4], "NHWC"))
    targets = tf.cast(tf.concat([image, augmented, image, augmented], axis=0), tf.float32)
    return 4.0 * tf.reduce_mean(tf.abs(tf.cast(decoded, tf.float32) - targets))
