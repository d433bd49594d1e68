"""The trained probe as one Keras model: faces in, labels out, nothing else needed to load it."""

import pathlib
from typing import TYPE_CHECKING, Any

import keras

from pcl_tf.errors import Refused
from pcl_tf.evaluation.linear import LABELS, Linear
from pcl_tf.evaluation.task import Task
from pcl_tf.store import atomic_path

if TYPE_CHECKING:
    from pcl_tf.evaluation.models import Encoder


def build(encoder: "Encoder", task: Task, feature: str, *, layer: Linear) -> keras.Model:
    """Stacks a linear layer on a frozen encoder.

    Args:
      encoder: ``Encoder`` with a ``keras_file``.
      task: its kind gives the activation: softmax, sigmoid, or none.
      feature: 'face_aware', 'face', 'pose' or 'face+pose'.
      layer: ``Linear``.

    Returns:
      keras.Model: float32 [N, S, S, 3] in [0, 1] -> float32 [N, K]: probabilities of the classes,
      of each label, or the targets themselves; stock Keras layers only.

    Raises:
      Refused: this model has no Keras form.
    """
    if encoder.keras_file is None:
        raise Refused(
            f"--model={encoder.name}: has no encoder.keras in it; python -m pcl_tf.export makes such exports."
        )
    net = keras.models.load_model(encoder.keras_file, compile=False)
    net.trainable = False
    image = keras.Input((task.image_size, task.image_size, 3), name="image")
    vector = vector_of(net(image), feature)
    dense = keras.layers.Dense(len(task.names), LABELS[task.kind], name="probe", dtype="float32")
    model = keras.Model(image, dense(vector), name=f"{task.kind}_probe")
    dense.set_weights([layer.weights, layer.bias])
    return model


def outputs(out: Any) -> dict[str, Any]:
    """What an encoder gives, by name; the one output of others counts as face_aware."""
    return out if isinstance(out, dict) else {"face_aware": out}


def vector_of(out: Any, feature: str) -> keras.KerasTensor:
    """A feature of a Keras encoder's outputs as a vector, in the order of the cached features.

    Args:
      out: of the encoder: a dict of them, or one; [N, D] or feature maps [N, H, W, C].
      feature: 'face_aware', 'face', 'pose' or 'face+pose', the sum.

    Returns:
      Keras tensor [N, D].
    """
    found = outputs(out)
    parts = [_flat(found[part], part) for part in feature.split("+")]
    return parts[0] if len(parts) == 1 else keras.layers.Add(name="sum")(parts)


def _flat(x: keras.KerasTensor, part: str) -> keras.KerasTensor:
    if len(x.shape) == 2:
        return x
    x = keras.layers.Permute((3, 1, 2), name=f"{part}_channels_first")(x)
    return keras.layers.Flatten(name=f"{part}_flat", data_format="channels_last")(x)


def save(model: keras.Model, path: str | pathlib.Path) -> pathlib.Path:
    """Writes a .keras file, whole or not at all."""
    with atomic_path(path) as aside:
        model.save(aside)
    return pathlib.Path(path)
