"""The reconstruction network D of the pose-disentangled decoder (section 3.1), and its like that makes flows."""

from typing import Any

import keras
from keras import layers, ops

from pcl_tf.networks.heads import batch_norm, dense
from pcl_tf.networks.initializers import TorchUniform
from pcl_tf.networks.upsampled_conv import UpsampledConv


def decoder(
    features: int,
    image_size: int = 64,
    *,
    width: float = 1.0,
    dtype: str = "float32",
    synchronized: bool = False,
    name: str = "decoder",
) -> keras.Model:
    """Builds D: a vector to an image through blocks of upsampling and convolution.

    L2-normalise, Dense 512, reshape to 1x1x512, then log2(image_size) blocks
    of [ReLU, bilinear x2, conv3x3, BatchNorm] with channels 256, 256, 256,
    256, 128, 3 at 64 pixels; the last block ends in tanh instead of BatchNorm.

    Args:
      features: length of F_f + F_p.
      image_size: side of the image, a power of two of at least 4.
      width: multiplies every hidden channel count.
      dtype: Keras dtype or policy.
      synchronized: whether BatchNorm statistics span all replicas.
      name: of the model.

    Returns:
      keras.Model: [N, features] -> float32 [N, image_size, image_size, 3] in [-1, 1].

    Raises:
      ValueError: image_size is not a power of two of at least 4.
    """
    code = keras.Input((features,), name="code")
    x = layers.UnitNormalization(dtype="float32")(code)
    x = dense(max(8, round(512 * width)), features, dtype=dtype, name="dense")(x)
    x = _grown(x, image_size, 3, width=width, dtype=dtype, synchronized=synchronized)
    return keras.Model(code, x, name=name)


def flow_decoder(
    codes: int,
    image_size: int = 64,
    *,
    outputs: int = 2,
    width: float = 1.0,
    dtype: str = "float32",
    synchronized: bool = False,
    name: str = "flow",
) -> keras.Model:
    """Builds the decoder of FAb-Net and TCAE: the blocks of ``decoder`` on codes as they are.

    Args:
      codes: length of what is decoded.
      image_size, width, dtype, synchronized, name: as of ``decoder``.
      outputs: channels: a flow's two, and what else is decoded with it.

    Returns:
      keras.Model: [N, codes] -> float32 [N, image_size, image_size, outputs] in [-1, 1].

    Raises:
      ValueError: image_size is not a power of two of at least 4.
    """
    code = keras.Input((codes,), name="code")
    x = _grown(code, image_size, outputs, width=width, dtype=dtype, synchronized=synchronized)
    return keras.Model(code, x, name=name)


def _grown(x: Any, image_size: int, outputs: int, *, width: float, dtype: str, synchronized: bool) -> Any:
    """[N, D] through blocks of upsampling and convolution to [N, image_size, image_size, outputs]."""
    blocks = image_size.bit_length() - 1
    if image_size < 4 or 2**blocks != image_size:
        raise ValueError(
            f"The decoder doubles 1x1 up to the image, so image_size must be a power of two >= 4, not {image_size}."
        )
    middle, late = (max(8, round(c * width)) for c in (256, 128))
    channels = [middle] * max(0, blocks - 2) + [late, outputs]
    incoming = x.shape[-1]
    x = layers.Reshape((1, 1, incoming), dtype=dtype)(x)
    for i, filters in enumerate(channels, start=1):
        x = layers.ReLU(dtype=dtype)(x)
        init = TorchUniform(9 * incoming)
        x = UpsampledConv(filters, init, init, dtype=dtype, name=f"conv{i}")(x)
        if i < len(channels):
            x = batch_norm(dtype, f"norm{i}", synchronized)(x)
        incoming = filters
    return layers.Activation("tanh", dtype="float32", name="image")(ops.cast(x, "float32"))
