"""The four tasks on generated faces: everything runs without a corpus."""

import functools
from collections.abc import Callable, Iterable

import numpy as np

from pcl_tf.choices import ANGLES
from pcl_tf.data.generated import AUS, EXPRESSIONS, rendered, sample_labels
from pcl_tf.data.listed import arrays
from pcl_tf.evaluation.task import Task

TRAIN, TEST = 2400, 600
PAIRS, FOLDS = 1200, 10
SEED = 987_654_321  # of no training run


@functools.lru_cache(maxsize=1)  # four tasks, and a run before and after, on the same faces
def faces(count: int, size: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """(labels of ``sample_labels``, uint8 [count, size, size, 3]) of faces no training run generates."""
    labels = sample_labels(count, SEED)
    blocks = ({k: v[i : i + 50] for k, v in labels.items()} for i in range(0, count, 50))
    return labels, np.concatenate(list(rendered(blocks, size)))


def _task(
    kind: str,
    name: str,
    size: int,
    *,
    names: Iterable[str],
    labelled: Callable[[dict[str, np.ndarray]], np.ndarray],
    train: int,
    test: int,
) -> Task:
    labels, images = faces(train + test, size)
    splits = ((np.arange(train), np.arange(train, train + test)),)
    return Task(f"generated_{name}", kind, arrays("generated", images), size, tuple(names), labelled(labels), splits)


def expression(size: int, train: int = TRAIN, test: int = TEST) -> Task:
    """Seven expressions."""
    return _task(
        "classification",
        "expression",
        size,
        names=EXPRESSIONS,
        labelled=lambda labels: labels["expression"],
        train=train,
        test=test,
    )


def pose(size: int, train: int = TRAIN, test: int = TEST) -> Task:
    """Yaw, pitch and roll in degrees."""
    return _task(
        "regression",
        "pose",
        size,
        names=ANGLES,
        labelled=lambda labels: labels["angles"],
        train=train,
        test=test,
    )


def actions(size: int, train: int = TRAIN, test: int = TEST) -> Task:
    """DISFA's eight action units, intensity 2 of 5 and more."""
    names = [f"AU{a}" for a in AUS]
    return _task(
        "multilabel",
        "actions",
        size,
        names=names,
        labelled=lambda labels: (labels["aus"] * 5 >= 2).astype(np.float32),
        train=train,
        test=test,
    )


def verification(size: int, train: int = TRAIN, test: int = TEST, *, count: int = PAIRS) -> Task:
    """Pairs of faces, half of one person, in ten folds."""
    labels, images = faces(train + test, size)
    r, who = np.random.RandomState(SEED % 2**31), labels["identity"]
    pairs: list[tuple[int, int]]
    pairs, same = [], []
    while len(pairs) < count:
        a, alike = r.randint(len(who)), len(pairs) % 2
        others = np.flatnonzero((who == who[a]) == bool(alike))
        pairs.append((a, r.choice(others[others != a])))
        same.append(alike)
    return Task(
        name="generated_verification",
        kind="verification",
        source=arrays("generated", images),
        image_size=size,
        pairs=np.array(pairs),
        same=np.array(same),
        folds=np.arange(count) * FOLDS // count,
    )


MAKERS: dict[str, Callable[[int], Task]] = {
    "expression": expression,
    "verification": verification,
    "actions": actions,
    "pose": pose,
}
