"""An encoder with a trained layer on it as one Keras model: faces in, labels out, nothing else needed to load it."""

from typing import Any

import keras
import numpy as np

from pcl_tf.encoders.encoder import Encoder, load_keras, outputs
from pcl_tf.errors import Refused


def stacked(
    encoder: Encoder, feature: str, size: int, *, layer: tuple[np.ndarray, np.ndarray], activation: str
) -> keras.Model:
    """Stacks a linear layer on a frozen encoder.

    Args:
      encoder: ``Encoder`` with a ``keras_file``.
      feature: 'face_aware', 'face', 'pose' or 'face+pose'.
      size: side S of the images in pixels.
      layer: weights [D, K] and bias [K].
      activation: of the layer: 'softmax', 'sigmoid' or 'linear'.

    Returns:
      keras.Model: float32 [N, S, S, 3] in [0, 1] -> float32 [N, K]; stock Keras layers only.

    Raises:
      Refused: this model has no Keras form.
    """
    if encoder.keras_file is None:
        raise Refused(
            f"--model={encoder.name}: has no encoder.keras in it; python -m pcl_tf.export makes such exports."
        )
    net = load_keras(encoder.keras_file)
    net.trainable = False
    image = keras.Input((size, size, 3), name="image")
    dense = keras.layers.Dense(len(layer[1]), activation, name="probe", dtype="float32")
    model = keras.Model(image, dense(vector_of(net(image), feature)), name="probe")
    dense.set_weights([*layer])
    return model


def vector_of(out: Any, feature: str) -> keras.KerasTensor:
    """A feature of a Keras encoder's outputs as a vector, in the order of the stored features.

    Args:
      out: of the encoder: a dict of them, or one; [N, D] or feature maps [N, H, W, C].
      feature: 'face_aware', 'face', 'pose' or 'face+pose', the sum.

    Returns:
      Keras tensor [N, D].
    """
    found, parts = outputs(out), []
    for part in feature.split("+"):
        x = found[part]
        if len(x.shape) != 2:
            x = keras.layers.Permute((3, 1, 2), name=f"{part}_channels_first")(x)
            x = keras.layers.Flatten(name=f"{part}_flat", data_format="channels_last")(x)
        parts.append(x)
    return parts[0] if len(parts) == 1 else keras.layers.Add(name="sum")(parts)
