"""Decoding and resizing, shared by training, probing and the export: no train/serve skew."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from pcl_tf.data.bitmap import decode_bmp
from pcl_tf.data.gif import decode_gif
from pcl_tf.data.headers import known_and_not_large
from pcl_tf.data.orientation import orientation, upright

# Traced once in a process, whoever calls it: its graph takes seconds to write. Autograph, which would take more, has
# nothing to convert.
_traced_once = tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)


def _on_the_processor(function: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """Small operations on one image after the other, which a GPU would do in turn with everything else (BUILD_NOTES)."""

    @functools.wraps(function)
    def placed(*args: Any) -> tf.Tensor:
        with tf.device("CPU:0"):
            return function(*args)

    return placed


@_on_the_processor
@_traced_once
def decode_as_stored(data: tf.Tensor) -> tf.Tensor:
    """``decode_upright`` without turning: the pixels as they lie in the file, which landmarks beside it may count in."""
    return _decoded(known_and_not_large(data), lambda image: image)


@_on_the_processor
@_traced_once
def decode_upright(data: tf.Tensor) -> tf.Tensor:
    """Decodes any JPEG, PNG, BMP, GIF (first frame) or still WebP.

    Grayscale is repeated, alpha dropped, CMYK converted, 16 bits cut to 8, palettes and bit masks applied. What says
    how the camera was held is turned upright, as ``PIL.ImageOps.exif_transpose`` does.

    Args:
      data: scalar string, the encoded bytes.

    Returns:
      uint8 [H, W, 3].

    Raises:
      tf.errors.InvalidArgumentError: the bytes are not a whole image of these kinds, are a BMP that is compressed, or
        declare more pixels than ``headers.MAX_PIXELS``, which is found out before they are decoded.
    """
    data = known_and_not_large(data)
    return _decoded(data, lambda image: upright(image, orientation(data)))


def _decoded(data: tf.Tensor, turned: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    begins = tf.strings.substr(data, 0, 4)

    def read(channels: int) -> tf.Tensor:
        image = tf.io.decode_image(data, channels=channels, dtype=tf.uint8, expand_animations=False)[..., :3]
        image.set_shape([None, None, 3])
        return image

    def jpeg() -> tf.Tensor:  # by the arithmetic of Pillow, not the coarser one that is usual here
        return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")

    def others() -> tf.Tensor:
        # A WebP with alpha is not decoded into three channels, but into those it has.
        stored = tf.cond(begins == b"RIFF", lambda: read(0), lambda: tf.cond(two == b"\xff\xd8", jpeg, lambda: read(3)))
        return turned(stored)

    two = tf.strings.substr(begins, 0, 2)
    is_bmp = two == b"BM"
    return tf.case([(is_bmp, lambda: decode_bmp(data)), (begins == b"GIF8", lambda: decode_gif(data))], others)


@tf.autograph.experimental.do_not_convert
@_on_the_processor
def decode_image(data: tf.Tensor, size: int) -> tf.Tensor:
    """``decode_upright``, then the central square (so that faces keep their proportions) antialiased to a size.

    Args:
      data: scalar string, the encoded bytes.
      size: side of the result in pixels.

    Returns:
      uint8 [size, size, 3].

    Raises:
      tf.errors.InvalidArgumentError: as ``decode_upright``.
    """
    image = decode_upright(data)
    shape = tf.shape(image)
    side = tf.minimum(shape[0], shape[1])
    top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
    return resize(image[top : top + side, left : left + side], size)


@_on_the_processor
def resize(image: tf.Tensor, size: int) -> tf.Tensor:
    """Antialiased bilinear resize: uint8 [..., H, W, 3] -> uint8 [..., size, size, 3]."""
    resized = tf.image.resize(image, [size, size], antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(resized), 0.0, 255.0), tf.uint8)


def centre(image: np.ndarray, share: float = 1.0) -> np.ndarray:
    """The central square: uint8 [H, W, 3] -> uint8 [S, S, 3], S = share of the shorter side."""
    height, width = image.shape[:2]
    side = max(1, round(share * min(height, width)))
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]
