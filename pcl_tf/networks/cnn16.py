"""The paper's backbone: a shallow 16-layer residual CNN with channel attention."""

import keras

from pcl_tf.networks.blocks import channel_attention, conv, residual


def cnn16(width: float = 1.0, dtype: str = "float32", name: str = "backbone") -> keras.Model:
    """Builds the backbone B of section 3.1, fully convolutional, stride 16.

    conv7x7/2(64) conv3(64) conv3(64) ATT conv3(64) | conv3/2(128) ATT
    conv3(128) RES RES conv3/2(128) conv3(128) | conv3/2(256) conv3(128).
    No BatchNorm; every convolution has a bias.

    Args:
      width: multiplies every channel count.
      dtype: Keras dtype or policy.
      name: of the model.

    Returns:
      keras.Model: float [N, H, W, 3] in [0, 1] -> [N, ceil(H/16), ceil(W/16), 128 * width].
    """
    c64, c128, c256 = (max(8, round(c * width)) for c in (64, 128, 256))
    image = keras.Input((None, None, 3), name="image")
    x = conv(image, c64, 7, dtype=dtype, name="stem_conv1", strides=2)
    x = conv(x, c64, 3, dtype=dtype, name="stem_conv2")
    x = conv(x, c64, 3, dtype=dtype, name="stage1_conv1")
    x = channel_attention(x, dtype, "stage1_att")
    x = conv(x, c64, 3, dtype=dtype, name="stage1_conv2")
    x = conv(x, c128, 3, dtype=dtype, name="stage2_conv1", strides=2)
    x = channel_attention(x, dtype, "stage2_att")
    x = conv(x, c128, 3, dtype=dtype, name="stage2_conv2")
    x = residual(x, dtype, "stage2_res1")
    x = residual(x, dtype, "stage2_res2")
    x = conv(x, c128, 3, dtype=dtype, name="stage2_conv3", strides=2)
    x = conv(x, c128, 3, dtype=dtype, name="stage2_conv4")
    x = conv(x, c256, 3, dtype=dtype, name="stage3_conv1", strides=2)
    x = conv(x, c128, 3, dtype=dtype, name="stage3_conv2")
    return keras.Model(image, x, name=name)
