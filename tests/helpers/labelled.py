"""Generated faces with labels, in files and as tasks, and an encoder of them small enough to be trained in seconds."""

import csv
import functools

import keras
import numpy as np
from PIL import Image

from pcl_tf.choices import AUS
from pcl_tf.data.listed import arrays
from pcl_tf.evaluation.task import Task
from pcl_tf.heads.people import EXPRESSIONS, sample_labels
from pcl_tf.heads.render import render

SIDE = 32
COUNT = 80
KINDS = {
    "classification": (("left", "right"), lambda labels: (labels["angles"][:, 0] > 0).astype(int)),
    "multilabel": ([f"AU{a}" for a in AUS], lambda labels: (labels["aus"] * 5 >= 2).astype(np.float32)),
    "regression": (("yaw", "pitch"), lambda labels: labels["angles"][:, :2].astype(np.float32)),
}


@functools.cache
def faces():
    """(labels of ``sample_labels``, uint8 [COUNT, SIDE, SIDE, 3])."""
    labels = sample_labels(COUNT, 5)
    return labels, render(labels, SIDE)


def task(kind):
    """``Task`` of them: which side a head is turned to, its action units, or its angles; three quarters teach."""
    labels, images = faces()
    names, labelled = KINDS[kind]
    rows = np.arange(COUNT)
    split = ((rows[rows % 4 != 3], rows[rows % 4 == 3]),)
    source = arrays("faces", images)
    return Task(f"generated_{kind}", kind, source, SIDE, tuple(names), labelled(labels), split, tells=kind)


def write_manifest(folder):
    """Writes the faces, one of which is no image, and ``faces.csv`` (path, label, split); returns its path."""
    labels, images = faces()
    with open(folder / "faces.csv", "w", newline="") as f:
        out = csv.writer(f)
        out.writerow(["path", "label", "split", "expression"])
        for i, image in enumerate(images):
            Image.fromarray(image).save(folder / f"{i}.png")
            side = "right" if labels["angles"][i, 0] > 0 else "left"
            out.writerow([f"{i}.png", side, "test" if i % 4 == 3 else "train", EXPRESSIONS[labels["expression"][i]]])
    (folder / "1.png").write_bytes(b"no image")
    return folder / "faces.csv"


def encoder():
    """Two convolutions with a BatchNorm between them, outputs named as an encoder's; drawn by seed 0."""
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Conv2D(8, 5, 4, activation="relu")(image)
    x = keras.layers.BatchNormalization(name="norm", momentum=0.5)(x)
    x = keras.layers.Conv2D(8, 4, 4, activation="relu")(x)
    x = keras.layers.Permute((3, 1, 2))(x)
    x = keras.layers.Flatten()(x)
    return keras.Model(image, {"face_aware": x, "face": x, "pose": x})
