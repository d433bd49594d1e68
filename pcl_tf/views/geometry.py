"""Crops, flips, rotations and translations: views that move pixels."""

import math

import keras
import tensorflow as tf

from pcl_tf.views.base import View


def crop_and_resize(images, boxes, size):
    """Bilinear crop per image.

    Args:
      images: [N, H, W, 3].
      boxes: [N, 4] as (top, left, bottom, right) in fractions of the image.
      size: side of the result.

    Returns:
      [N, size, size, 3], pixel centres sampled at half-pixel positions like torch's resize
      of a crop (tf.image.crop_and_resize aligns corners, which shifts content).
    """
    height, width = images.shape[1], images.shape[2]
    grid = (tf.range(size, dtype=tf.float32) + 0.5) / size  # [S]

    def weights(low, high, pixels):
        # [N, S, pixels]: each output row is a mix of two input rows, as a matrix to multiply with.
        at = (low[:, None] + grid * (high - low)[:, None]) * pixels - 0.5
        at = tf.clip_by_value(at, 0.0, pixels - 1.0)
        return tf.maximum(0.0, 1.0 - tf.abs(at[:, :, None] - tf.range(pixels, dtype=tf.float32)))

    rows = weights(boxes[:, 0], boxes[:, 2], height)
    columns = weights(boxes[:, 1], boxes[:, 3], width)
    x = tf.einsum("nsh,nhwc->nswc", rows, images)
    return tf.einsum("ntw,nswc->nstc", columns, x)


class RandomResizedCrop(View):
    """Crop of random area and aspect ratio, resized (vox64: the paper's "random crop").

    Args:
      size: side of the result in pixels.
      area: (low, high) share of the image's area.
      ratio: (low, high) width over height, drawn log-uniformly.
    """

    def __init__(self, size, area=(0.3, 1.0), ratio=(3 / 4, 4 / 3), **kwargs):
        super().__init__(**kwargs)
        self.size, self.area, self.ratio = size, tuple(area), tuple(ratio)

    def parameters(self, batch, draws):
        area = draws.uniform(batch, *self.area)
        ratio = tf.exp(draws.uniform(batch, *map(math.log, self.ratio)))
        height = tf.minimum(tf.sqrt(area / ratio), 1.0)
        width = tf.minimum(tf.sqrt(area * ratio), 1.0)
        top = draws.uniform(batch) * (1.0 - height)
        left = draws.uniform(batch) * (1.0 - width)
        return tf.stack([top, left, top + height, left + width], axis=1)

    def transform(self, images, parameters):
        return crop_and_resize(images, parameters, self.size)

    def get_config(self):
        return {**super().get_config(), "size": self.size, "area": self.area, "ratio": self.ratio}


class QuadrantCrop(View):
    """The released code's crop: a square of fixed side with its centre inside one quadrant.

    Two views of one image take two DIFFERENT quadrants: call one crop with
    which=0 and another with which=1 on streams with the same ``pair``.

    Args:
      size: side of the result in pixels.
      share: side of the crop over the side of the image.
      which: 0 or 1, the first or second of the image's two drawn quadrants.
    """

    def __init__(self, size, share=0.4, which=0, **kwargs):
        super().__init__(**kwargs)
        self.size, self.share, self.which = size, share, which

    def parameters(self, batch, draws):
        shared = (draws.pair or draws).named("quadrants")
        quadrant = tf.argsort(shared.uniform(batch, shape=(4,)), axis=1)[:, self.which]
        own = draws.named(f"centre{self.which}")
        half = self.share / 2.0
        centre = []
        for side in (quadrant // 2, quadrant % 2):
            low = tf.where(side == 0, half, 0.5)
            high = tf.where(side == 0, 0.5, 1.0 - half)
            centre.append(low + own.uniform(batch) * (high - low))
        y, x = centre
        return tf.stack([y - half, x - half, y + half, x + half], axis=1)

    def transform(self, images, parameters):
        return crop_and_resize(images, parameters, self.size)

    def get_config(self):
        return {**super().get_config(), "size": self.size, "share": self.share, "which": self.which}


class HorizontalFlip(View):
    """Mirrors left and right. Args: p, per image."""

    def __init__(self, p=0.5, **kwargs):
        super().__init__(p=p, **kwargs)

    def transform(self, images, parameters):
        return images[:, :, ::-1]


class RotateTranslate(View):
    """Rotation and translation as further pose augmentations (section 4.1, tried by the paper).

    Args:
      degrees: angles are drawn from U(-degrees, degrees).
      shift: translations are drawn from U(-shift, shift), in shares of the side.
    """

    def __init__(self, degrees=30.0, shift=0.1, **kwargs):
        super().__init__(**kwargs)
        self.degrees, self.shift = degrees, shift

    def parameters(self, batch, draws):
        angle = draws.uniform(batch, -self.degrees, self.degrees) * (math.pi / 180.0)
        return angle, draws.uniform(batch, -self.shift, self.shift, shape=(2,))

    def transform(self, images, parameters):
        angle, shift = parameters
        height, width = images.shape[1], images.shape[2]
        cos, sin = tf.cos(angle), tf.sin(angle)
        cy, cx = (height - 1) / 2.0, (width - 1) / 2.0
        # Output pixel (x, y) is read at the inverse map, about the centre.
        dx = cx - cos * cx + sin * cy + shift[:, 0] * width
        dy = cy - sin * cx - cos * cy + shift[:, 1] * height
        zero = tf.zeros_like(cos)
        maps = tf.stack([cos, -sin, dx, sin, cos, dy, zero, zero], axis=1)
        return keras.ops.image.affine_transform(images, maps, "bilinear", fill_mode="nearest")

    def get_config(self):
        return {**super().get_config(), "degrees": self.degrees, "shift": self.shift}
