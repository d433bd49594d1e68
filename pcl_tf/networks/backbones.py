"""Backbones by name: the paper's CNN, and others to which PCL applies unchanged.

All are cut at stride 16 and end in a 1x1 convolution: to 128 channels, so that F_s has the paper's length (2048 at 64
pixels), and patch_cnn to 256, because a quarter of it is what two processor cores train.
"""

from collections.abc import Callable
from typing import Any

import keras

from pcl_tf.networks.blocks import conv
from pcl_tf.networks.cnn16 import cnn16
from pcl_tf.networks.patch_cnn import patch_cnn
from pcl_tf.networks.transformer import vit


def _neck(image: Any, x: Any, *, width: float, dtype: str, name: str) -> keras.Model:
    x = conv(x, max(8, round(128 * width)), 1, dtype=dtype, name="neck")
    return keras.Model(image, x, name=name)


def _resnet18(width: float, dtype: str, name: str, *, image_size: int | None, **_: bool) -> keras.Model:
    import keras_cv  # here, not at the top: its import costs seconds that cnn16 users need not pay

    body = _under_policy(
        dtype,
        lambda: keras_cv.models.ResNetV2Backbone(
            stackwise_filters=[64, 128, 256],  # its stem has 64 channels whatever is asked for
            stackwise_blocks=[2, 2, 2],
            stackwise_strides=[1, 2, 2],
            include_rescaling=False,
            block_type="basic_block",
            input_shape=(None, None, 3),
        ),
    )
    return _neck(body.inputs, body.outputs[0], width=width, dtype=dtype, name=name)


def _vgg16(width: float, dtype: str, name: str, *, image_size: int | None, **_: bool) -> keras.Model:
    del width  # keras.applications fixes the widths; the neck alone follows the recipe
    body = _under_policy(
        dtype, lambda: keras.applications.VGG16(include_top=False, weights=None, input_shape=(None, None, 3))
    )
    return _neck(body.inputs, body.get_layer("block5_conv3").output, width=1.0, dtype=dtype, name=name)


def _vit_tiny(width: float, dtype: str, name: str, *, image_size: int | None, portable: bool, **_: bool) -> keras.Model:
    image, x = vit(image_size, dim=max(32, round(192 * width)), dtype=dtype, portable=portable)
    return _neck(image, x, width=width, dtype=dtype, name=name)


def _cnn16(width: float, dtype: str, name: str, *, image_size: int | None, **_: bool) -> keras.Model:
    return cnn16(width, dtype, name)


def _patch_cnn(width: float, dtype: str, name: str, *, image_size: int | None, **norm: bool) -> keras.Model:
    return patch_cnn(width, dtype, name, **norm)


def _under_policy(dtype: str, build: Callable[[], keras.Model]) -> keras.Model:
    # Library models take no dtype for their inner layers: they read the global policy.
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        return build()
    finally:
        keras.config.set_dtype_policy(before)


BACKBONES = {"cnn16": _cnn16, "patch_cnn": _patch_cnn, "resnet18": _resnet18, "vgg16": _vgg16, "vit_tiny": _vit_tiny}
FIXED_SIZE = ("vit_tiny",)  # these take images of the size they were built for alone, a multiple of STRIDE
STRIDE = 16


def backbone(
    kind: str = "cnn16",
    *,
    width: float = 1.0,
    dtype: str = "float32",
    image_size: int | None = 64,
    name: str = "backbone",
    synchronized: bool = False,
    portable: bool = False,
) -> keras.Model:
    """Builds a backbone of the given kind.

    Args:
      kind: 'cnn16' (the paper's), 'patch_cnn' (made for processors), 'resnet18' (keras_cv), 'vgg16'
        (keras.applications) or 'vit_tiny' (Keras' own attention layers).
      width: multiplies channel counts; ResNet and VGG bodies keep their own widths.
      dtype: Keras dtype or policy.
      image_size: only the Transformer needs it, for its position embedding.
      name: of the model.
      synchronized: whether BatchNorm statistics in training span all replicas; resnet18's are each replica's own.
      portable: built of stock Keras layers alone, for files that load where pcl_tf is not installed.

    Returns:
      keras.Model: float [N, H, W, 3] in [0, 1] -> [N, H/16, W/16, C].

    Raises:
      ValueError: unknown kind.
    """
    if kind not in BACKBONES:
        raise ValueError(f"Unknown backbone '{kind}'; known: {', '.join(sorted(BACKBONES))}.")
    return BACKBONES[kind](width, dtype, name, image_size=image_size, synchronized=synchronized, portable=portable)
