"""k-nearest-neighbour probe: the cheapest look at a representation, and one that nothing is trained for."""

from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from pcl_tf.evaluation.kinds import Kind

K = 20  # of --solver=knn
_MEMORY = 64  # MiB that scikit-learn takes for the cosines of some rows with all training rows


class Nearest:
    """Mean of the labels of the nearest training rows, by cosine.

    Args:
      x: float [N, D] of the training rows.
      y: float [N, K], one-hot, 0/1 or targets.
      k: neighbours, at most N.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, k: int = K) -> None:
        self.k, self.y = min(k, len(x)), np.asarray(y, np.float64)
        self.rows = NearestNeighbors(n_neighbors=self.k, metric="cosine").fit(x)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Shares of votes or mean targets: float [M, D] -> float64 [M, K]."""
        with config_context(working_memory=_MEMORY):
            return self.rows.kneighbors_graph(x) @ self.y / self.k


def solve(kind: Kind, x: np.ndarray, y: np.ndarray, **unused: Any) -> tuple[Nearest, dict[str, Any]]:
    """Takes the training rows as they are; see ``pcl_tf.evaluation.linear.fit``. Nothing in it is random."""
    layer = Nearest(x, y)
    return layer, {"solver": "knn", "k": layer.k, "similarity": "cosine", "vote": "each neighbour alike"}


def knn_accuracy(train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray], k: int = 10) -> float:
    """Accuracy in [0, 1] of a cosine k-NN vote: (float [N, D] features, int [N] labels) of training and test rows.

    The smaller label wins a tie. Of fewer training rows than k, all vote.
    """
    return KNeighborsClassifier(min(k, len(train[0])), metric="cosine").fit(*train).score(*test)
