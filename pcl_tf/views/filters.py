"""Gaussian blur and Sobel edges, for a batch in which every image has its own parameters."""

from typing import Any

import tensorflow as tf

from pcl_tf.seeds import Rng
from pcl_tf.views.base import View


class GaussianBlur(View):
    """Separable Gaussian blur with a sigma per image and reflect padding.

    Args:
      kernel: odd number of taps.
      sigma: (low, high) of the uniform draw, in pixels.
      p: probability per image.
    """

    def __init__(self, kernel: int = 7, sigma: tuple[float, float] = (0.1, 2.0), p: float = 0.8, **kwargs: Any) -> None:
        super().__init__(p=p, **kwargs)
        if kernel % 2 == 0 or kernel < 1:
            raise ValueError(f"GaussianBlur: kernel must be odd and positive, not {kernel}.")
        self.kernel, self.sigma = kernel, tuple(sigma)

    def parameters(self, batch: int, rng: Rng) -> Any:
        return rng.uniform(batch, *self.sigma)

    def transform(self, images: tf.Tensor, parameters: Any) -> tf.Tensor:
        half = self.kernel // 2
        x = tf.range(-half, half + 1, dtype=tf.float32)
        taps = tf.exp(-0.5 * tf.square(x / parameters[:, None]))  # [N, K]
        taps = taps / tf.reduce_sum(taps, axis=1, keepdims=True)
        height, width = tf.shape(images)[1], tf.shape(images)[2]
        # A sum of shifted slices: one kernel per image is what convolutions cannot do in one call.
        padded = tf.pad(images, [[0, 0], [half, half], [0, 0], [0, 0]], "REFLECT")
        rows = sum(taps[:, k, None, None, None] * padded[:, k : k + height] for k in range(self.kernel))
        padded = tf.pad(rows, [[0, 0], [0, 0], [half, half], [0, 0]], "REFLECT")
        return sum(taps[:, k, None, None, None] * padded[:, :, k : k + width] for k in range(self.kernel))


class Sobel(View):
    """Magnitude of the released code's gradient filter, in all three channels.

    Gray with coefficients (65.738, 129.057, 25.064) / 256, central differences
    [-1, 0, 1] with zero padding, sqrt(v^2 + h^2 + 1e-6), clipped to 1 (the
    released code lets bytes wrap).

    Args:
      p: probability per image.
    """

    COEFFICIENTS = (65.738 / 256.0, 129.057 / 256.0, 25.064 / 256.0)

    def __init__(self, p: float = 0.6, **kwargs: Any) -> None:
        super().__init__(p=p, **kwargs)

    def transform(self, images: tf.Tensor, parameters: Any) -> tf.Tensor:
        gray = tf.matmul(images, tf.constant(self.COEFFICIENTS)[:, None])
        padded = tf.pad(gray, [[0, 0], [1, 1], [1, 1], [0, 0]])
        vertical = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
        horizontal = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
        edges = tf.sqrt(tf.square(vertical) + tf.square(horizontal) + 1e-6)
        return tf.repeat(tf.minimum(edges, 1.0), 3, axis=-1)
