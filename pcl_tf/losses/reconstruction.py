"""L_dis, Eq. 2: the face and its mirror image from every combination of features."""

import tensorflow as tf

COMBINATIONS = ("face+pose", "face+mirror_pose", "mirror_face+pose", "mirror_face+mirror_pose")


def combine(face, pose, mirror_face, mirror_pose):
    """Sums features as Eq. 1 pairs them.

    Args:
      face, pose: F_f and F_p of s, each [N, D].
      mirror_face, mirror_pose: the same of the pose-varied s-hat, each [N, D].

    Returns:
      [4N, D] in the order of ``COMBINATIONS``.
    """
    return tf.concat([face + pose, face + mirror_pose, mirror_face + pose, mirror_face + mirror_pose], axis=0)


def reconstruction_loss(decoded, image, mirror):
    """Sum of four mean absolute errors.

    The l1 norms are means over pixels, as in the released code; weight 1 each.

    Args:
      decoded: [4N, H, W, 3] in the order of ``COMBINATIONS``.
      image, mirror: s and s-hat, [N, H, W, 3].

    Returns:
      float32 scalar.
    """
    targets = tf.cast(tf.concat([image, mirror, image, mirror], axis=0), tf.float32)
    return 4.0 * tf.reduce_mean(tf.abs(tf.cast(decoded, tf.float32) - targets))
