"""The few shapes of layer the paper's 16-layer CNN is built of.

Only stock Keras layers and ``keras.ops`` are used, so that a saved backbone
loads with ``keras.models.load_model`` where pcl_tf is not installed.
"""

from keras import KerasTensor, layers, ops

from pcl_tf.networks.initializers import he_fan_out

SLOPE = 0.1  # LeakyReLU of backbone and subnets


def leaky(x: KerasTensor, dtype: str, name: str | None = None) -> KerasTensor:
    """LeakyReLU(0.1)."""
    return layers.LeakyReLU(SLOPE, dtype=dtype, name=name)(x)


def leaky_sum(x: KerasTensor, y: KerasTensor, *, dtype: str, name: str) -> KerasTensor:
    """LeakyReLU(0.1) of x + y.

    Written out, because in graphs for inference TensorFlow (2.21, oneDNN on x86) fuses convolution, bias, addition and
    LeakyRelu into one operation that forgets the slope and takes 0.2: every feature of an export would be another one
    than the network was trained for.
    """
    total = layers.Add(dtype=dtype, name=f"{name}_add")([x, y])
    return ops.where(total > 0, total, SLOPE * total)


def conv(
    x: KerasTensor, filters: int, kernel: int, *, dtype: str, name: str, strides: int = 1, activate: bool = True
) -> KerasTensor:
    """Convolution with bias and torch's symmetric padding, then LeakyReLU.

    'same' padding is not used for strided convolutions: TensorFlow pads them
    one-sidedly, and every feature would shift by half a pixel against the
    released code.

    Args:
      x: [N, H, W, C].
      filters, kernel, strides: of the convolution.
      dtype: Keras dtype or policy of the layers.
      name: name of the convolution layer.
      activate: whether LeakyReLU(0.1) follows.

    Returns:
      [N, ceil(H / strides), ceil(W / strides), filters].
    """
    padding = "same"
    if strides > 1:
        x = layers.ZeroPadding2D(kernel // 2, dtype=dtype, name=f"{name}_pad")(x)
        padding = "valid"
    x = layers.Conv2D(filters, kernel, strides, padding, kernel_initializer=he_fan_out(), dtype=dtype, name=name)(x)
    return leaky(x, dtype, f"{name}_leaky") if activate else x


def residual(x: KerasTensor, dtype: str, name: str) -> KerasTensor:
    """conv3 LeakyReLU conv3, added to x, LeakyReLU after the addition."""
    filters = x.shape[-1]
    y = conv(x, filters, 3, dtype=dtype, name=f"{name}_conv1")
    y = conv(y, filters, 3, dtype=dtype, name=f"{name}_conv2", activate=False)
    return leaky_sum(x, y, dtype=dtype, name=name)


def channel_attention(x: KerasTensor, dtype: str, name: str) -> KerasTensor:
    """Attention between channels (the released code's ATT block).

    Three 1x1 convolutions: g, softmax over channels; theta, softmax over
    pixels; phi, raw. similarity[c, d] = sum over pixels phi[c] theta[d];
    y[c] = sum over d similarity[c, d] g[d]; LeakyReLU(x + y). The softmaxes
    run in float32.

    Args:
      x: [N, H, W, C], any H and W.

    Returns:
      [N, H, W, C].
    """
    filters = x.shape[-1]

    def project(part: str) -> KerasTensor:
        return conv(x, filters, 1, dtype=dtype, name=f"{name}_{part}", activate=False)

    def pixels(part: str) -> KerasTensor:
        return layers.Reshape((-1, filters), dtype=dtype, name=f"{name}_{part}_pixels")(project(part))  # [N, H * W, C]

    # Rows of pixels, because a softmax over two axes and einsum's reordering took a third of this block.
    phi = pixels("phi")
    theta = layers.Softmax(axis=1, dtype="float32", name=f"{name}_pixels")(pixels("theta"))
    g = layers.Softmax(axis=-1, dtype="float32", name=f"{name}_channels")(project("g"))
    theta, g = ops.cast(theta, phi.dtype), ops.cast(g, phi.dtype)
    similarity = ops.matmul(ops.transpose(theta, (0, 2, 1)), phi)  # [N, d, c]
    y = ops.einsum("nhwd,ndc->nhwc", g, similarity)
    return leaky_sum(x, y, dtype=dtype, name=name)


def flatten_channels_first(x: KerasTensor, dtype: str, name: str) -> KerasTensor:
    """[N, H, W, C] -> [N, C * H * W] in torch's order, so that features compare one to one."""
    x = layers.Permute((3, 1, 2), dtype=dtype)(x)
    return layers.Flatten(dtype=dtype, name=name)(x)
