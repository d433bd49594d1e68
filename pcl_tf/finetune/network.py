"""The network that is fine-tuned: an encoder from its .keras file and one layer on a feature of it."""

import keras
import numpy as np
import tensorflow as tf

from pcl_tf.encoders.stacked import vector_of
from pcl_tf.evaluation.linear import Linear
from pcl_tf.evaluation.task import Task

LOSSES = {  # by the activation of a kind of task; Keras's own, which a saved state holds
    "softmax": lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    "sigmoid": lambda: keras.losses.BinaryCrossentropy(from_logits=True),
    "linear": lambda: keras.losses.MeanAbsoluteError(),
}
HEAD = "head"


def build(trunk: keras.Model, task: Task, feature: str, *, head: Linear | None = None, seed: int = 0) -> keras.Model:
    """Puts a last layer on an encoder.

    Args:
      trunk: the encoder; the model trains its weights.
      task: ``Task``; the layer has an output for each of its names.
      feature: 'face_aware', 'face', 'pose' or 'face+pose'.
      head: ``Linear`` that the layer starts from; None draws it, and all weights of the trunk, as of a network that was
        never trained.
      seed: of drawn weights.

    Returns:
      keras.Model: float32 [N, S, S, 3] in [0, 1] -> float32 [N, K], logits or targets.
    """
    if head is None:
        keras.utils.set_random_seed(seed)
        trunk = keras.models.clone_model(trunk)
    image = keras.Input((task.image_size, task.image_size, 3), name="image")
    last = keras.layers.Dense(len(task.names), name=HEAD, dtype="float32")
    model = keras.Model(image, last(vector_of(trunk(image), feature)), name="finetuned")
    if head is not None:
        last.set_weights([head.weights, head.bias])
    return model


def rescale(model: keras.Model, low: float | np.ndarray, span: float | np.ndarray) -> None:
    """Makes a model of standardised targets one of the targets themselves: ``low + span * model``, in place."""
    weights, bias = model.get_layer(HEAD).get_weights()
    model.get_layer(HEAD).set_weights([weights * span, bias * span + low])


def scores(model: keras.Model, faces: np.ndarray, rows: np.ndarray, *, batch: int = 64) -> np.ndarray:
    """Outputs of a model for some of the faces: uint8 [N, S, S, 3], int [n] -> float32 [n, K]."""
    run = tf.function(lambda x: model(x, training=False), reduce_retracing=True)
    parts = [run(tf.cast(faces[rows[i : i + batch]], tf.float32) / 255.0).numpy() for i in range(0, len(rows), batch)]
    return np.concatenate(parts)
