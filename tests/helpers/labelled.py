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
    return Task(f"generated_{kind}", kind, arrays("faces", images), SIDE, tuple(names), labelled(labels), split)


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


def roles(folder):
    """Writes the faces and a manifest for each role of the paper's tables; returns them as flags of reproduce.

    People are eight, ten faces of each; pairs compare neighbours in a list, in two folds.
    """
    labels, images = faces()
    person = np.arange(COUNT) // 10
    path = [f"{i}.png" for i in range(COUNT)]
    split = ["test" if i % 4 == 3 else "train" for i in range(COUNT)]
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / path[i])
    second = [(i + (1 if i % 2 else 10)) % COUNT for i in range(COUNT)]  # of the same person, or of the next
    tables = {
        "expression=classification": {"path": path, "split": split, "label": labels["expression"]},
        "verification=verification": {
            "fold": [i % 4 // 2 for i in range(COUNT)],
            "path1": path,
            "path2": [path[j] for j in second],
            "same": (person == person[second]).astype(int),
        },
        "actions=multilabel": {
            "path": path,
            "split": split,
            **{name: KINDS["multilabel"][1](labels)[:, i].astype(int) for i, name in enumerate(KINDS["multilabel"][0])},
        },
        "pose=regression": {"path": path, "split": split, "yaw": labels["angles"][:, 0]},
    }
    flags = []
    for name, columns in tables.items():
        file = folder / f"{name.partition('=')[0]}.csv"
        with open(file, "w", newline="") as f:
            csv.writer(f).writerows([columns, *zip(*columns.values(), strict=True)])
        flags.append(f"--{name}:{file}")
    return flags


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
