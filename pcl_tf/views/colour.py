"""Colour jitter and grayscale with torchvision's semantics, from which keras-cv's differ (BUILD_NOTES.md, row 20)."""

from typing import Any

import tensorflow as tf

from pcl_tf.seeds import Rng
from pcl_tf.views.base import GRAY, View, grayscale


def adjust_hue(images: tf.Tensor, turns: tf.Tensor) -> tf.Tensor:
    """Rotates the hue: images [N, H, W, 3] in [0, 1], turns [N] in whole turns."""
    # tf.image.adjust_hue takes one delta a call; this is the same HSV arithmetic with one per image.
    first = tf.constant([1.0, 0.0, 0.0])  # slicing the hue out and stacking it back costs more than the rest
    hsv = tf.image.rgb_to_hsv(images) + turns[:, None, None, None] * first
    return tf.image.hsv_to_rgb(hsv - tf.floor(hsv) * first)


def blend(images: tf.Tensor, kind: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Brightness, contrast or saturation, each image its own: factor * image + (1 - factor) * other, clipped.

    Args:
      images: float32 [N, H, W, 3] in [0, 1].
      kind: int [N]: 0 brightness (other is black), 1 contrast (the image's mean gray),
        2 saturation (the image's gray).
      factor: float32 [N].

    Returns:
      float32 [N, H, W, 3] in [0, 1].
    """
    # All three are one affine map of the pixel's three values.
    gray = tf.constant(GRAY)[:, None]  # [3, 1]
    rest = 1.0 - factor
    mean = tf.matmul(tf.reduce_mean(images, axis=[1, 2]), gray)[:, 0]  # [N]
    own = tf.where(kind == 2, rest, 0.0)[:, None, None] * gray  # [N, 3, 1], the same for each output channel
    matrix = factor[:, None, None] * tf.eye(3) + own
    offset = tf.where(kind == 1, rest * mean, 0.0)[:, None, None]
    shape = tf.shape(images)
    pixels = tf.reshape(images, [shape[0], -1, 3])
    return tf.clip_by_value(tf.reshape(tf.matmul(pixels, matrix) + offset, shape), 0.0, 1.0)


class ColorJitter(View):
    """torchvision's ColorJitter, in an order drawn per image.

    Brightness multiplies; contrast blends with the image's mean gray;
    saturation blends with its gray; hue turns.

    Args:
      brightness, contrast, saturation: factors are drawn from
        U(max(0, 1 - x), 1 + x).
      hue: turns are drawn from U(-hue, hue), at most 0.5.
      p: probability per image.
    """

    def __init__(
        self,
        *,
        brightness: float = 0.8,
        contrast: float = 0.8,
        saturation: float = 0.8,
        hue: float = 0.2,
        p: float = 0.8,
        **kwargs: Any,
    ) -> None:
        super().__init__(p=p, **kwargs)
        if not 0.0 <= hue <= 0.5:
            raise ValueError(f"ColorJitter: hue must lie in [0, 0.5], not {hue}.")
        self.strength = (brightness, contrast, saturation)
        self.hue = hue

    def parameters(self, batch: int, rng: Rng) -> Any:
        factors = [rng.uniform(batch, max(0.0, 1.0 - s), 1.0 + s) for s in self.strength]
        hue = rng.uniform(batch, -self.hue, self.hue)
        order = tf.argsort(rng.uniform(batch, shape=(4,)), axis=1)  # [N, 4], a permutation per image
        return tf.stack(factors, axis=1), hue, order

    def transform(self, images: tf.Tensor, parameters: Any) -> tf.Tensor:
        factors, hue, order = parameters
        # Hue is expensive, so it is turned once for the whole batch. Each of the three blends stands before and after it;
        # where an image's own order has a blend on the other side, its factor is 1.
        place = tf.argmax(order == 3, axis=1, output_type=tf.int32)  # [N], of hue in the order
        after = tf.range(3)[None] >= place[:, None]  # [N, 3], blends that follow hue
        kinds = tf.where(after, order[:, 1:], order[:, :3])  # the order without hue
        chosen = tf.gather(factors, kinds, batch_dims=1)  # [N, 3]
        for i in range(3):
            images = blend(images, kinds[:, i], tf.where(after[:, i], 1.0, chosen[:, i]))
        images = adjust_hue(images, hue)
        for i in range(3):
            images = blend(images, kinds[:, i], tf.where(after[:, i], chosen[:, i], 1.0))
        return images


class RandomGrayscale(View):
    """Replaces the image by its luma in all three channels. Args: p, per image."""

    def __init__(self, p: float = 0.2, **kwargs: Any) -> None:
        super().__init__(p=p, **kwargs)

    def transform(self, images: tf.Tensor, parameters: Any) -> tf.Tensor:
        return tf.repeat(grayscale(images), 3, axis=-1)
