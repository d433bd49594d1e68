"""The four tasks on generated faces: everything runs without a corpus."""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from pcl_tf.choices import ANGLES, AUS
from pcl_tf.data.generated import EXPRESSIONS, rendered, sample_labels
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


def _labelled(
    role: str, kind: str, names: Sequence[str], label: Callable[[dict[str, np.ndarray]], np.ndarray]
) -> Callable[..., Task]:
    def make(size: int, train: int = TRAIN, test: int = TEST) -> Task:
        labels, images = faces(train + test, size)
        splits = ((np.arange(train), np.arange(train, train + test)),)
        return Task(f"generated_{role}", kind, arrays("generated", images), size, tuple(names), label(labels), splits)

    return make


def verification(size: int, train: int = TRAIN, test: int = TEST, *, count: int = PAIRS) -> Task:
    """Pairs of faces, half of one person, in ten folds."""
    labels, images = faces(train + test, size)
    r, who = np.random.RandomState(SEED % 2**31), labels["identity"]
    pairs: list[tuple[int, int]] = []
    same = np.arange(count) % 2
    for alike in same:
        a = r.randint(len(who))
        others = np.flatnonzero((who == who[a]) == bool(alike))
        pairs.append((a, r.choice(others[others != a])))
    return Task(
        name="generated_verification",
        kind="verification",
        source=arrays("generated", images),
        image_size=size,
        pairs=np.array(pairs),
        same=same,
        folds=np.arange(count) * FOLDS // count,
    )


# role: makes its task at a size; seven expressions, yaw, pitch and roll in degrees, DISFA's eight action units from
# intensity 2 of 5 on.
MAKERS: dict[str, Callable[..., Task]] = {
    "expression": _labelled("expression", "classification", EXPRESSIONS, lambda labels: labels["expression"]),
    "verification": verification,
    "actions": _labelled(
        "actions", "multilabel", [f"AU{a}" for a in AUS], lambda labels: (labels["aus"] * 5 >= 2).astype(np.float32)
    ),
    "pose": _labelled("pose", "regression", ANGLES, lambda labels: labels["angles"]),
}
