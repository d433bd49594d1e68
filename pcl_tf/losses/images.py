"""Losses between images that FaceCycle adds to a mean difference: structure, symmetry, and Gram matrices of features."""

import tensorflow as tf

from pcl_tf.losses.shapes import agree

_SIDE, _SIGMA = 11, 1.5


def ssim(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Mean structural similarity of two batches of images with values in [0, 1].

    In every window of 11 x 11 pixels under a Gaussian of deviation 1.5, zeros beyond the edges:
    (2 mu_a mu_b + C1) (2 cov + C2) / ((mu_a^2 + mu_b^2 + C1) (var_a + var_b + C2)), C1 = .01^2, C2 = .03^2

    Args:
      a, b: [N, H, W, C], any float dtype; computed in float32.

    Returns:
      float32 scalar in [-1, 1], 1 for equal images.

    Example:
      >>> a = tf.random.stateless_uniform([1, 16, 16, 3], [1, 2])
      >>> round(float(ssim(a, a)), 4)
      1.0

    Reference:
      Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 2004.

    Raises:
      ValueError: shapes that do not agree.
    """
    agree(a=(a, "NHWC"), b=(b, "NHWC"))
    a, b = tf.cast(a, tf.float32), tf.cast(b, tf.float32)
    line = tf.exp(-tf.square(tf.range(_SIDE, dtype=tf.float32) - _SIDE // 2) / (2.0 * _SIGMA**2))
    line /= tf.reduce_sum(line)

    def blurred(x: tf.Tensor) -> tf.Tensor:
        """Along rows, then along columns."""
        channels = x.shape[-1]
        for shape in ([_SIDE, 1, 1, 1], [1, _SIDE, 1, 1]):
            window = tf.tile(tf.reshape(line, shape), [1, 1, channels, 1])
            x = tf.nn.depthwise_conv2d(x, window, [1, 1, 1, 1], "SAME")
        return x

    mean_a, mean_b = blurred(a), blurred(b)
    var_a, var_b = blurred(a * a) - mean_a**2, blurred(b * b) - mean_b**2
    covariance = blurred(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    like = (2.0 * mean_a * mean_b + c1) * (2.0 * covariance + c2)
    return tf.reduce_mean(like / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)))


def asymmetry(images: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference of the left halves of images and their mirrored right halves.

    Args:
      images: [N, H, W, C], W even, any float dtype; computed in float32.

    Returns:
      float32 scalar >= 0.

    Example:
      >>> float(asymmetry(tf.reshape(tf.constant([0.0, 1.0, 1.0, 0.5]), [1, 1, 4, 1])))
      0.25

    Reference:
      FaceCycle (Chang, Chen, Chiu, ICCV 2021).

    Raises:
      ValueError: images has other than four axes.
    """
    agree(images=(images, "NHWC"))
    images = tf.cast(images, tf.float32)
    half = images.shape[2] // 2
    return tf.reduce_mean(tf.abs(images[:, :, :half] - images[:, :, ::-1][:, :, :half]))


def gram_difference(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Mean squared difference of the Gram matrices of features: G = F^T F / (H W C), F [H W, C].

    Args:
      a, b: [N, H, W, C], any float dtype; computed in float32.

    Returns:
      float32 scalar >= 0.

    Example:
      >>> float(gram_difference(tf.ones([1, 2, 2, 1]), tf.zeros([1, 2, 2, 1])))
      1.0

    Reference:
      Gatys, Ecker, Bethge, CVPR 2016.

    Raises:
      ValueError: shapes that do not agree.
    """
    agree(a=(a, "NHWC"), b=(b, "NHWC"))

    def gram(x: tf.Tensor) -> tf.Tensor:
        height, width, channels = x.shape[1:]
        x = tf.reshape(tf.cast(x, tf.float32), [-1, height * width, channels])
        return tf.matmul(x, x, transpose_a=True) / float(height * width * channels)

    return tf.reduce_mean(tf.math.squared_difference(gram(a), gram(b)))
