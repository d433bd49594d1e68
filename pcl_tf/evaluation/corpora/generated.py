"""The four tasks on generated faces: everything runs without a corpus."""

import functools

import numpy as np

from pcl_tf.data.listed import arrays
from pcl_tf.data.synthetic import AUS, EXPRESSIONS, render, sample_labels
from pcl_tf.evaluation.task import Task

TRAIN, TEST = 2400, 600
PAIRS, FOLDS = 1200, 10
SEED = 987_654_321  # of no training run


@functools.lru_cache(maxsize=1)  # four tasks on the same faces
def _faces(size):
    labels = sample_labels(TRAIN + TEST, SEED)
    faces = [render({k: v[i : i + 50] for k, v in labels.items()}, size) for i in range(0, TRAIN + TEST, 50)]
    return labels, arrays("generated", np.concatenate(faces))


def _task(kind, name, size, names, labels, source):
    splits = ((np.arange(TRAIN), np.arange(TRAIN, TRAIN + TEST)),)
    return Task(f"generated_{name}", kind, source, size, tuple(names), labels, splits)


def expression(size):
    """Seven expressions."""
    labels, source = _faces(size)
    return _task("classification", "expression", size, EXPRESSIONS, labels["expression"], source)


def pose(size):
    """Yaw, pitch and roll in degrees."""
    labels, source = _faces(size)
    return _task("regression", "pose", size, ("yaw", "pitch", "roll"), labels["angles"], source)


def actions(size):
    """DISFA's eight action units, intensity 2 of 5 and more."""
    labels, source = _faces(size)
    shown = (labels["aus"] * 5 >= 2).astype(np.float32)
    return _task("multilabel", "actions", size, [f"AU{a}" for a in AUS], shown, source)


def verification(size):
    """Pairs of faces, half of one person, in ten folds."""
    labels, source = _faces(size)
    r, who = np.random.RandomState(SEED % 2**31), labels["identity"]
    pairs, same = [], []
    while len(pairs) < PAIRS:
        a = r.randint(len(who))
        alike = len(pairs) % 2
        others = np.flatnonzero((who == who[a]) == bool(alike))
        b = r.choice(others[others != a])
        pairs.append((a, b))
        same.append(alike)
    folds = np.arange(PAIRS) * FOLDS // PAIRS
    return Task(
        "generated_verification",
        "verification",
        source,
        size,
        pairs=np.array(pairs),
        same=np.array(same),
        folds=folds,
    )


MAKERS = {"expression": expression, "verification": verification, "actions": actions, "pose": pose}
