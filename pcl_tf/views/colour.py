"""Colour jitter and grayscale with torchvision's semantics (FIDELITY: keras-cv's differ)."""

import tensorflow as tf

from pcl_tf.views.base import View, grayscale


def adjust_hue(images, turns):
    """Rotates the hue: images [N, H, W, 3] in [0, 1], turns [N] in whole turns."""
    # tf.image.adjust_hue takes one delta a call; this is the same HSV arithmetic with one per image.
    hsv = tf.image.rgb_to_hsv(images)
    hue = tf.math.floormod(hsv[..., 0] + turns[:, None, None], 1.0)
    return tf.image.hsv_to_rgb(tf.stack([hue, hsv[..., 1], hsv[..., 2]], axis=-1))


def blend(images, other, factor):
    """factor * images + (1 - factor) * other, clipped to [0, 1]; factor [N]."""
    f = factor[:, None, None, None]
    return tf.clip_by_value(f * images + (1.0 - f) * other, 0.0, 1.0)


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

    def __init__(self, brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2, p=0.8, **kwargs):
        super().__init__(p=p, **kwargs)
        if not 0.0 <= hue <= 0.5:
            raise ValueError(f"ColorJitter: hue must lie in [0, 0.5], not {hue}.")
        self.strength = (brightness, contrast, saturation)
        self.hue = hue

    def parameters(self, batch, draws):
        factors = [draws.uniform(batch, max(0.0, 1.0 - s), 1.0 + s) for s in self.strength]
        hue = draws.uniform(batch, -self.hue, self.hue)
        order = tf.argsort(draws.uniform(batch, shape=(4,)), axis=1)  # [N, 4], a permutation per image
        return (*factors, hue, order)

    def transform(self, images, parameters):
        brightness, contrast, saturation, hue, order = parameters
        for position in range(4):
            turn = order[:, position][:, None, None, None]
            mean = tf.reduce_mean(grayscale(images), axis=[1, 2], keepdims=True)
            images = tf.where(
                turn == 3,
                adjust_hue(images, hue),
                # The three blends differ in what they blend with: black, mean gray, own gray.
                _blend_by_turn(images, mean, turn, brightness, contrast, saturation),
            )
        return images

    def get_config(self):
        b, c, s = self.strength
        return {**super().get_config(), "brightness": b, "contrast": c, "saturation": s, "hue": self.hue}


def _blend_by_turn(images, mean, turn, brightness, contrast, saturation):
    which = turn[:, 0, 0, 0]
    factor = tf.where(which == 0, brightness, tf.where(which == 1, contrast, saturation))
    other = tf.where(turn == 0, 0.0, tf.where(turn == 1, mean, grayscale(images)))
    return blend(images, other, factor)


class RandomGrayscale(View):
    """Replaces the image by its luma in all three channels. Args: p, per image."""

    def __init__(self, p=0.2, **kwargs):
        super().__init__(p=p, **kwargs)

    def transform(self, images, parameters):
        return tf.repeat(grayscale(images), 3, axis=-1)
