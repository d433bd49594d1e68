"""A fine-tuned network as others load it: image files in, labels and scores out."""

import pathlib
from typing import Any

import keras
import tensorflow as tf

from pcl_tf.encoders.head import Head, attach
from pcl_tf.evaluation.kinds import KINDS
from pcl_tf.serving.card import write_classifier_card
from pcl_tf.serving.export import check_version, in_slices, written


def save_classifier(
    model: keras.Model,
    folder: str | pathlib.Path,
    head: Head,
    *,
    recipe_json: str,
    step: int,
    row: dict[str, Any],
    about: dict[str, Any],
) -> pathlib.Path:
    """Exports a network as version 1 of a model, ``folder/1``, as tensorflow_model_server expects it.

    Signatures, all returning 'classes' string [N, K] and 'scores' float32 [N, K] (probabilities of the classes, or of
    each label), of a regression 'targets' and 'values'; K in the order of ``assets/labels.txt``, not sorted by score:
      serving_default(image_bytes: string [N]), image files, decoded and resized as for training;
      predict(images: float32 [N, S, S, 3] in [0, 1]).

    Args:
      model: keras.Model, float32 [N, S, S, 3] -> logits or targets [N, K].
      folder: parent of the numbered folders.
      head: the last layer with its K names, none of pairs, for ``assets/finetuned.keras``, which ``pcl_tf.load`` opens.
      recipe_json, step: the recipe of pre-training, and how many steps.
      row: of ``result.json``, for the model card.
      about: what the user states, for the card: ``stated``.

    Returns:
      pathlib.Path of the export.

    Raises:
      Refused: a folder of this number exists and is no export.
    """
    target = pathlib.Path(folder) / "1"
    check_version(target)
    size, labels = model.input_shape[1], tf.constant(head.names)
    called, values = KINDS[head.kind].outputs
    activation = keras.activations.get(KINDS[head.kind].activation)

    def scored(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {values: activation(tf.cast(model(images, training=False), tf.float32))}

    def named(scores: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {called: tf.repeat(labels[None], tf.shape(scores[values])[0], axis=0), **scores}

    of_files = in_slices(scored, size)
    archive = keras.export.ExportArchive()
    archive.track(model)
    files = tf.TensorSpec([None], tf.string, "image_bytes")
    archive.add_endpoint("serving_default", lambda image_bytes: named(of_files(image_bytes)), [files])
    images = tf.TensorSpec([None, size, size, 3], tf.float32, "images")
    archive.add_endpoint("predict", lambda images: named(scored(images)), [images])
    with written(archive, target, size, recipe_json=recipe_json, step=step) as aside:
        lines = "".join(f"{' '.join(n.split())}\n" for n in head.names)
        (aside / "assets/labels.txt").write_text(lines, encoding="utf-8")
        model.save(aside / "assets/finetuned.keras")
        attach(head, aside / "assets/finetuned.keras")
        write_classifier_card(aside, head.kind, head.names, size=size, row=row, about=about)
    return target
