"""A backbone for processors: convolutions that are wide from the first layer on, each followed by BatchNorm.

The paper's network begins with few channels on many pixels, where a CPU waits for memory. Here the first convolution
already steps over four pixels, as the patch embedding of a vision Transformer does (Dosovitskiy et al., ICLR 2021),
with filters that overlap by two.
"""

import keras
from keras import layers

from pcl_tf.networks.batch_norm import BatchNorm
from pcl_tf.networks.blocks import conv
from pcl_tf.networks.initializers import he_fan_out

# (channels at width 1, side of the kernel, stride), from the image to stride 16.
BODY = ((192, 6, 4), (256, 3, 2), (256, 3, 1), (512, 3, 2), (512, 3, 1))
NECK = 256


def patch_cnn(
    width: float, dtype: str, name: str, *, synchronized: bool = False, portable: bool = False
) -> keras.Model:
    """Five convolutions with BatchNorm and ReLU, and a 1x1 convolution to F_s.

    Args:
      width: multiplies every channel count.
      dtype: Keras dtype or policy.
      name: of the model.
      synchronized: whether BatchNorm statistics in training span all replicas.
      portable: Keras' own BatchNormalization, so that a saved file loads where pcl_tf is not installed. The numbers
        and the weights are the same; training is slower.

    Returns:
      keras.Model: float [N, H, W, 3] in [0, 1] -> [N, ceil(H / 16), ceil(W / 16), 256 * width] for sides that are
      multiples of 4.
    """
    norm = layers.BatchNormalization if portable else BatchNorm
    image = keras.Input((None, None, 3))
    x = layers.Rescaling(1.0, offset=-0.5, dtype=dtype, name="centre")(image)
    for i, (channels, kernel, stride) in enumerate(BODY, start=1):
        # torch's padding, as in the paper's network: TensorFlow's 'same' depends on whether the side is even.
        x = layers.ZeroPadding2D(1, dtype=dtype)(x)
        x = layers.Conv2D(
            max(8, round(channels * width)),
            kernel,
            stride,
            use_bias=False,  # BatchNorm has one
            kernel_initializer=he_fan_out(),
            dtype=dtype,
            name=f"conv{i}",
        )(x)
        # Momentum and epsilon are torch's defaults, as in the heads.
        x = norm(momentum=0.9, epsilon=1e-5, synchronized=synchronized, dtype=dtype, name=f"norm{i}")(x)
        x = layers.ReLU(dtype=dtype)(x)
    return keras.Model(image, conv(x, max(8, round(NECK * width)), 1, dtype=dtype, name="neck"), name=name)
