"""What TensorBoard shows beside the curves: what each means, which recipe drew them, histograms."""

import hashlib
import json
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from ml_collections import ConfigDict

from pcl_tf import recipe as recipes
from pcl_tf.serving.card import table

# By the tag, or by what it begins with and a slash: what it is, and which way is good.
DESCRIPTIONS = {
    "loss/total": "What is minimised: the terms of Eq. 7 with their weights. Falls; dynamic weights move it too.",
    "loss/dis": "L_dis, Eq. 2: the sum of four mean absolute errors of reconstructions. Falls.",
    "loss/orth": "L_orth, Eq. 3: what face and pose feature have in common. Falls, near 0 at its best.",
    "loss/face": "L_face, Eq. 6: contrast of two views of each face. Falls from the logarithm of the number of negatives.",
    "loss/pose": "L_pose, Eq. 5: contrast of poses. Falls; 0 means that the negatives are too easy.",
    "alpha/face": "Weight of L_face by Dynamic Weight Average. Neither way is good; with that of L_pose it sums to 2.",
    "alpha/pose": "Weight of L_pose by Dynamic Weight Average. Neither way is good; with that of L_face it sums to 2.",
    "train/face_accuracy": "Share of views whose other view is nearer than every negative. Rises towards 1.",
    "train/pose_accuracy": "The same of the pose contrast. Rises towards 1.",
    "train/face_spread": "How evenly the contrasted face embeddings lie on the sphere. 1 is even and good; near 0 they have"
    " collapsed to a point: stop, and take a smaller learning rate.",
    "train/pose_spread": "The same of the pose embeddings. 1 is even, 0 is collapsed; poses that are alike keep it below 1.",
    "train/abs_cosine": "Mean absolute cosine of face and pose feature. Low is good: they say different things.",
    "train/gradient_norm": "Norm of all gradients before clipping. Even is good; jumps come before a loss that is not finite.",
    "train/learning_rate": "Of Adam, as it was at the step.",
    "train/images_per_second": "Images of the global batch a second, over the steps since the last point. High is good.",
    "knn": "Share of labelled faces that their ten nearest neighbours name rightly, by a feature. High is good.",
    "ridge": "A linear probe in closed form on the labelled set: accuracy or F1, high is good; of angles their error, low is.",
    "verification": "Share of labelled pairs classified rightly, the threshold from other folds. Above 0.5, high is good.",
    "reconstructions": "What the decoder makes of faces: the image, its reconstructions, and those with the mirror's pose.",
}


def description(tag: str) -> str | None:
    """What a tag means, or None."""
    return DESCRIPTIONS.get(tag) or DESCRIPTIONS.get(tag.partition("/")[0])


def introduce(writer: tf.summary.SummaryWriter, recipe: ConfigDict, step: int = 0, *, trial: str = "run") -> None:
    """Writes the recipe as hyperparameters (runs of a sweep can be compared by value) and as a table to read.

    Args:
      writer: tf.summary writer of the run.
      recipe: resolved recipe.
      step: that the run begins or goes on at.
      trial: what the run is called in the table of hyperparameters.
    """
    from tensorboard.plugins.hparams import api

    from recipes import common

    ours, paper = recipes.flatten(recipe), recipes.flatten(common.base())
    free = tuple(key for key in recipes.FREE_KEYS if key != "data.source")
    counted = {key: value for key, value in ours.items() if not key.startswith(free)}
    # A key that PCL lacks has no value of the paper's.
    rows = [[f"`{key}`", value, "" if paper.get(key, value) == value else paper[key]] for key, value in ours.items()]
    with writer.as_default(step):
        values = {key: v if isinstance(v, (bool, int, float)) else str(v) for key, v in counted.items()}
        told = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()  # trials of one name are one row
        api.hparams(values, trial_id=f"{trial} {told[:8]}")
        tf.summary.text("recipe", table(["key", "value", "the paper's, where it is another"], rows))
    writer.flush()


def conclude(writer: tf.summary.SummaryWriter, text: str, step: int) -> None:
    """Writes a table of fixed width, of what training changed, to read beside the curves."""
    with writer.as_default(step):
        tf.summary.text("generated_faces", "\n".join(f"    {line}" for line in text.splitlines()))
    writer.flush()


def histograms(
    model: keras.Model,
    writer: tf.summary.SummaryWriter,
    embed: Callable[[np.ndarray], dict[str, np.ndarray]],
    *,
    faces: np.ndarray,
) -> Callable[[int], None]:
    """Makes what writes histograms of every trained weight, and of each feature of some faces.

    Args:
      model: method with ``trainable_variables``.
      writer: tf.summary writer.
      embed: uint8 [N, S, S, 3] -> {feature: float [N, D]}.
      faces: uint8 [N, S, S, 3].

    Returns:
      function of the step.
    """

    def write(step: int) -> None:
        with writer.as_default(step):
            for v in model.trainable_variables:
                tf.summary.histogram(f"weights/{v.path}", v.value)
            for key, x in embed(faces).items():
                tf.summary.histogram(f"features/{key}", x)
        writer.flush()

    return write
