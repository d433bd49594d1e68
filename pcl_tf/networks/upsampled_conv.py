"""Bilinear upsampling and the convolution after it as one layer, with a quarter of the multiplications."""

from typing import Any

import keras
import numpy as np
from keras import ops


def upsampled_taps(size: int) -> np.ndarray:
    """What each tap of a 3-tap convolution sees of a row of pixels that is upsampled first.

    Args:
      size: pixels before upsampling.

    Returns:
      float32 [3, 2 * size, size]: bilinear x2 with half-pixel centres and repeated edge, shifted by tap - 1 with
      zeros coming in, as in a 'same' convolution.
    """
    at = np.clip((np.arange(2 * size) + 0.5) / 2 - 0.5, 0, size - 1)
    up = np.maximum(0.0, 1.0 - np.abs(at[:, None] - np.arange(size)))
    padded = np.pad(up, [(1, 1), (0, 0)])
    return np.stack([padded[tap : tap + 2 * size] for tap in range(3)]).astype(np.float32)


@keras.saving.register_keras_serializable("pcl_tf")
class UpsampledConv(keras.layers.Layer):
    """Conv2D(filters, 3, 'same') of UpSampling2D(2, 'bilinear'), exactly, edges included.

    Upsampling works on each channel alike and so may follow the mixing of channels: each of the kernel's nine taps
    mixes channels at the low resolution (9 C F multiplications for every four pixels instead of for every one), and
    two small constant matrices, one along rows and one along columns, upsample, shift and add the nine results. The
    upsampled input, the largest activation of the decoder, is never made.

    Channels are mixed in the compute dtype, where nearly all multiplications are. The nine results are interpolated and
    added in float32 and rounded once at the end: summed in bfloat16 they would be twice as far from float32 as the two
    layers are on a processor whose bfloat16 products have no wide accumulator.

    Args:
      filters: channels of the result.
      kernel_initializer, bias_initializer: of a [3, 3, C, filters] kernel and a [filters] bias, as Conv2D has them.
      **kwargs: of a Keras layer.

    Shapes: [N, H, W, C] -> [N, 2H, 2W, filters], in the compute dtype.
    """

    def __init__(
        self, filters: int, kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)

    def build(self, shape: tuple[int, ...]) -> None:
        _, height, width, channels = shape
        self.kernel = self.add_weight(
            name="kernel", shape=(3, 3, channels, self.filters), initializer=self.kernel_initializer
        )
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer=self.bias_initializer)
        self.rows = upsampled_taps(height).transpose(1, 0, 2).reshape(2 * height, 3 * height)  # [2H, (tap, H)]
        self.columns = upsampled_taps(width).transpose(1, 2, 0).reshape(2 * width, 3 * width)  # [2W, (W, tap)]

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        _, height, width, channels = x.shape
        taps = ops.reshape(ops.transpose(self.kernel, (2, 0, 1, 3)), (channels, 9 * self.filters))
        y = ops.cast(ops.matmul(ops.reshape(x, (-1, channels)), taps), "float32")
        y = ops.reshape(y, (-1, height, width, 3, 3 * self.filters))
        y = ops.transpose(y, (0, 3, 1, 2, 4))  # the row's tap beside the row
        y = ops.reshape(y, (-1, 3 * height, width * 3 * self.filters))
        y = ops.matmul(ops.convert_to_tensor(self.rows, y.dtype), y)  # [N, 2H, W * 3 * F]
        y = ops.reshape(y, (-1, 3 * width, self.filters))
        y = ops.matmul(ops.convert_to_tensor(self.columns, y.dtype), y)  # [N * 2H, 2W, F]
        y = ops.reshape(y, (-1, 2 * height, 2 * width, self.filters)) + ops.cast(self.bias, "float32")
        return ops.cast(y, self.compute_dtype)

    def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (shape[0], 2 * shape[1], 2 * shape[2], self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }
