"""Crops, flips, rotations and translations: views that move pixels."""

import math
from typing import Any

import tensorflow as tf

from pcl_tf.seeds import Rng
from pcl_tf.views.base import View
from pcl_tf.warp import bilinear


def crop_and_resize(images: tf.Tensor, boxes: tf.Tensor, size: int) -> tf.Tensor:
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

    def weights(low: tf.Tensor, high: tf.Tensor, pixels: int) -> tf.Tensor:
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

    A box that does not fit is drawn again, ten times at most, and then the largest box in the centre is taken, as
    torchvision does: sides cut down to the image instead would make crops larger (mean area .642 instead of .596).
    Boxes end between pixels of an image of side ``size``, which is what the recipes crop.

    Args:
      size: side of the result in pixels.
      area: (low, high) share of the image's area.
      ratio: (low, high) width over height of a square image's crop, drawn log-uniformly.
    """

    tries = 10

    def __init__(
        self,
        size: int,
        area: tuple[float, float] = (0.3, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.size, self.area, self.ratio = size, tuple(area), tuple(ratio)

    def parameters(self, batch: int, rng: Rng) -> Any:
        pixels = float(self.size)
        low, high = self.area
        area = rng.uniform(batch, low, high, shape=(self.tries,))
        low, high = map(math.log, self.ratio)
        ratio = tf.exp(rng.uniform(batch, low, high, shape=(self.tries,)))
        sides = tf.round(pixels * tf.stack([tf.sqrt(area / ratio), tf.sqrt(area * ratio)]))  # [2, N, tries]
        fits = tf.reduce_all(sides <= pixels, axis=0)
        any_fits, first = tf.reduce_any(fits, axis=1), tf.argmax(fits, axis=1)
        nearest = min(max(1.0, self.ratio[0]), self.ratio[1])
        whole = round(pixels * min(1.0, 1.0 / nearest)), round(pixels * min(1.0, nearest))
        ends = []
        for drawn, largest in zip(tf.unstack(sides), whole, strict=True):  # height, then width
            side = tf.where(any_fits, tf.gather(drawn, first, batch_dims=1), largest)
            place = tf.floor(rng.uniform(batch) * (pixels - side + 1.0))
            low = tf.where(any_fits, tf.minimum(place, pixels - side), tf.floor((pixels - side) / 2.0))
            ends.append((low / pixels, (low + side) / pixels))
        (top, bottom), (left, right) = ends
        return tf.stack([top, left, bottom, right], axis=1)

    def transform(self, images: tf.Tensor, parameters: Any) -> tf.Tensor:
        return crop_and_resize(images, parameters, self.size)


class QuadrantCrop(View):
    """The released code's crop: a square of fixed side that lies wholly inside one quadrant.

    Two views of one image take two DIFFERENT quadrants and so never share a pixel: call one
    crop with which=0 and another with which=1 on streams with the same ``pair``.

    Args:
      size: side of the result in pixels.
      share: side of the crop over the side of the image, at most half.
      which: 0 or 1, the first or second of the image's two drawn quadrants.

    Raises:
      ValueError: share is not in (0, 0.5].
    """

    def __init__(self, size: int, share: float = 0.4, which: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0.0 < share <= 0.5:
            raise ValueError(f"QuadrantCrop: share must lie in (0, 0.5] to fit into a quadrant, not {share}.")
        self.size, self.share, self.which = size, share, which

    def parameters(self, batch: int, rng: Rng) -> Any:
        shared = (rng.pair or rng).named("quadrants")
        quadrant = tf.argsort(shared.uniform(batch, shape=(4,)), axis=1)[:, self.which]
        own = rng.named(f"centre{self.which}")
        half = self.share / 2.0
        centre = []
        for side in (quadrant // 2, quadrant % 2):
            low = half + 0.5 * tf.cast(side, tf.float32)
            centre.append(low + own.uniform(batch) * (0.5 - self.share))
        y, x = centre
        return tf.stack([y - half, x - half, y + half, x + half], axis=1)

    def transform(self, images: tf.Tensor, parameters: Any) -> tf.Tensor:
        return crop_and_resize(images, parameters, self.size)


class HorizontalFlip(View):
    """Mirrors left and right. Args: p, per image."""

    def __init__(self, p: float = 0.5, **kwargs: Any) -> None:
        super().__init__(p=p, **kwargs)

    def transform(self, images: tf.Tensor, parameters: Any) -> tf.Tensor:
        return images[:, :, ::-1]


class RotateTranslate(View):
    """Rotation and translation as further pose augmentations (section 4.1, tried by the paper).

    Args:
      degrees: angles are drawn from U(-degrees, degrees).
      shift: translations are drawn from U(-shift, shift), in shares of the side.
    """

    def __init__(self, degrees: float = 30.0, shift: float = 0.1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.degrees, self.shift = degrees, shift

    def parameters(self, batch: int, rng: Rng) -> Any:
        angle = rng.uniform(batch, -self.degrees, self.degrees) * (math.pi / 180.0)
        return angle, rng.uniform(batch, -self.shift, self.shift, shape=(2,))

    def transform(self, images: tf.Tensor, parameters: Any) -> tf.Tensor:
        angle, shift = parameters
        height, width = images.shape[1], images.shape[2]
        cos, sin = tf.cos(angle)[:, None, None], tf.sin(angle)[:, None, None]
        y = tf.range(height, dtype=tf.float32)[:, None] - (height - 1) / 2.0
        x = tf.range(width, dtype=tf.float32) - (width - 1) / 2.0
        # What comes to lie at (y, x), from the centre, is read at the inverse map.
        return bilinear(
            images,
            sin * x + cos * y + (height - 1) / 2.0 + shift[:, 1, None, None] * height,
            cos * x - sin * y + (width - 1) / 2.0 + shift[:, 0, None, None] * width,
        )
