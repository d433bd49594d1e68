"""k-nearest-neighbour probe: the cheapest look at a representation, and one that nothing is trained for."""

from typing import Any

import numpy as np

from pcl_tf.neighbours.search import unit

K = 20  # of --solver=knn


class Nearest:
    """What the nearest training rows say, by cosine.

    Args:
      x: float [N, D] of the training rows.
      y: float [N, K], one-hot, 0/1 or targets.
      k: neighbours, at most N; of equally near ones those that come first.
      batch: rows compared at once: a table of so many rows and all training images is held in several forms.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, k: int = K, *, batch: int = 64) -> None:
        self.x, self.y = unit(x), np.asarray(y, np.float64)
        self.k, self.batch = min(k, len(self.x)), batch

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Mean of the neighbours' rows of y, shares of votes or targets: float [M, D] -> float64 [M, K]."""
        parts = [self._nearest(x[i : i + self.batch]) @ self.y for i in range(0, len(x), self.batch)]
        return np.concatenate(parts) / self.k

    def _nearest(self, x: np.ndarray) -> np.ndarray:
        """Which rows are near: bool [M, N], k of each row."""
        similar = unit(x) @ self.x.T
        last = np.partition(similar, -self.k, axis=1)[:, -self.k, None]
        nearer, equal = similar > last, similar == last
        return nearer | (equal & (equal.cumsum(1, dtype=np.int32) <= self.k - nearer.sum(1, keepdims=True)))


class NearestLabels(Nearest):
    """``Nearest`` of labels, each there or not: above 0 where more than half of the neighbours have it."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Shares of neighbours less a half: float [M, D] -> float64 [M, K] in [-0.5, 0.5]."""
        return super().__call__(x) - 0.5


def solve(
    kind: str, x: np.ndarray, y: np.ndarray, *, seed: int = 0, subjects: np.ndarray | None = None
) -> tuple[Nearest, dict[str, Any]]:
    """Takes the training rows as they are; see ``pcl_tf.evaluation.linear.fit``. Nothing in it is random."""
    del seed, subjects
    layer = (NearestLabels if kind == "multilabel" else Nearest)(x, y)
    return layer, {"solver": "knn", "k": layer.k, "similarity": "cosine", "vote": "each neighbour alike"}


def knn_accuracy(train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray], k: int = 10) -> float:
    """Accuracy of a cosine k-NN vote.

    Args:
      train, test: (float [N, D] features, int [N] labels) of both sets.
      k: neighbours; ties go to the smaller label.

    Returns:
      float in [0, 1].
    """
    (train_x, train_y), (test_x, test_y) = train, test
    classes = int(max(np.max(train_y), np.max(test_y))) + 1
    votes = Nearest(train_x, np.eye(classes)[np.asarray(train_y)], k)(test_x)
    return float((votes.argmax(1) == np.asarray(test_y)).mean())
