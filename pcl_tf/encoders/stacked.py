"""An encoder with a trained layer on it as one Keras model: faces in, labels out, nothing else needed to load it."""

from typing import Any

import keras
import numpy as np

from pcl_tf.encoders.encoder import Encoder, load_keras, outputs


def stacked(
    encoder: Encoder, feature: str, size: int, *, layer: tuple[np.ndarray, np.ndarray], activation: str
) -> keras.Model:
    """Stacks a linear layer, weights [D, K] and bias [K], on a feature of a frozen encoder that has a ``keras_file``.

    Returns:
      keras.Model: float32 [N, size, size, 3] in [0, 1] -> float32 [N, K]; stock Keras layers only.
    """
    assert encoder.keras_file is not None
    net = load_keras(encoder.keras_file)
    net.trainable = False
    image = keras.Input((size, size, 3), name="image")
    dense = keras.layers.Dense(len(layer[1]), activation, name="probe", dtype="float32")
    model = keras.Model(image, dense(vector_of(net(image), feature)), name="probe")
    dense.set_weights([*layer])
    return model


def vector_of(out: Any, feature: str) -> keras.KerasTensor:
    """A feature of a Keras encoder's outputs as a vector [N, D], in the order of the stored features; of 'face+pose' the sum.

    out: a dict of them, or one; [N, D] or feature maps [N, H, W, C].
    """
    found, parts = outputs(out), []
    for part in feature.split("+"):
        x = found[part]
        if len(x.shape) != 2:
            x = keras.layers.Permute((3, 1, 2), name=f"{part}_channels_first")(x)
            x = keras.layers.Flatten(name=f"{part}_flat", data_format="channels_last")(x)
        parts.append(x)
    return parts[0] if len(parts) == 1 else keras.layers.Add(name="sum")(parts)
