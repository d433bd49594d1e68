"""The networks of FaceCycle's first stage beside the encoder: a code, its flow, and the generator of images."""

import keras
from keras import layers, ops

from pcl_tf.networks.blocks import channel_attention, conv, leaky, residual
from pcl_tf.networks.heads import dense

# Layers of VGG-19: features of the first two become images, Gram matrices of all three are compared.
VGG_LAYERS = ("block2_conv1", "block3_conv1", "block4_conv1")


def motion_code(features: int, dim: int = 256, *, dtype: str = "float32", name: str = "code") -> keras.Model:
    """Dense 2 dim, LeakyReLU, Dense dim, tanh: [N, features] -> [N, dim] in [-1, 1]. Args: see ``code_head``."""
    feature = keras.Input((features,), name="feature")
    x = leaky(dense(2 * dim, features, dtype=dtype, name="hidden")(feature), dtype)
    x = layers.Activation("tanh", dtype=dtype)(dense(dim, 2 * dim, dtype=dtype, name="dense")(x))
    return keras.Model(feature, x, name=name)


def motion_flow(
    dim: int, image_size: int, *, width: float = 1.0, dtype: str = "float32", name: str = "flow"
) -> keras.Model:
    """A code to a flow: attention and convolutions at a 16th, an 8th and a quarter of the side.

    Args:
      dim: length of the code.
      image_size: side of the images, a multiple of 16.
      width: multiplies channel counts, 256, 128 and 64.
      dtype: Keras dtype or policy.
      name: of the model.

    Returns:
      keras.Model: [N, dim] -> float32 [N, image_size / 4, image_size / 4, 2] in [-1, 1], as ``warp`` takes it.
    """
    c256, c128, c64 = (max(8, round(c * width)) for c in (256, 128, 64))
    side = image_size // 16
    code = keras.Input((dim,), name="code")
    x = leaky(dense(side * side * c256, dim, dtype=dtype, name="dense")(code), dtype)
    x = layers.Reshape((side, side, c256), dtype=dtype)(x)
    x = conv(channel_attention(x, dtype, "att1"), c256, 3, dtype=dtype, name="conv1")
    x = layers.UpSampling2D(2, interpolation="bilinear", dtype=dtype)(x)
    x = conv(x, c128, 3, dtype=dtype, name="conv2")
    x = conv(channel_attention(x, dtype, "att2"), c128, 3, dtype=dtype, name="conv3")
    x = residual(residual(x, dtype, "res1"), dtype, "res2")
    x = layers.UpSampling2D(2, interpolation="bilinear", dtype=dtype)(x)
    x = conv(x, c64, 3, dtype=dtype, name="conv4")
    small = keras.initializers.RandomNormal(stddev=0.05)
    x = layers.Conv2D(2, 1, use_bias=False, kernel_initializer=small, dtype=dtype, name="conv5")(x)
    return keras.Model(code, ops.tanh(ops.cast(x, "float32")), name=name)


def vgg_features(weights: str, *, name: str = "vgg") -> keras.Model:
    """VGG-19, frozen: float32 images [N, S, S, 3] in [0, 1] -> list of its VGG_LAYERS, at S/2, S/4 and S/8.

    Args:
      weights: path of keras.applications' file of weights learnt on ImageNet, without the top.
      name: of the model.

    Raises:
      ValueError, OSError: no such file, or one of another network.
    """
    body = keras.applications.VGG19(include_top=False, weights=weights, input_shape=(None, None, 3))
    inner = keras.Model(body.inputs, [body.get_layer(layer).output for layer in VGG_LAYERS])
    inner.trainable = False
    image = keras.Input((None, None, 3), name="image")
    # The file is for blue, green, red of 0 to 255, less their means.
    return keras.Model(image, inner(255.0 * image[..., ::-1] - ops.array([103.939, 116.779, 123.68])), name=name)


def learnt_features(width: float = 1.0, *, dtype: str = "float32", name: str = "vgg") -> keras.Model:
    """What stands for VGG-19 where its weights are missing: images [N, S, S, 3] -> features at S/2 and S/4."""
    c64, c128, c256 = (max(8, round(c * width)) for c in (64, 128, 256))
    image = keras.Input((None, None, 3), name="image")
    x = conv(image, c64, 3, dtype=dtype, name="conv1")
    fine = conv(x, c128, 3, dtype=dtype, name="conv2", strides=2)
    return keras.Model(image, [fine, conv(fine, c256, 3, dtype=dtype, name="conv3", strides=2)], name=name)


def generator(
    fine: int, coarse: int, *, width: float = 1.0, dtype: str = "float32", name: str = "generator"
) -> keras.Model:
    """Features of two scales to an image: eight residual blocks, then twice the side twice.

    Args:
      fine, coarse: channels of the features at half and at a quarter of the side.
      width: multiplies its own channel counts, 256 and 128.
      dtype: Keras dtype or policy.
      name: of the model.

    Returns:
      keras.Model: [[N, S/2, S/2, fine], [N, S/4, S/4, coarse]] -> float32 [N, S, S, 3] in [0, 1].
    """
    c256, c128 = (max(8, round(c * width)) for c in (256, 128))
    inputs = [keras.Input((None, None, channels)) for channels in (fine, coarse)]
    x = conv(inputs[1], c256, 3, dtype=dtype, name="conv1")
    for i in range(8):
        x = residual(x, dtype, f"res{i}")
    x = leaky(layers.Conv2DTranspose(c128, 4, 2, "same", dtype=dtype, name="up1")(x), dtype)
    x = layers.Concatenate(dtype=dtype)([x, inputs[0]])
    x = leaky(layers.Conv2DTranspose(c128, 4, 2, "same", dtype=dtype, name="up2")(x), dtype)
    x = layers.Conv2D(3, 3, padding="same", dtype=dtype, name="image")(x)
    return keras.Model(inputs, ops.sigmoid(ops.cast(x, "float32")), name=name)
