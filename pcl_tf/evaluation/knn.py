"""k-nearest-neighbour probe: the cheapest look at a representation while it is learned."""

import numpy as np


def knn_accuracy(train_x, train_y, test_x, test_y, k=10):
    """Accuracy of a cosine k-NN vote.

    Args:
      train_x, test_x: float [N, D], [M, D].
      train_y, test_y: int labels.
      k: neighbours; ties go to the smaller label.

    Returns:
      float in [0, 1].
    """

    def unit(x):
        x = np.asarray(x, np.float32)
        return x / (np.linalg.norm(x, axis=1, keepdims=True) + 1e-12)

    similar = unit(test_x) @ unit(train_x).T
    nearest = np.argsort(-similar, axis=1, kind="stable")[:, : min(k, len(train_x))]
    votes = np.asarray(train_y)[nearest]
    classes = int(max(np.max(train_y), np.max(test_y))) + 1
    counts = np.stack([(votes == c).sum(1) for c in range(classes)], axis=1)
    return float((counts.argmax(1) == np.asarray(test_y)).mean())
