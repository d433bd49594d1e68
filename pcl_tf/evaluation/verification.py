"""Verification: is it the same person? Thresholds of a fold come from the other folds."""

import numpy as np


def similarities(x: np.ndarray, pairs: np.ndarray, batch: int = 4096) -> np.ndarray:
    """Cosine similarity of the features of each pair: float [N, D], int [P, 2] -> float64 [P]."""
    out = []
    for i in range(0, len(pairs), batch):
        a, b = (np.asarray(x[pairs[i : i + batch, side]], np.float64) for side in (0, 1))
        norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        out.append((a * b).sum(1) / np.maximum(norms, 1e-12))
    return np.concatenate(out)


def best_threshold(values: np.ndarray, same: np.ndarray) -> float:
    """The threshold of highest accuracy of ``value > threshold``; midway to the next value, the lowest of equals."""
    order = np.argsort(values, kind="stable")
    values, same = np.asarray(values)[order], np.asarray(same)[order]
    # right[i]: accuracy when the i smallest are called different
    right = np.concatenate([[0], np.cumsum(1 - same)]) + np.concatenate([np.cumsum(same[::-1])[::-1], [0]])
    edges = np.concatenate([[values[0] - 1], (values[1:] + values[:-1]) / 2, [values[-1] + 1]])
    apart = np.concatenate([[True], values[1:] > values[:-1], [True]])
    return float(edges[np.argmax(np.where(apart, right, -1))])


def verify(values: np.ndarray, same: np.ndarray, folds: np.ndarray) -> tuple[np.ndarray, dict[int, float]]:
    """Whether each pair is classified rightly, by the threshold of the other folds.

    Args:
      values: float [P], higher is more alike.
      same: 0/1 [P].
      folds: int [P].

    Returns:
      (right: float [P], {fold: threshold}).
    """
    right, thresholds = np.zeros(len(values)), {}
    for fold in np.unique(folds):
        here = folds == fold
        thresholds[int(fold)] = best_threshold(values[~here], same[~here])
        right[here] = (values[here] > thresholds[int(fold)]) == (same[here] == 1)
    return right, thresholds
